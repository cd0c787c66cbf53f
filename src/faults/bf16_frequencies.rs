//! Inverse frequencies are held in bfloat16.
//!
//! # What it does
//! Casting the whole model to bfloat16 casts the buffer of inverse frequencies, too.
//!
//! # Seen in
//! F35 (HF #25681, #29496 and PR #29285, InternLM #237); F37 (sglang-jax #1472, Modalities PR #462).
//!
//! # Signature
//! A phase error that grows with the position: 0.11 radians at 256, 0.89 at 2,048 by the formula.
//!
//! # How it is injected
//! Inverse frequencies are rounded to bfloat16.

use serde::{Deserialize, Serialize};

use super::effects::rotates;
use super::{Execution, Fault, Format, Setting, Site};

/// Inverse frequencies are held in bfloat16.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bf16Frequencies {}

impl Fault for Bf16Frequencies {
    fn summary(&self) -> &'static str {
        "inverse frequencies are held in bfloat16"
    }

    fn site(&self) -> Site {
        Site::Precision
    }

    fn concerns(&self, setting: &Setting) -> bool {
        rotates(setting)
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.formats.frequencies = Format::Brain;
    }
}
