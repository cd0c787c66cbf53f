//! YaRN, as the paper writes it.
//!
//! # What it does
//! NTK-by-parts with the paper's ramp over turns, and attention sharpened by a temperature that depends on the factor.
//!
//! # Formula
//! `f_i'` as in `by_parts`; attention factor `0.1 ln s + 1` on cosine and sine, so logits scale by its square.
//!
//! # Parameters
//! * `alpha` (default 1) and `beta` (above `alpha`, default 32): turns within the trained length, as in `by_parts`.
//!
//! # Where it breaks
//! It is not what engines run: they ramp over the pair's index (`yarn`), and inverse frequencies differ by up to 44 %.
//! A checkpoint that was tuned with one is damaged by the other.
//!
//! # Source
//! Peng et al., arXiv 2309.00071, equations 17 to 22.

use serde::{Deserialize, Serialize};

use super::by_parts::{check_ramp, ramped};
use super::yarn::temperature;
use super::{HeadShape, Mechanism, Method, MethodError, Rotation};
use crate::units::{Stretch, Tokens};

/// YaRN with the paper's ramp.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct YarnPaper {
    /// Turns within the trained length below which a pair is fully interpolated.
    pub alpha: f64,
    /// Turns within the trained length above which a pair is left alone.
    pub beta: f64,
}

impl Default for YarnPaper {
    fn default() -> Self {
        Self { alpha: 1.0, beta: 32.0 }
    }
}

impl Method for YarnPaper {
    fn summary(&self) -> &'static str {
        "YaRN with the paper's ramp over turns, which no engine ships"
    }

    fn check(&self) -> Result<(), MethodError> {
        check_ramp("yarn_paper", self.alpha, self.beta)
    }

    fn mechanism(&self, heads: &HeadShape, factor: Stretch, _length: Tokens) -> Result<Mechanism, MethodError> {
        let frequencies = ramped(heads, factor, self.alpha, self.beta);
        let attention_factor = temperature(factor, 1.0);
        Ok(Mechanism::Rotate(Rotation { attention_factor, ..Rotation::plain(frequencies, heads.pairing) }))
    }
}
