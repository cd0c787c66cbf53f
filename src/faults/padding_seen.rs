//! Padding is attended to.
//!
//! # What it does
//! The mask of padding does not reach the kernel.
//!
//! # Seen in
//! F43 (HF #22161, unsloth #3699 and PR #4078: shorter rows of a batch are garbage).
//!
//! # Signature
//! Alone a row scores well; in a batch with a longer one every token suffers, most of all the first ones.
//!
//! # How it is injected
//! Padding before a token is as visible as any token.

use serde::{Deserialize, Serialize};

use super::{Execution, Fault, Setting, Site};

/// Padding is attended to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaddingSeen {}

impl Fault for PaddingSeen {
    fn summary(&self) -> &'static str {
        "padding is attended to"
    }

    fn site(&self) -> Site {
        Site::Batch
    }

    fn is_development(&self) -> bool {
        false
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.padding.is_seen = true;
    }
}
