//! Position numbers are held in bfloat16.
//!
//! # What it does
//! The range of positions is created in the model's format: above 256 neighbours collide.
//!
//! # Seen in
//! F36 (HF #28685, DeepSpeed #4932: `arange` made in bfloat16; 641 distinct positions of 2,048).
//!
//! # Signature
//! Nothing below 256; then ever more tokens share a position, in steps at powers of two.
//!
//! # How it is injected
//! Positions are rounded to bfloat16 before they meet the frequencies.

use serde::{Deserialize, Serialize};

use super::effects::rotates;
use super::{Execution, Fault, Format, Setting, Site};

/// Position numbers are held in bfloat16.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bf16Positions {}

impl Fault for Bf16Positions {
    fn summary(&self) -> &'static str {
        "position numbers are held in bfloat16"
    }

    fn site(&self) -> Site {
        Site::Precision
    }

    fn concerns(&self, setting: &Setting) -> bool {
        rotates(setting)
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.formats.positions = Format::Brain;
    }
}
