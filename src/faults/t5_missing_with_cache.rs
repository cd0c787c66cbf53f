//! The learned bias is dropped when a cache is present.
//!
//! # What it does
//! The bias is computed in the first layer's first call and not passed on behind a cache.
//!
//! # Seen in
//! F63 (TensorRT-LLM PR #13870: wrong after the first token).
//!
//! # Signature
//! Prompts score well; decoded tokens and later chunks have no bias.
//!
//! # How it is injected
//! Behind a cache no bias is added.

use serde::{Deserialize, Serialize};

use super::effects::has_buckets;
use super::{Execution, Fault, Setting, Site};

/// The learned bias is dropped when a cache is present.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct T5MissingWithCache {}

impl Fault for T5MissingWithCache {
    fn summary(&self) -> &'static str {
        "the learned bias is dropped when a cache is present"
    }

    fn site(&self) -> Site {
        Site::Cache
    }

    fn is_development(&self) -> bool {
        false
    }

    fn concerns(&self, setting: &Setting) -> bool {
        has_buckets(setting)
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.bias.missing_behind_cache = true;
    }
}
