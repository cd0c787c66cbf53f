//! Decoded tokens all stand at position 0.
//!
//! # What it does
//! The cache's length does not reach the rotation, which begins at 0 with every call.
//!
//! # Seen in
//! F45 (candle PR #1517, executorch PR #2010, moeut PR #6: `start_pos` not used with a cache).
//!
//! # Signature
//! Prompts score well; every decoded token is wrong, from the first one on.
//!
//! # How it is injected
//! Positions of decoded tokens are 0.

use serde::{Deserialize, Serialize};

use super::effects::uses_positions;
use super::{Execution, Fault, Setting, Site};

/// Decoded tokens all stand at position 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecodeOffsetIgnored {}

impl Fault for DecodeOffsetIgnored {
    fn summary(&self) -> &'static str {
        "decoded tokens all stand at position 0"
    }

    fn site(&self) -> Site {
        Site::Cache
    }

    fn concerns(&self, setting: &Setting) -> bool {
        uses_positions(setting)
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.offsets.decode_ignored = true;
    }
}
