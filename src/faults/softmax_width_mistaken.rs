//! Scores are divided by the root of another width.
//!
//! # What it does
//! The softmax scale is computed from the width of two heads, a padded width or a compressed one.
//!
//! # Seen in
//! F18 (HF PR #47435, llama.cpp PR #17945: a softmax scale that lacks a term).
//!
//! # Signature
//! Every logit is smaller by the root of one half, under any mechanism: a constant damage.
//!
//! # How it is injected
//! Queries are multiplied by the root of one half.

use serde::{Deserialize, Serialize};

use super::{Execution, Fault, Setting, Site};

/// Scores are divided by the root of another width.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SoftmaxWidthMistaken {}

impl Fault for SoftmaxWidthMistaken {
    fn summary(&self) -> &'static str {
        "scores are divided by the root of another width"
    }

    fn site(&self) -> Site {
        Site::Temperature
    }

    fn is_development(&self) -> bool {
        false
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.temperature.scale *= std::f64::consts::FRAC_1_SQRT_2;
    }
}
