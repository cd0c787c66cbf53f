//! The second number of each pair is not rotated.
//!
//! # What it does
//! The kernel writes the first half of the result and leaves the second as it was.
//!
//! # Seen in
//! F24 (cascadia PR #69: contiguous partial pairs); F25 (NVIDIA-NeMo/RL PR #2981: a wrong rotary kernel).
//!
//! # Signature
//! No rotation any more: lengths change with the position. Damage from the first tokens on, and not by offsets alone.
//!
//! # How it is injected
//! The second number of each pair passes through, in queries and keys.

use serde::{Deserialize, Serialize};

use super::effects::rotates;
use super::{Execution, Fault, Setting, Site};

/// The second number of each pair is not rotated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HalfRotation {}

impl Fault for HalfRotation {
    fn summary(&self) -> &'static str {
        "the second number of each pair is not rotated"
    }

    fn site(&self) -> Site {
        Site::Layout
    }

    fn concerns(&self, setting: &Setting) -> bool {
        rotates(setting)
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.queries.half = true;
        execution.keys.half = true;
    }
}
