//! Cached keys keep the base of the length at which they came in.
//!
//! # What it does
//! Keys are cached after their rotation, while the method changes the base with every token beyond the trained
//! length.
//!
//! # Seen in
//! F01 (HF #25104; YaRN, section 3.3: cache keys before the rotation); F40 (HF PR #33129 for LongRoPE).
//!
//! # Signature
//! Cached and full forwards part beyond the trained length, and nowhere else. Nothing for static methods.
//!
//! # How it is injected
//! Keys keep the rotation that they came in with.

use serde::{Deserialize, Serialize};

use super::{CachedKeys, Execution, Fault, Setting, Site};

/// Cached keys keep the base of the length at which they came in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaleKeys {}

impl Fault for StaleKeys {
    fn summary(&self) -> &'static str {
        "cached keys keep the base of the length at which they came in"
    }

    fn site(&self) -> Site {
        Site::Cache
    }

    fn concerns(&self, setting: &Setting) -> bool {
        setting.follows_length()
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.cache.keys = CachedKeys::AsTheyCame;
    }
}
