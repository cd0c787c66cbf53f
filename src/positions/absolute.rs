//! Learned absolute positions.
//!
//! # What it does
//! Adds to each embedding a vector learned for its position; attention itself knows no positions.
//!
//! # Formula
//! `p(t) = (1 - u) P[k] + u P[k + 1]` with `k = floor(t / s)` and `u = t / s - k`: at factor 1 the row of the position,
//! else between two rows (position interpolation). Past the last row by less than one it is the last row; there are as
//! many rows as the trained length has positions.
//!
//! # Parameters
//! None beside the factor.
//!
//! # Where it breaks
//! It needs weights that were trained with it. Beyond the trained length times the factor there is no vector at all.
//! Vectors between rows are means that no layer has met, and rows that training seldom reached are hardly learned.
//!
//! # Source
//! Gehring et al., arXiv 1705.03122, section 3.1; GPT-2's `wpe` (transformers 5.23.0); interpolated as in arXiv 2306.15595.

use serde::{Deserialize, Serialize};

use super::{HeadShape, Mechanism, Method, MethodError, Scheme, Vectors};
use crate::units::{Stretch, Tokens};

/// One learned vector for each position.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Absolute {}

impl Method for Absolute {
    fn summary(&self) -> &'static str {
        "learned vectors added to embeddings, one for each position"
    }

    fn scheme(&self) -> Scheme {
        Scheme::Absolute
    }

    fn mechanism(&self, heads: &HeadShape, factor: Stretch, _length: Tokens) -> Result<Mechanism, MethodError> {
        Ok(Mechanism::Add(Vectors::Learned { rows: heads.trained.0, stretch: factor.0 }))
    }

    fn is_unscaled_at_one(&self) -> bool {
        false
    }
}
