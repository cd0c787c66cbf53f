//! Dynamic NTK scaling, as vLLM ships it.
//!
//! # What it does
//! The formula of `dynamic` at one length for ever, that of the target: the base is constant, so a cache stays right, and
//! short texts pay for the longest one.
//!
//! # Formula
//! `alpha = s l / L - (s - 1)` at `l = s L`, that is `s^2 - s + 1`; `theta' = theta * alpha^(d/(d-2))`; attention factor 1.
//!
//! # Parameters
//! None beside the factor `s`.
//!
//! # Where it breaks
//! A checkpoint that declares `dynamic` rotates otherwise here than in transformers at every length but `s L`, the trained
//! one included: at factor 4 the slowest pair is slowed 13 times.
//!
//! # Source
//! vLLM `model_executor/layers/rotary_embedding/dynamic_ntk_scaling_rope.py`, `_compute_cos_sin_cache`.

use serde::{Deserialize, Serialize};

use super::dynamic::alpha;
use super::ntk::stretched;
use super::{HeadShape, Mechanism, Method, MethodError};
use crate::units::{Stretch, Tokens};

/// Dynamic NTK scaling frozen at the target length.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DynamicVllm {}

impl Method for DynamicVllm {
    fn summary(&self) -> &'static str {
        "dynamic NTK (vLLM): the base of the target length, at every length"
    }

    fn mechanism(&self, heads: &HeadShape, factor: Stretch, _length: Tokens) -> Result<Mechanism, MethodError> {
        Ok(stretched(heads, alpha(factor.0, factor.0)))
    }
}
