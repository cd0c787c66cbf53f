//! All cached keys are rotated again in every step.
//!
//! # What it does
//! A correct dynamic scaling rotates all keys anew for each token; a static one needs none of it.
//!
//! # Seen in
//! F78 (HF #25104, #27033 and #27227: 56 ms became 246 ms at 656 tokens).
//!
//! # Signature
//! The same numbers; decoding slows down in proportion to the context.
//!
//! # How it is injected
//! Each layer rotates all cached keys once more and throws the result away.

use serde::{Deserialize, Serialize};

use super::{Execution, Fault, Setting, Site};

/// All cached keys are rotated again in every step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheRotatedEveryStep {}

impl Fault for CacheRotatedEveryStep {
    fn summary(&self) -> &'static str {
        "all cached keys are rotated again in every step"
    }

    fn site(&self) -> Site {
        Site::Latency
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.burden.rotates_cache = true;
    }
}
