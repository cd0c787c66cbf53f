//! Proportional RoPE.
//!
//! # What it does
//! Rotates a share of the pairs of the whole head, the fastest ones, and gives the others no position at all.
//!
//! # Formula
//! `f_i = theta^(-2i/h) / s` for `i < floor(p h / 2)`, 0 for the rest up to `h / 2`, with `h` the head's width: pairs span
//! the head and keep the exponents of a full rotation; attention factor 1.
//!
//! # Parameters
//! * `partial_rotary_factor` `p` (above 0, at most 1, default 1): the share of the pairs that rotate.
//!
//! # Where it breaks
//! It is not `partial`: the same share there rotates other dimensions by other frequencies. On weights trained with every
//! pair, the slow ones lose their positions at any length.
//!
//! # Source
//! transformers 5.23.0 `modeling_rope_utils.py`, `proportional` (Gemma 4).

use serde::{Deserialize, Serialize};

use super::rope::inverse_frequencies;
use super::{HeadShape, Mechanism, Method, MethodError, Rotation};
use crate::units::{Stretch, Tokens};

/// A rotation of the fastest pairs of the whole head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Proportional {
    /// The share of the pairs that rotate, above 0 and at most 1.
    pub partial_rotary_factor: f64,
}

impl Default for Proportional {
    fn default() -> Self {
        Self { partial_rotary_factor: 1.0 }
    }
}

impl Method for Proportional {
    fn summary(&self) -> &'static str {
        "proportional RoPE: the fastest pairs of the whole head rotate, the others have no position"
    }

    fn check(&self) -> Result<(), MethodError> {
        let got = self.partial_rotary_factor;
        if got > 0.0 && got <= 1.0 {
            return Ok(());
        }
        let expected = "a number above 0 and at most 1";
        Err(MethodError::Parameter { method: "proportional", name: "partial_rotary_factor", expected, got })
    }

    fn mechanism(&self, heads: &HeadShape, factor: Stretch, _length: Tokens) -> Result<Mechanism, MethodError> {
        // The cast truncates as Python's `int(p * head_dim // 2)`.
        let rotated = (self.partial_rotary_factor * heads.head_dim as f64 / 2.0) as usize;
        let frequencies = inverse_frequencies(heads.theta, heads.head_dim)
            .into_iter()
            .enumerate()
            .map(|(i, f)| if i < rotated { f / factor.0 } else { 0.0 })
            .collect();
        Ok(Mechanism::Rotate(Rotation::plain(frequencies, heads.pairing)))
    }

    /// Weights that rotate a part of the head are another model under pairs that span it, even at factor 1.
    fn is_unscaled_at_one(&self) -> bool {
        false
    }
}
