//! The attention factor is in the softmax scale.
//!
//! # What it does
//! Cosine and sine stay as they are, and scores are multiplied by the square of the factor.
//!
//! # Seen in
//! F18 (HF PR #47435: the scale times the factor's square is the right form).
//!
//! # Signature
//! None: healthy, up to rounding.
//!
//! # How it is injected
//! The rotation has no attention factor, and queries are multiplied by its square.

use serde::{Deserialize, Serialize};

use super::effects::has_attention_factor;
use super::{Execution, Fault, Setting, Site};

/// The attention factor is in the softmax scale.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactorInSoftmax {}

impl Fault for FactorInSoftmax {
    fn summary(&self) -> &'static str {
        "the attention factor is in the softmax scale"
    }

    fn site(&self) -> Site {
        Site::Temperature
    }

    fn is_control(&self) -> bool {
        true
    }

    fn concerns(&self, setting: &Setting) -> bool {
        has_attention_factor(setting)
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.temperature.holds_factor = true;
    }
}
