//! Decoded tokens count padding as positions.
//!
//! # What it does
//! Prompts get positions from their mask, decoded tokens from the cache's length, which holds padding too.
//!
//! # Seen in
//! F43 (HF #22161, unsloth #3699 and PR #4078: shorter rows of a batch are garbage).
//!
//! # Signature
//! Alone a row scores well; in a batch with a longer one its decoded tokens are moved by as much as was filled up.
//!
//! # How it is injected
//! Positions of decoded tokens count slots.

use serde::{Deserialize, Serialize};

use super::effects::uses_positions;
use super::{Execution, Fault, Setting, Site};

/// Decoded tokens count padding as positions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaddingCounts {}

impl Fault for PaddingCounts {
    fn summary(&self) -> &'static str {
        "decoded tokens count padding as positions"
    }

    fn site(&self) -> Site {
        Site::Batch
    }

    fn concerns(&self, setting: &Setting) -> bool {
        uses_positions(setting)
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.padding.counts_in_decode = true;
    }
}
