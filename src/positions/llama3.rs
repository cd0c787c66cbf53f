//! Llama 3's scaling.
//!
//! # What it does
//! Leaves short wavelengths alone, divides the frequency of long ones by the factor, and blends in between over the number
//! of turns.
//!
//! # Formula
//! With `r_i = L f_i / (2 pi)` turns: `f_i` where `r_i > high`, `f_i / s` where `r_i < low`, else
//! `(1 - t) f_i / s + t f_i` with `t = (r_i - low) / (high - low)`; attention factor 1. `L` is the trained length, 8192 in
//! Llama 3.1.
//!
//! # Parameters
//! * `low_freq_factor` (turns, above 0, default 1) and `high_freq_factor` (above `low_freq_factor`, default 4).
//!
//! # Where it breaks
//! It is `by_parts` with a narrow ramp: most pairs are kept or divided whole, few lie between. With the target length
//! mistaken for the trained one, pairs that never completed a turn count as fast and are left alone.
//!
//! # Source
//! Llama 3.1's `apply_scaling`; transformers 5.23.0 `modeling_rope_utils.py`, `llama3`.

use serde::{Deserialize, Serialize};

use super::by_parts::ramped;
use super::{HeadShape, Mechanism, Method, MethodError, Rotation, above};
use crate::units::{Stretch, Tokens};

/// Llama 3's scaling with its two ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Llama3 {
    /// Turns within the trained length below which a pair is fully interpolated.
    pub low_freq_factor: f64,
    /// Turns within the trained length above which a pair is left alone.
    pub high_freq_factor: f64,
}

impl Default for Llama3 {
    fn default() -> Self {
        Self { low_freq_factor: 1.0, high_freq_factor: 4.0 }
    }
}

impl Method for Llama3 {
    fn summary(&self) -> &'static str {
        "Llama 3: long wavelengths divided by the factor, short ones kept, a narrow blend between"
    }

    fn check(&self) -> Result<(), MethodError> {
        above("llama3", "low_freq_factor", self.low_freq_factor, 0.0)?;
        above("llama3", "high_freq_factor", self.high_freq_factor, 0.0)?;
        if self.high_freq_factor > self.low_freq_factor {
            return Ok(());
        }
        Err(MethodError::Parameter {
            method: "llama3",
            name: "high_freq_factor",
            expected: "above low_freq_factor",
            got: self.high_freq_factor,
        })
    }

    fn mechanism(&self, heads: &HeadShape, factor: Stretch, _length: Tokens) -> Result<Mechanism, MethodError> {
        let frequencies = ramped(heads, factor, self.low_freq_factor, self.high_freq_factor);
        Ok(Mechanism::Rotate(Rotation::plain(frequencies, heads.pairing)))
    }
}
