//! The base of another model is built in.
//!
//! # What it does
//! The base is compiled into the engine for the family that it was written for, and another checkpoint is served.
//!
//! # Seen in
//! F09 (llama.cpp #3090 and PR #2768, llama2.c #356: 1e4 used for weights trained at 1e6).
//!
//! # Signature
//! As with a lost base: all pairs but the fastest are stretched or squeezed, more so the slower they are.
//!
//! # How it is injected
//! The base of the heads is replaced by `theta`, 1,000,000 unless given.

use serde::{Deserialize, Serialize};

use super::effects::positive_above;
use super::{Fault, FaultError, Setting, Site};

/// The base of another model is built in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BaseOfAnotherModel {
    /// The base that is built in, above 1.
    pub theta: f64,
}

impl Default for BaseOfAnotherModel {
    fn default() -> Self {
        Self { theta: 1_000_000.0 }
    }
}

impl Fault for BaseOfAnotherModel {
    fn summary(&self) -> &'static str {
        "the base of another model is built in"
    }

    fn site(&self) -> Site {
        Site::Frequencies
    }

    fn is_development(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), FaultError> {
        positive_above("base_of_another_model", "theta", self.theta, 1.0)
    }

    fn setting(&self, setting: &mut Setting) {
        setting.heads.theta = self.theta;
    }
}
