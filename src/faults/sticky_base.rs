//! The base of the longest request stays.
//!
//! # What it does
//! A method that follows the length never scales back after a long request.
//!
//! # Seen in
//! F02 (HF #25306, #27226, PRs #25308, #27033, #27227: the same prompt answers differently after a long one).
//!
//! # Signature
//! A short prompt scores otherwise after a long one than before it; a fresh process scores well.
//!
//! # How it is injected
//! The method is told the longest length since the engine was started.

use serde::{Deserialize, Serialize};

use super::{Execution, Fault, Length, Setting, Site};

/// The base of the longest request stays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StickyBase {}

impl Fault for StickyBase {
    fn summary(&self) -> &'static str {
        "the base of the longest request stays"
    }

    fn site(&self) -> Site {
        Site::State
    }

    fn concerns(&self, setting: &Setting) -> bool {
        setting.follows_length()
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.length = Length::LongestEver;
    }
}
