//! Keys of the request before stay visible.
//!
//! # What it does
//! A slot of the cache is given to the next request before it was cleared.
//!
//! # Seen in
//! F48 (llama.cpp #3825 and PR #3835, #4097: incoherent once the cache was reused after a shift).
//!
//! # Signature
//! A prompt scores otherwise after another one than in a fresh process, whatever the method.
//!
//! # How it is injected
//! The last `tokens` keys of the request before, 64 unless given, are seen by the next.

use serde::{Deserialize, Serialize};

use super::effects::at_least_one;
use super::{Execution, Fault, FaultError, Setting, Site};

/// Keys of the request before stay visible.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LeftOverKeys {
    /// Tokens of the request before that stay, at least 1.
    pub tokens: usize,
}

impl Default for LeftOverKeys {
    fn default() -> Self {
        Self { tokens: 64 }
    }
}

impl Fault for LeftOverKeys {
    fn summary(&self) -> &'static str {
        "keys of the request before stay visible"
    }

    fn site(&self) -> Site {
        Site::State
    }

    fn is_development(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), FaultError> {
        at_least_one("left_over_keys", "tokens", self.tokens)
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.cache.left_over = self.tokens;
    }
}
