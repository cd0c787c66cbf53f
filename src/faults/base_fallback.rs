//! The configured base is lost, and a default takes its place.
//!
//! # What it does
//! The engine does not find `rope_theta` where it looks for it and silently takes its default.
//!
//! # Seen in
//! F21 (vllm PR #28542, sglang PR #14745, lmdeploy #4303: `rope_theta` moved inside `rope_parameters`); F09
//! (koboldcpp #426).
//!
//! # Signature
//! Every pair but the fastest turns at another speed; damage from the first tokens on, larger at short than at long
//! range. Nothing where the checkpoint's own base is that default.
//!
//! # How it is injected
//! The base of the heads is replaced by `theta`, 10,000 unless given.

use serde::{Deserialize, Serialize};

use super::effects::positive_above;
use super::{Fault, FaultError, Setting, Site};

/// The configured base is lost, and a default takes its place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BaseFallback {
    /// The base that the engine falls back on, above 1.
    pub theta: f64,
}

impl Default for BaseFallback {
    fn default() -> Self {
        Self { theta: 10_000.0 }
    }
}

impl Fault for BaseFallback {
    fn summary(&self) -> &'static str {
        "the configured base is lost, and a default takes its place"
    }

    fn site(&self) -> Site {
        Site::Frequencies
    }

    fn check(&self) -> Result<(), FaultError> {
        positive_above("base_fallback", "theta", self.theta, 1.0)
    }

    fn setting(&self, setting: &mut Setting) {
        setting.heads.theta = self.theta;
    }
}
