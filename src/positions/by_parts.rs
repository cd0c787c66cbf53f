//! NTK-by-parts interpolation.
//!
//! # What it does
//! Leaves alone the pairs that turn often within the trained length, interpolates those that never complete a turn, and
//! ramps between them over the number of turns.
//!
//! # Formula
//! `r_i = L f_i / (2 pi)`; `gamma_i = clip((r_i - alpha) / (beta - alpha), 0, 1)`;
//! `f_i' = (1 - gamma_i) f_i / s + gamma_i f_i`; attention factor 1. `L` is the trained length.
//!
//! # Parameters
//! * `alpha` (turns below which a pair is fully interpolated, default 1) and `beta` (turns above which it is left alone,
//!   above `alpha`, default 32), from the paper for Llama.
//!
//! # Where it breaks
//! The ramp runs over turns and not, as in every shipped YaRN, over the pair's index: the pairs in between are stretched
//! more here. It lacks the temperature too: attention spreads as the context grows.
//!
//! # Source
//! YaRN, arXiv 2309.00071, section 3.2, equations 17 to 19.

use serde::{Deserialize, Serialize};

use super::rope::inverse_frequencies;
use super::{HeadShape, Mechanism, Method, MethodError, Rotation, above};
use crate::units::{Stretch, Tokens};

/// Interpolation by parts, without a temperature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ByParts {
    /// Turns within the trained length below which a pair is fully interpolated.
    pub alpha: f64,
    /// Turns within the trained length above which a pair is left alone.
    pub beta: f64,
}

impl Default for ByParts {
    fn default() -> Self {
        Self { alpha: 1.0, beta: 32.0 }
    }
}

/// Checks the ends of a ramp over turns.
pub(super) fn check_ramp(method: &'static str, alpha: f64, beta: f64) -> Result<(), MethodError> {
    above(method, "alpha", alpha, 0.0)?;
    above(method, "beta", beta, 0.0)?;
    if beta > alpha {
        return Ok(());
    }
    Err(MethodError::Parameter { method, name: "beta", expected: "above alpha", got: beta })
}

/// The frequencies ramped over turns, equation 19.
pub(super) fn ramped(heads: &HeadShape, factor: Stretch, alpha: f64, beta: f64) -> Vec<f64> {
    inverse_frequencies(heads.theta, heads.rotary_dim)
        .into_iter()
        .map(|f| {
            let turns = heads.trained.as_f64() * f / std::f64::consts::TAU;
            let kept = ((turns - alpha) / (beta - alpha)).clamp(0.0, 1.0);
            (1.0 - kept) * f / factor.0 + kept * f
        })
        .collect()
}

impl Method for ByParts {
    fn summary(&self) -> &'static str {
        "NTK-by-parts: slow pairs interpolated, fast pairs kept, a ramp over turns"
    }

    fn check(&self) -> Result<(), MethodError> {
        check_ramp("by_parts", self.alpha, self.beta)
    }

    fn mechanism(&self, heads: &HeadShape, factor: Stretch, _length: Tokens) -> Result<Mechanism, MethodError> {
        Ok(Mechanism::Rotate(Rotation::plain(ramped(heads, factor, self.alpha, self.beta), heads.pairing)))
    }
}
