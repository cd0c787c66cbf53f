//! The scaling is parsed and never applied.
//!
//! # What it does
//! The configuration is read without complaint, and the frequencies stay those of the unscaled model.
//!
//! # Seen in
//! F10 (llama.cpp PR #8676, lablup/mlxcel #1355: key `type` against `rope_type`); F08 (exllamav2 #704).
//!
//! # Signature
//! Ratios of all frequencies are 1. Short range is that of the unscaled model; damage steps up at the trained length.
//!
//! # How it is injected
//! The factor becomes 1; a scaling of RoPE becomes the unscaled rotation.

use serde::{Deserialize, Serialize};

use super::{Fault, Setting, Site};
use crate::positions::{AnyMethod, Method, Scheme};
use crate::units::Stretch;

/// The scaling is parsed and never applied.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScalingIgnored {}

impl Fault for ScalingIgnored {
    fn summary(&self) -> &'static str {
        "the scaling is parsed and never applied"
    }

    fn site(&self) -> Site {
        Site::Frequencies
    }

    fn setting(&self, setting: &mut Setting) {
        setting.factor = Stretch::ONE;
        if setting.method.scheme() == Scheme::Rotary {
            setting.method = AnyMethod::unscaled();
        }
    }
}
