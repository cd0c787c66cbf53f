//! Dynamic NTK scaling, as transformers ships it.
//!
//! # What it does
//! Leaves the model alone up to the trained length; beyond it raises the base with the current length, so that the
//! slowest pair never leaves the angles seen in training.
//!
//! # Formula
//! `alpha = s l / L - (s - 1)` with `l = max(length, L)`; `theta' = theta * alpha^(d/(d-2))`; attention factor 1. `L` is
//! the trained length (`max_position_embeddings` in a checkpoint that declares it).
//!
//! # Parameters
//! None beside the factor `s`.
//!
//! # Where it breaks
//! The factor is no stretch: at a length of `4 L`, `alpha` is 4 at factor 1, 7 at 2 and 13 at 4, so factor 1 is not the
//! unscaled model. Keys in a cache keep the base of the length at which they came in: token by token, beyond `L`, queries
//! and keys rotate by different bases, and scores no longer depend on offsets alone.
//!
//! # Source
//! emozilla's dynamically scaled RoPE (2023); transformers 5.23.0 `modeling_rope_utils.py`, `dynamic`.

use serde::{Deserialize, Serialize};

use super::ntk::stretched;
use super::{HeadShape, Mechanism, Method, MethodError};
use crate::units::{Stretch, Tokens};

/// NTK scaling by the current length.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dynamic {}

/// How far the slowest pair is stretched at a length of so many trained lengths.
pub(super) fn alpha(factor: f64, lengths: f64) -> f64 {
    factor * lengths.max(1.0) - (factor - 1.0)
}

impl Method for Dynamic {
    fn summary(&self) -> &'static str {
        "dynamic NTK (transformers): the base grows with the current length"
    }

    fn mechanism(&self, heads: &HeadShape, factor: Stretch, length: Tokens) -> Result<Mechanism, MethodError> {
        let alpha = alpha(factor.0, length.as_f64() / heads.trained.as_f64());
        Ok(stretched(heads, alpha))
    }

    fn is_unscaled_at_one(&self) -> bool {
        false
    }

    /// It follows the current length, whatever that is.
    fn reaches_any_length(&self) -> bool {
        true
    }
}
