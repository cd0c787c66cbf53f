//! Decoded tokens stand one position too far.
//!
//! # What it does
//! The offset of decoded tokens counts the prompt's end twice.
//!
//! # Seen in
//! F46 (skyzh/tiny-llm PR #46: an offset that jumps); F61 (vllm PR #945: off by one).
//!
//! # Signature
//! Only decoded tokens suffer, from the first one on, and by little: every distance into the prompt is one too large.
//!
//! # How it is injected
//! Positions of decoded tokens are larger by `tokens`, 1 unless given.

use serde::{Deserialize, Serialize};

use super::effects::{at_least_one, uses_positions};
use super::{Execution, Fault, FaultError, Setting, Site};

/// Decoded tokens stand one position too far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DecodeOffsetByOne {
    /// How far decoded tokens are moved, at least 1.
    pub tokens: usize,
}

impl Default for DecodeOffsetByOne {
    fn default() -> Self {
        Self { tokens: 1 }
    }
}

impl Fault for DecodeOffsetByOne {
    fn summary(&self) -> &'static str {
        "decoded tokens stand one position too far"
    }

    fn site(&self) -> Site {
        Site::Cache
    }

    fn is_development(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), FaultError> {
        at_least_one("decode_offset_by_one", "tokens", self.tokens)
    }

    fn concerns(&self, setting: &Setting) -> bool {
        uses_positions(setting)
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.offsets.decode = self.tokens;
    }
}
