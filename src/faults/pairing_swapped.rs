//! Neighbouring dimensions are paired where the weights pair the two halves.
//!
//! # What it does
//! A kernel for interleaved pairs serves weights in half-split order, which nobody permuted.
//!
//! # Seen in
//! F29 (TinyLlama #24, HF #25199 and #39687, tt-metal #26844, AiDotNet PR #2074).
//!
//! # Signature
//! Gibberish from about position 2 on, at every length. Scores still depend on offsets alone, so shifts change
//! nothing.
//!
//! # How it is injected
//! Queries and keys rotate by the other pairing.

use serde::{Deserialize, Serialize};

use super::effects::{other, rotates};
use super::{Execution, Fault, Setting, Site};

/// Neighbouring dimensions are paired where the weights pair the two halves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairingSwapped {}

impl Fault for PairingSwapped {
    fn summary(&self) -> &'static str {
        "neighbouring dimensions are paired where the weights pair the two halves"
    }

    fn site(&self) -> Site {
        Site::Layout
    }

    fn concerns(&self, setting: &Setting) -> bool {
        rotates(setting)
    }

    fn execution(&self, execution: &mut Execution, setting: &Setting) {
        let other = other(setting.heads.pairing);
        execution.queries.pairing = Some(other);
        execution.keys.pairing = Some(other);
    }
}
