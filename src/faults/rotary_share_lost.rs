//! Half of each head is rotated.
//!
//! # What it does
//! A default `partial_rotary_factor` of 0.5 overwrites that of a checkpoint whose whole heads rotate.
//!
//! # Seen in
//! F23 (HF PR #48652, vllm PR #43770: `partial_rotary_factor` overwritten).
//!
//! # Signature
//! Half of the pairs do not turn at all, and the exponents of the others are spread too far; damage from the first
//! tokens on.
//!
//! # How it is injected
//! The method rotates the first half of the dimensions alone.

use serde::{Deserialize, Serialize};

use super::{Fault, Setting, Site};

/// Half of each head is rotated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotaryShareLost {}

impl Fault for RotaryShareLost {
    fn summary(&self) -> &'static str {
        "half of each head is rotated"
    }

    fn site(&self) -> Site {
        Site::Frequencies
    }

    fn is_development(&self) -> bool {
        false
    }

    fn setting(&self, setting: &mut Setting) {
        setting.heads.rotary_dim = (setting.heads.rotary_dim / 2).next_multiple_of(2);
    }
}
