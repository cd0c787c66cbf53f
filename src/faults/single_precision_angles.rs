//! Phases are rounded to single precision.
//!
//! # What it does
//! Position times frequency in single precision, as transformers computes it: up to 3e-4 radians at 8,192.
//!
//! # Seen in
//! F35 (HF PR #29285: the fixed form computes in single precision).
//!
//! # Signature
//! None: healthy, up to rounding.
//!
//! # How it is injected
//! Frequencies and phases are rounded to single precision.

use serde::{Deserialize, Serialize};

use super::effects::rotates;
use super::{Execution, Fault, Format, Setting, Site};

/// Phases are rounded to single precision.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinglePrecisionAngles {}

impl Fault for SinglePrecisionAngles {
    fn summary(&self) -> &'static str {
        "phases are rounded to single precision"
    }

    fn site(&self) -> Site {
        Site::Precision
    }

    fn is_control(&self) -> bool {
        true
    }

    fn is_development(&self) -> bool {
        false
    }

    fn concerns(&self, setting: &Setting) -> bool {
        rotates(setting)
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.formats.frequencies = Format::Single;
        execution.formats.phases = Format::Single;
    }
}
