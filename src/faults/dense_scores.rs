//! Scores are made in full instead of by the fused kernel.
//!
//! # What it does
//! A dense additive mask, as a bias needs it, switches the fused kernel off.
//!
//! # Seen in
//! F79 (HF PRs #46946 and #47014, x-transformers #347, xformers #925, pytorch #138493, flash-attention #1666).
//!
//! # Signature
//! The same numbers; the prefill's time grows with the square of the length; decoding slows down, but by less.
//!
//! # How it is injected
//! Scores are multiplied, masked, normalised and multiplied again, in blocks.

use serde::{Deserialize, Serialize};

use super::{Execution, Fault, Setting, Site};

/// Scores are made in full instead of by the fused kernel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DenseScores {}

impl Fault for DenseScores {
    fn summary(&self) -> &'static str {
        "scores are made in full instead of by the fused kernel"
    }

    fn site(&self) -> Site {
        Site::Latency
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.burden.dense_scores = true;
    }
}
