//! Position numbers are held in half precision.
//!
//! # What it does
//! The range of positions is created in half precision: above 2,048 neighbours collide.
//!
//! # Seen in
//! F36 (HF #28685, DeepSpeed #4932, in half precision).
//!
//! # Signature
//! Nothing below 2,048; a step there, and again at 4,096.
//!
//! # How it is injected
//! Positions are rounded to half precision before they meet the frequencies.

use serde::{Deserialize, Serialize};

use super::effects::rotates;
use super::{Execution, Fault, Format, Setting, Site};

/// Position numbers are held in half precision.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fp16Positions {}

impl Fault for Fp16Positions {
    fn summary(&self) -> &'static str {
        "position numbers are held in half precision"
    }

    fn site(&self) -> Site {
        Site::Precision
    }

    fn is_development(&self) -> bool {
        false
    }

    fn concerns(&self, setting: &Setting) -> bool {
        rotates(setting)
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.formats.positions = Format::Half;
    }
}
