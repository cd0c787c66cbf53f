//! A method that follows the length never sees it change.
//!
//! # What it does
//! The current length is read from the wrong axis of a tensor, so the base of the trained length is used for ever.
//!
//! # Seen in
//! F07 (mlx-lm PR #1553: the length is read from the axis of heads).
//!
//! # Signature
//! Within the trained length nothing; beyond it the unscaled model's step. The base never changes with the length.
//!
//! # How it is injected
//! The method is told the trained length, whatever the row's.

use serde::{Deserialize, Serialize};

use super::{Execution, Fault, Length, Setting, Site};

/// A method that follows the length never sees it change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LengthFrozen {}

impl Fault for LengthFrozen {
    fn summary(&self) -> &'static str {
        "a method that follows the length never sees it change"
    }

    fn site(&self) -> Site {
        Site::Frequencies
    }

    fn is_development(&self) -> bool {
        false
    }

    fn concerns(&self, setting: &Setting) -> bool {
        setting.follows_length()
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.length = Length::Trained;
    }
}
