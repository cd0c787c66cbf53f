//! The product of position and frequency is computed in bfloat16.
//!
//! # What it does
//! Autocast wraps the outer product of positions and frequencies.
//!
//! # Seen in
//! F37 (sglang-jax #1472: 0.62 radians at 512, 2.5 at 2,048); F35 (HF #25681: autocast).
//!
//! # Signature
//! A phase error that grows with the position in the fast pairs: 1 radian where the phase itself is 256.
//!
//! # How it is injected
//! Phases are rounded to bfloat16.

use serde::{Deserialize, Serialize};

use super::effects::rotates;
use super::{Execution, Fault, Format, Setting, Site};

/// The product of position and frequency is computed in bfloat16.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bf16Phases {}

impl Fault for Bf16Phases {
    fn summary(&self) -> &'static str {
        "the product of position and frequency is computed in bfloat16"
    }

    fn site(&self) -> Site {
        Site::Precision
    }

    fn concerns(&self, setting: &Setting) -> bool {
        rotates(setting)
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.formats.phases = Format::Brain;
    }
}
