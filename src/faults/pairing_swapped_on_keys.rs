//! Keys are rotated by the other pairing than queries.
//!
//! # What it does
//! Keys go through a fused kernel that pairs otherwise than the one for queries.
//!
//! # Seen in
//! F24 (apple/coreai-models #66, cascadia PR #69, zml PR #660: tables match, applied queries and keys do not).
//!
//! # Signature
//! Damage from the first tokens on, and scores no longer depend on offsets alone: a shifted prompt scores
//! differently.
//!
//! # How it is injected
//! Keys rotate by the other pairing.

use serde::{Deserialize, Serialize};

use super::effects::{other, rotates};
use super::{Execution, Fault, Setting, Site};

/// Keys are rotated by the other pairing than queries.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairingSwappedOnKeys {}

impl Fault for PairingSwappedOnKeys {
    fn summary(&self) -> &'static str {
        "keys are rotated by the other pairing than queries"
    }

    fn site(&self) -> Site {
        Site::Layout
    }

    fn is_development(&self) -> bool {
        false
    }

    fn concerns(&self, setting: &Setting) -> bool {
        rotates(setting)
    }

    fn execution(&self, execution: &mut Execution, setting: &Setting) {
        execution.keys.pairing = Some(other(setting.heads.pairing));
    }
}
