//! The attention factor is on queries alone.
//!
//! # What it does
//! Keys go through another kernel, which knows no attention factor.
//!
//! # Seen in
//! F18 (HF PR #47435, llama.cpp PR #17945, xinfer PR #329: one of two multiplications is missing).
//!
//! # Signature
//! Every logit is scaled by the factor where it should be by its square: a constant damage, also within 256 tokens.
//!
//! # How it is injected
//! Keys are rotated without the attention factor.

use serde::{Deserialize, Serialize};

use super::effects::has_attention_factor;
use super::{Execution, Fault, Setting, Site};

/// The attention factor is on queries alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttentionFactorOnQueries {}

impl Fault for AttentionFactorOnQueries {
    fn summary(&self) -> &'static str {
        "the attention factor is on queries alone"
    }

    fn site(&self) -> Site {
        Site::Temperature
    }

    fn is_development(&self) -> bool {
        false
    }

    fn concerns(&self, setting: &Setting) -> bool {
        has_attention_factor(setting)
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.keys.without_factor = true;
    }
}
