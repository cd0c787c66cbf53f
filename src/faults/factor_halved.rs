//! Half of the factor is applied.
//!
//! # What it does
//! The factor is computed again from lengths, one of which was already doubled.
//!
//! # Seen in
//! F11 (HF #38224, fix #40320: the factor is recomputed as a ratio of lengths).
//!
//! # Signature
//! Frequencies have the method's shape at half of the factor; damage begins at half of the target length.
//!
//! # How it is injected
//! The factor is divided by 2, and is at least 1.

use serde::{Deserialize, Serialize};

use super::{Fault, Setting, Site};
use crate::units::Stretch;

/// Half of the factor is applied.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactorHalved {}

impl Fault for FactorHalved {
    fn summary(&self) -> &'static str {
        "half of the factor is applied"
    }

    fn site(&self) -> Site {
        Site::Frequencies
    }

    fn is_development(&self) -> bool {
        false
    }

    fn setting(&self, setting: &mut Setting) {
        setting.factor = Stretch((setting.factor.0 / 2.0).max(1.0));
    }
}
