//! The attention kernel drops the bias.
//!
//! # What it does
//! The kernel that was chosen takes no additive mask, and nobody notices.
//!
//! # Seen in
//! F56 (HF #29067: ALiBi ignored with the fused kernel); F62 (mistral.rs PR #1382: `max_bias` 0 on one path).
//!
//! # Signature
//! The bias read back from scores is 0 everywhere: damage that grows with the length.
//!
//! # How it is injected
//! No bias is added, behind a cache or not.

use serde::{Deserialize, Serialize};

use super::effects::has_bias;
use super::{Execution, Fault, Setting, Site};

/// The attention kernel drops the bias.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BiasIgnored {}

impl Fault for BiasIgnored {
    fn summary(&self) -> &'static str {
        "the attention kernel drops the bias"
    }

    fn site(&self) -> Site {
        Site::Bias
    }

    fn concerns(&self, setting: &Setting) -> bool {
        has_bias(setting)
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.bias.missing_in_prompts = true;
        execution.bias.missing_behind_cache = true;
    }
}
