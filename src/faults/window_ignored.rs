//! The configured window is not applied.
//!
//! # What it does
//! The kernel that was chosen takes no window, and sees keys that the weights were never trained to see.
//!
//! # Seen in
//! F68 (HF #29623, mlx-lm PR #390: the window depends on the backend).
//!
//! # Signature
//! Perturbing a token beyond the window moves outputs. Nothing where the checkpoint has no window.
//!
//! # How it is injected
//! All keys before a query are seen.

use serde::{Deserialize, Serialize};

use super::{Execution, Fault, Setting, Site};

/// The configured window is not applied.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowIgnored {}

impl Fault for WindowIgnored {
    fn summary(&self) -> &'static str {
        "the configured window is not applied"
    }

    fn site(&self) -> Site {
        Site::Mask
    }

    fn concerns(&self, setting: &Setting) -> bool {
        setting.window.is_some()
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.mask.window = None;
    }
}
