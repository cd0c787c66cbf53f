//! The attention factor is applied twice.
//!
//! # What it does
//! The loader folds the factor into the scale, and the kernel multiplies cosine and sine by it again.
//!
//! # Seen in
//! F15 (sglang PR #33558: 1.485 became 2.206, about 20 points of GSM8K lost).
//!
//! # Signature
//! Every logit is larger by the square of the factor: a constant damage, also within 256 tokens.
//!
//! # How it is injected
//! The rotation's attention factor is squared.

use serde::{Deserialize, Serialize};

use super::effects::change_factor;
use super::{Fault, Setting, Site};
use crate::positions::Mechanism;

/// The attention factor is applied twice.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttentionFactorSquared {}

impl Fault for AttentionFactorSquared {
    fn summary(&self) -> &'static str {
        "the attention factor is applied twice"
    }

    fn site(&self) -> Site {
        Site::Temperature
    }

    fn is_development(&self) -> bool {
        false
    }

    fn mechanism(&self, mechanism: &mut Mechanism, _setting: &Setting) {
        change_factor(mechanism, |m| m * m);
    }
}
