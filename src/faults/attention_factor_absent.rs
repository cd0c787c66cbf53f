//! The attention factor is dropped.
//!
//! # What it does
//! The method's attention factor is not applied, or an explicit one is overwritten by 1.
//!
//! # Seen in
//! F14 (vllm PR #46280 and #48351, mlx-lm PR #1507: an explicit `attention_factor` dropped).
//!
//! # Signature
//! Every logit is smaller by the same ratio in every head: a constant damage, also within 256 tokens.
//!
//! # How it is injected
//! The rotation's attention factor becomes 1.

use serde::{Deserialize, Serialize};

use super::effects::change_factor;
use super::{Fault, Setting, Site};
use crate::positions::Mechanism;

/// The attention factor is dropped.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttentionFactorAbsent {}

impl Fault for AttentionFactorAbsent {
    fn summary(&self) -> &'static str {
        "the attention factor is dropped"
    }

    fn site(&self) -> Site {
        Site::Temperature
    }

    fn mechanism(&self, mechanism: &mut Mechanism, _setting: &Setting) {
        change_factor(mechanism, |_| 1.0);
    }
}
