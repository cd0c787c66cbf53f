//! Keys are cached before their rotation.
//!
//! # What it does
//! The cache holds keys as they were projected, and each step rotates all of them.
//!
//! # Seen in
//! F49 (gpt-neox PR #363: the fix of stale keys).
//!
//! # Signature
//! None in the numbers: healthy. Decoding costs a rotation of the cache.
//!
//! # How it is injected
//! Keys are cached unrotated and rotated whenever they are read.

use serde::{Deserialize, Serialize};

use super::effects::rotates;
use super::{CachedKeys, Execution, Fault, Setting, Site};

/// Keys are cached before their rotation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysRotatedOnRead {}

impl Fault for KeysRotatedOnRead {
    fn summary(&self) -> &'static str {
        "keys are cached before their rotation"
    }

    fn site(&self) -> Site {
        Site::Cache
    }

    fn is_control(&self) -> bool {
        true
    }

    fn concerns(&self, setting: &Setting) -> bool {
        rotates(setting)
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.cache.keys = CachedKeys::RotatedOnRead;
    }
}
