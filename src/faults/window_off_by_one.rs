//! The window holds one key less.
//!
//! # What it does
//! Two backends count the query itself and do not.
//!
//! # Seen in
//! F68 (HF #29623: 2,048 against 2,049 keys).
//!
//! # Signature
//! The receptive field ends one token early. Nothing where the checkpoint has no window.
//!
//! # How it is injected
//! The window is shorter by 1.

use serde::{Deserialize, Serialize};

use super::{Execution, Fault, Setting, Site};

/// The window holds one key less.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowOffByOne {}

impl Fault for WindowOffByOne {
    fn summary(&self) -> &'static str {
        "the window holds one key less"
    }

    fn site(&self) -> Site {
        Site::Mask
    }

    fn is_development(&self) -> bool {
        false
    }

    fn concerns(&self, setting: &Setting) -> bool {
        setting.window.is_some_and(|keys| keys > 1)
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.mask.window = execution.mask.window.map(|keys| (keys - 1).max(1));
    }
}
