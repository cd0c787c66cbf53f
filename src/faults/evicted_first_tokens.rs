//! The first tokens are evicted from the cache.
//!
//! # What it does
//! A rolling cache drops its oldest tokens, among them those on which attention rests.
//!
//! # Seen in
//! F72 (llama.cpp PR #1303, HF PR #40524: later windows without their first tokens); not positional.
//!
//! # Signature
//! Behind a cache longer than its limit the first tokens are no longer seen: cached and full forwards part at the
//! limit.
//!
//! # How it is injected
//! Tokens at `limit` and later, half of the trained length unless given, do not see the first `tokens`, 4 unless
//! given, behind a cache.

use serde::{Deserialize, Serialize};

use super::effects::{at_least_one, some_rows};
use super::{Evicted, Execution, Fault, FaultError, Setting, Site};

/// The first tokens are evicted from the cache.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvictedFirstTokens {
    /// Tokens that are evicted, at least 1.
    pub tokens: usize,
    /// The position from which on they are missing; absent means half of the trained length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

impl Default for EvictedFirstTokens {
    fn default() -> Self {
        Self { tokens: 4, limit: None }
    }
}

impl Fault for EvictedFirstTokens {
    fn summary(&self) -> &'static str {
        "the first tokens are evicted from the cache"
    }

    fn site(&self) -> Site {
        Site::Cache
    }

    fn is_development(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), FaultError> {
        at_least_one("evicted_first_tokens", "tokens", self.tokens)
            .and_then(|()| some_rows("evicted_first_tokens", "limit", self.limit))
    }

    fn execution(&self, execution: &mut Execution, setting: &Setting) {
        let from = self.limit.unwrap_or(setting.heads.trained.0 / 2);
        execution.cache.evicted = Some(Evicted { count: self.tokens, from });
    }
}
