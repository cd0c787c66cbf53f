//! No positional encoding.
//!
//! # What it does
//! Nothing: the causal mask alone tells order, since each query sees a different number of keys.
//!
//! # Formula
//! None.
//!
//! # Parameters
//! None; the factor changes nothing.
//!
//! # Where it breaks
//! It needs weights that were trained without positions. Recency must be inferred from counts of keys, which thin out
//! with length: short-range loss is higher than with positions, and drifts beyond the trained length.
//!
//! # Source
//! Kazemnejad et al., arXiv 2305.19466; Haviv et al., arXiv 2203.16634.

use serde::{Deserialize, Serialize};

use super::{HeadShape, Mechanism, Method, MethodError, Scheme};
use crate::units::{Stretch, Tokens};

/// No positions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nope {}

impl Method for Nope {
    fn summary(&self) -> &'static str {
        "no positions: the causal mask alone"
    }

    fn scheme(&self) -> Scheme {
        Scheme::Nothing
    }

    fn mechanism(&self, _heads: &HeadShape, _factor: Stretch, _length: Tokens) -> Result<Mechanism, MethodError> {
        Ok(Mechanism::Nothing)
    }

    fn is_unscaled_at_one(&self) -> bool {
        false
    }
}
