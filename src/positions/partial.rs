//! Partial rotation.
//!
//! # What it does
//! Rotates the first dimensions of each head only; the others carry no position.
//!
//! # Formula
//! `f_i = theta^(-2i/d)` with `d = floor(share h)` and `h` the head's width; dimensions from `d` on pass through;
//! attention factor 1.
//!
//! # Parameters
//! * `share` (above 0, at most 1, default 0.5): the share of the head's dimensions that rotate; it must come to an even
//!   number of them. The factor is not used.
//!
//! # Where it breaks
//! On weights trained with another share, dimensions lose or gain a rotation and the exponents of all others change:
//! damage is there from the first tokens on. It is the fault of a `partial_rotary_factor` that was not read.
//!
//! # Source
//! GPT-NeoX, arXiv 2204.06745, section 2.1 (a share of 0.25); transformers 5.23.0 `partial_rotary_factor`.

use serde::{Deserialize, Serialize};

use super::rope::inverse_frequencies;
use super::{HeadShape, Mechanism, Method, MethodError, Rotation};
use crate::units::{Stretch, Tokens};

/// A rotation of the first dimensions of each head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Partial {
    /// The share of the head's dimensions that rotate, above 0 and at most 1.
    pub share: f64,
}

impl Default for Partial {
    fn default() -> Self {
        Self { share: 0.5 }
    }
}

impl Partial {
    fn wrong(&self, expected: &'static str) -> MethodError {
        MethodError::Parameter { method: "partial", name: "share", expected, got: self.share }
    }
}

impl Method for Partial {
    fn summary(&self) -> &'static str {
        "partial rotation: only the first dimensions of each head rotate"
    }

    fn check(&self) -> Result<(), MethodError> {
        let is_share = self.share > 0.0 && self.share <= 1.0;
        if is_share { Ok(()) } else { Err(self.wrong("a number above 0 and at most 1")) }
    }

    fn mechanism(&self, heads: &HeadShape, _factor: Stretch, _length: Tokens) -> Result<Mechanism, MethodError> {
        // The cast truncates as Python's `int(head_dim * partial_rotary_factor)`.
        let rotated = (heads.head_dim as f64 * self.share) as usize;
        if rotated < 2 || !rotated.is_multiple_of(2) {
            return Err(self.wrong("a share that rotates an even number of dimensions, at least 2"));
        }
        Ok(Mechanism::Rotate(Rotation::plain(inverse_frequencies(heads.theta, rotated), heads.pairing)))
    }

    fn is_unscaled_at_one(&self) -> bool {
        false
    }
}
