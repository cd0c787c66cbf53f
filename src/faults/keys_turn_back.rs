//! Keys are rotated backwards.
//!
//! # What it does
//! The sign of the sine is swapped in the kernel for keys.
//!
//! # Seen in
//! F25 (NVIDIA-NeMo/RL PR #2981: log-probabilities far off, from a rotary kernel that is numerically wrong).
//!
//! # Signature
//! Scores depend on sums of positions: damage from the first tokens on, and a shifted prompt scores differently.
//!
//! # How it is injected
//! Keys rotate by the negative angle.

use serde::{Deserialize, Serialize};

use super::effects::rotates;
use super::{Execution, Fault, Setting, Site};

/// Keys are rotated backwards.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysTurnBack {}

impl Fault for KeysTurnBack {
    fn summary(&self) -> &'static str {
        "keys are rotated backwards"
    }

    fn site(&self) -> Site {
        Site::Layout
    }

    fn is_development(&self) -> bool {
        false
    }

    fn concerns(&self, setting: &Setting) -> bool {
        rotates(setting)
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.keys.backwards = true;
    }
}
