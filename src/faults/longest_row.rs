//! A method that follows the length takes it from the longest row of the batch.
//!
//! # What it does
//! One base is computed for the whole batch, from its longest row.
//!
//! # Seen in
//! F06 (QwenLM/Qwen #401: short rows are hurt by a long neighbour).
//!
//! # Signature
//! A short row scores well alone and badly beside a long one.
//!
//! # How it is injected
//! The method is told the length of the longest row.

use serde::{Deserialize, Serialize};

use super::{Execution, Fault, Length, Setting, Site};

/// A method that follows the length takes it from the longest row of the batch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LongestRow {}

impl Fault for LongestRow {
    fn summary(&self) -> &'static str {
        "a method that follows the length takes it from the longest row of the batch"
    }

    fn site(&self) -> Site {
        Site::Batch
    }

    fn concerns(&self, setting: &Setting) -> bool {
        setting.follows_length()
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.length = Length::LongestRow;
    }
}
