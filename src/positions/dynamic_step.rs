//! Dynamic NTK scaling in steps.
//!
//! # What it does
//! Raises the base with the current length, but only where the length passes a power of two times the trained one.
//!
//! # Formula
//! `alpha = max(1, 2^ceil(log2(l / L) + 1) - 1)`: 1 up to `L`, 3 up to `2 L`, 7 up to `4 L`;
//! `theta' = theta * alpha^(d/(d-2))`; attention factor 1. `l` is the current length, `L` the trained one.
//!
//! # Parameters
//! None; the factor is not used, the length alone decides.
//!
//! # Where it breaks
//! One token beyond `L` the slowest pair is suddenly three times slower: loss steps at every doubling. Keys in a cache
//! keep the base of the length at which they came in.
//!
//! # Source
//! Qwen-7B `modeling_qwen.py`, `get_ntk_alpha`; the same in lmdeploy. Qwen's scaling of queries by the logarithm of the
//! length, which it ships beside, is not part of it.

use serde::{Deserialize, Serialize};

use super::ntk::stretched;
use super::{HeadShape, Mechanism, Method, MethodError};
use crate::units::{Stretch, Tokens};

/// NTK scaling by the current length, in powers of two.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DynamicStep {}

impl Method for DynamicStep {
    fn summary(&self) -> &'static str {
        "dynamic NTK (Qwen): the base grows in steps, at each doubling of the length"
    }

    fn mechanism(&self, heads: &HeadShape, _factor: Stretch, length: Tokens) -> Result<Mechanism, MethodError> {
        let lengths = length.as_f64() / heads.trained.as_f64();
        let alpha = ((lengths.log2() + 1.0).ceil().exp2() - 1.0).max(1.0);
        Ok(stretched(heads, alpha))
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
