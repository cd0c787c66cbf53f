//! The largest distance with a bucket of its own is too small.
//!
//! # What it does
//! `relative_attention_max_distance` is not read, and a smaller default takes its place.
//!
//! # Seen in
//! F65 (mlx-examples PR #113); HF PR #4499 (F64).
//!
//! # Signature
//! Read back from scores, biases stop changing too early: near distances are right, middle ones are not.
//!
//! # How it is injected
//! The largest distance is divided by `ratio`, 4 unless given, and stays above half of the buckets.

use serde::{Deserialize, Serialize};

use super::effects::{at_least_one, change_buckets};
use super::{Fault, FaultError, Setting, Site};
use crate::positions::Mechanism;

/// The largest distance with a bucket of its own is too small.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct T5SaturatesEarly {
    /// What the largest distance is divided by, at least 1.
    pub ratio: usize,
}

impl Default for T5SaturatesEarly {
    fn default() -> Self {
        Self { ratio: 4 }
    }
}

impl Fault for T5SaturatesEarly {
    fn summary(&self) -> &'static str {
        "the largest distance with a bucket of its own is too small"
    }

    fn site(&self) -> Site {
        Site::Bias
    }

    fn is_development(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), FaultError> {
        at_least_one("t5_saturates_early", "ratio", self.ratio)
    }

    fn mechanism(&self, mechanism: &mut Mechanism, _setting: &Setting) {
        let ratio = self.ratio;
        change_buckets(mechanism, |count, max| (count, (max / ratio).max(count / 2 + 1)));
    }
}
