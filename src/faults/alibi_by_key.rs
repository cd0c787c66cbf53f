//! The bias is slope times the key's position.
//!
//! # What it does
//! For one query the two forms differ by a constant, which the softmax does not see.
//!
//! # Seen in
//! F61 (llm-foundry #186: the form that differs by a constant for each row; vllm PR #945).
//!
//! # Signature
//! None: healthy, up to rounding.
//!
//! # How it is injected
//! The bias is slope times the key's position.

use serde::{Deserialize, Serialize};

use super::effects::has_slopes;
use super::{Execution, Fault, Setting, Site};

/// The bias is slope times the key's position.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlibiByKey {}

impl Fault for AlibiByKey {
    fn summary(&self) -> &'static str {
        "the bias is slope times the key's position"
    }

    fn site(&self) -> Site {
        Site::Bias
    }

    fn is_control(&self) -> bool {
        true
    }

    fn is_development(&self) -> bool {
        false
    }

    fn concerns(&self, setting: &Setting) -> bool {
        has_slopes(setting)
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.bias.by_key = true;
    }
}
