//! Positions are counted from 1.
//!
//! # What it does
//! Position 0 is kept for padding. Offsets do not change.
//!
//! # Seen in
//! F61 (vllm PR #945: off by one, without effect).
//!
//! # Signature
//! None for relative mechanisms: healthy, up to rounding.
//!
//! # How it is injected
//! All positions are larger by 1.

use serde::{Deserialize, Serialize};

use super::effects::is_relative;
use super::{Execution, Fault, Setting, Site};

/// Positions are counted from 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PositionsFromOne {}

impl Fault for PositionsFromOne {
    fn summary(&self) -> &'static str {
        "positions are counted from 1"
    }

    fn site(&self) -> Site {
        Site::Frequencies
    }

    fn is_control(&self) -> bool {
        true
    }

    fn is_development(&self) -> bool {
        false
    }

    fn concerns(&self, setting: &Setting) -> bool {
        is_relative(setting)
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.offsets.all = 1;
    }
}
