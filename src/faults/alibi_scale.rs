//! The bias is too strong by a constant.
//!
//! # What it does
//! A largest bias that is built in, or a multiplication by the softmax scale, scales all slopes.
//!
//! # Seen in
//! F62 (mistral.rs PR #1382: a `max_bias` that is hard-coded).
//!
//! # Signature
//! Read back from scores every slope is off by the same ratio; recency is too strong or too weak, at all positions.
//!
//! # How it is injected
//! Slopes are multiplied by `ratio`, 2 unless given.

use serde::{Deserialize, Serialize};

use super::effects::{change_slopes, positive_above};
use super::{Fault, FaultError, Setting, Site};
use crate::positions::Mechanism;

/// The bias is too strong by a constant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlibiScale {
    /// What all slopes are multiplied by, above 0.
    pub ratio: f64,
}

impl Default for AlibiScale {
    fn default() -> Self {
        Self { ratio: 2.0 }
    }
}

impl Fault for AlibiScale {
    fn summary(&self) -> &'static str {
        "the bias is too strong by a constant"
    }

    fn site(&self) -> Site {
        Site::Bias
    }

    fn is_development(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), FaultError> {
        positive_above("alibi_scale", "ratio", self.ratio, 0.0)
    }

    fn mechanism(&self, mechanism: &mut Mechanism, _setting: &Setting) {
        let ratio = self.ratio;
        change_slopes(mechanism, |slopes| slopes.iter().map(|m| m * ratio).collect());
    }
}
