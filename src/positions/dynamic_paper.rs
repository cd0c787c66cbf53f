//! Dynamic NTK scaling, as the YaRN paper defines it.
//!
//! # What it does
//! Static NTK scaling with the stretch that the current length needs, and none up to the trained length.
//!
//! # Formula
//! `s = max(1, l / L)`, `theta' = theta * s^(d/(d-2))`; attention factor 1. `l` is the current length, `L` the trained one.
//!
//! # Parameters
//! None; the factor is not used, the length alone decides.
//!
//! # Where it breaks
//! Keys in a cache keep the base of the length at which they came in, unless they are cached before the rotation, as the
//! paper asks: token by token, beyond `L`, scores no longer depend on offsets alone.
//!
//! # Source
//! YaRN, arXiv 2309.00071, section 3.3. transformers' `dynamic` is this at factor 1, and something else at any other.

use serde::{Deserialize, Serialize};

use super::ntk::stretched;
use super::{HeadShape, Mechanism, Method, MethodError};
use crate::units::{Stretch, Tokens};

/// NTK scaling with the stretch of the current length.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DynamicPaper {}

impl Method for DynamicPaper {
    fn summary(&self) -> &'static str {
        "dynamic NTK (YaRN paper): NTK with the stretch of the current length"
    }

    fn mechanism(&self, heads: &HeadShape, _factor: Stretch, length: Tokens) -> Result<Mechanism, MethodError> {
        let stretch = (length.as_f64() / heads.trained.as_f64()).max(1.0);
        Ok(stretched(heads, stretch))
    }

    /// The factor changes nothing at all, but the length does.
    fn is_unscaled_at_one(&self) -> bool {
        false
    }

    /// It follows the current length, whatever that is.
    fn reaches_any_length(&self) -> bool {
        true
    }
}
