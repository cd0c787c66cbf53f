//! Cached keys and values are rounded to few bits.
//!
//! # What it does
//! The cache is quantised, by a scale for each head and token.
//!
//! # Seen in
//! F80 (rMLX #408: a quantised cache); not positional.
//!
//! # Signature
//! One shot scores well; behind a cache every token is slightly worse, at all positions alike.
//!
//! # How it is injected
//! Cached keys and values are rounded to `bits` bits, 4 unless given.

use serde::{Deserialize, Serialize};

use super::{Execution, Fault, FaultError, Format, Setting, Site};

/// Cached keys and values are rounded to few bits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QuantisedCache {
    /// Bits of a cached number, 2 to 8.
    pub bits: u8,
}

impl Default for QuantisedCache {
    fn default() -> Self {
        Self { bits: 4 }
    }
}

impl Fault for QuantisedCache {
    fn summary(&self) -> &'static str {
        "cached keys and values are rounded to few bits"
    }

    fn site(&self) -> Site {
        Site::Cache
    }

    fn check(&self) -> Result<(), FaultError> {
        if (2..=8).contains(&self.bits) {
            return Ok(());
        }
        let got = f64::from(self.bits);
        Err(FaultError::Parameter { fault: "quantised_cache", name: "bits", expected: "a number from 2 to 8", got })
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.formats.cached = Format::Integers(self.bits);
    }
}
