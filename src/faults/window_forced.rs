//! A window is applied that the configuration switches off.
//!
//! # What it does
//! `use_sliding_window: false` is not read, and the window's size is.
//!
//! # Seen in
//! F68 (HF #29623, mlx-lm PR #390: the window depends on the backend).
//!
//! # Signature
//! Perturbing a token farther back than the window moves no output; facts farther back are lost. A step at the
//! window.
//!
//! # How it is injected
//! Queries see at most `keys` keys; half of the trained length unless given.

use serde::{Deserialize, Serialize};

use super::effects::some_rows;
use super::{Execution, Fault, FaultError, Setting, Site};

/// A window is applied that the configuration switches off.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WindowForced {
    /// Keys that a query sees, its own included; absent means half of the trained length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<usize>,
}

impl Fault for WindowForced {
    fn summary(&self) -> &'static str {
        "a window is applied that the configuration switches off"
    }

    fn site(&self) -> Site {
        Site::Mask
    }

    fn check(&self) -> Result<(), FaultError> {
        some_rows("window_forced", "keys", self.keys)
    }

    fn execution(&self, execution: &mut Execution, setting: &Setting) {
        let keys = self.keys.unwrap_or(setting.heads.trained.0 / 2).max(1);
        execution.mask.window = Some(execution.mask.window.map_or(keys, |own| own.min(keys)));
    }
}
