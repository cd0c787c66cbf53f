//! Scores are multiplied by a scale that the weights do not know.
//!
//! # What it does
//! Two fields that cancel out (`mscale` and `mscale_all_dim`) are read as one, and the softmax gets a scale of its
//! own.
//!
//! # Seen in
//! F17 (exllamav3 #259 against vllm #48621 and PR #48623: 1.2773 used where the ratio is 1).
//!
//! # Signature
//! Every logit is scaled alike in every head, under any mechanism: fluent text beside the point, at every position.
//!
//! # How it is injected
//! Queries are multiplied by `ratio`, 1.2773 unless given.

use serde::{Deserialize, Serialize};

use super::effects::positive_above;
use super::{Execution, Fault, FaultError, Setting, Site};

/// Scores are multiplied by a scale that the weights do not know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SoftmaxScale {
    /// What every score is multiplied by, above 0.
    pub ratio: f64,
}

impl Default for SoftmaxScale {
    fn default() -> Self {
        Self { ratio: 1.2773 }
    }
}

impl Fault for SoftmaxScale {
    fn summary(&self) -> &'static str {
        "scores are multiplied by a scale that the weights do not know"
    }

    fn site(&self) -> Site {
        Site::Temperature
    }

    fn check(&self) -> Result<(), FaultError> {
        positive_above("softmax_scale", "ratio", self.ratio, 0.0)
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.temperature.scale *= self.ratio;
    }
}
