//! Interleaved pairs, with weights permuted to match.
//!
//! # What it does
//! The kernel pairs neighbours, and the loader has put the rows of the projections into that order.
//!
//! # Seen in
//! F30 (karpathy/nanochat #264: claimed to be a bug, and equivalent).
//!
//! # Signature
//! None: healthy. Scores are the same sums in another order.
//!
//! # How it is injected
//! Queries and keys are permuted from halves to neighbours, and rotated so.

use serde::{Deserialize, Serialize};

use super::effects::{other, rotates};
use super::{Execution, Fault, Setting, Site};

/// Interleaved pairs, with weights permuted to match.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PermutedPairs {}

impl Fault for PermutedPairs {
    fn summary(&self) -> &'static str {
        "interleaved pairs, with weights permuted to match"
    }

    fn site(&self) -> Site {
        Site::Layout
    }

    fn is_control(&self) -> bool {
        true
    }

    fn concerns(&self, setting: &Setting) -> bool {
        rotates(setting)
    }

    fn execution(&self, execution: &mut Execution, setting: &Setting) {
        let other = other(setting.heads.pairing);
        for hand in [&mut execution.queries, &mut execution.keys] {
            hand.pairing = Some(other);
            hand.permuted = true;
        }
    }
}
