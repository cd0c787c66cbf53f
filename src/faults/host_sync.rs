//! Every layer waits for the host.
//!
//! # What it does
//! A value is read back from the device (`.item()`) in each layer, so its queue runs empty.
//!
//! # Seen in
//! F77 (lucidrains/rotary-embedding-torch #36: over half of the time in one line).
//!
//! # Signature
//! The same numbers; a constant added to every step, prefill or decode, at any length.
//!
//! # How it is injected
//! Each layer waits `microseconds`, 400 unless given.

use serde::{Deserialize, Serialize};

use super::{Execution, Fault, FaultError, Setting, Site};

/// Every layer waits for the host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HostSync {
    /// How long a layer waits, at most 1,000,000.
    pub microseconds: u64,
}

impl Default for HostSync {
    fn default() -> Self {
        Self { microseconds: 400 }
    }
}

impl Fault for HostSync {
    fn summary(&self) -> &'static str {
        "every layer waits for the host"
    }

    fn site(&self) -> Site {
        Site::Latency
    }

    fn check(&self) -> Result<(), FaultError> {
        if self.microseconds <= 1_000_000 {
            return Ok(());
        }
        let got = self.microseconds as f64;
        Err(FaultError::Parameter { fault: "host_sync", name: "microseconds", expected: "at most 1,000,000", got })
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.burden.stall = self.microseconds;
    }
}
