//! The cache is copied to append a token.
//!
//! # What it does
//! Keys and values are concatenated into new tensors in each layer and step.
//!
//! # Seen in
//! F76 (CTranslate2 #1204) in the cache instead of the table; seen as a count of allocations.
//!
//! # Signature
//! The same numbers; decoding slows down in proportion to the context.
//!
//! # How it is injected
//! Each layer copies all cached keys and values.

use serde::{Deserialize, Serialize};

use super::{Execution, Fault, Setting, Site};

/// The cache is copied to append a token.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheCopiedEveryStep {}

impl Fault for CacheCopiedEveryStep {
    fn summary(&self) -> &'static str {
        "the cache is copied to append a token"
    }

    fn site(&self) -> Site {
        Site::Latency
    }

    fn is_development(&self) -> bool {
        false
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.burden.copies_cache = true;
    }
}
