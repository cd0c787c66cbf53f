//! The bias is missing behind a cache.
//!
//! # What it does
//! The bias is built over the queries of the call; for one decoded token that is a single zero.
//!
//! # Seen in
//! F54 (keras-hub #2861 and PR #2977); F57 (HabanaAI/vllm-fork PR #503).
//!
//! # Signature
//! Prompts score well; decoded tokens see all keys alike. The bias read back from a decoded token is 0.
//!
//! # How it is injected
//! Behind a cache no bias is added.

use serde::{Deserialize, Serialize};

use super::effects::has_slopes;
use super::{Execution, Fault, Setting, Site};

/// The bias is missing behind a cache.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BiasMissingInDecode {}

impl Fault for BiasMissingInDecode {
    fn summary(&self) -> &'static str {
        "the bias is missing behind a cache"
    }

    fn site(&self) -> Site {
        Site::Cache
    }

    fn concerns(&self, setting: &Setting) -> bool {
        has_slopes(setting)
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.bias.missing_behind_cache = true;
    }
}
