//! The factor is applied twice as large.
//!
//! # What it does
//! A default scale of 2 in the engine multiplies the configured factor.
//!
//! # Seen in
//! F07 (mlx-lm #1545 and PR #1553: a default scale of 2.0).
//!
//! # Signature
//! Frequencies have the method's shape at twice the factor; damage at short range, since near tokens come too close.
//!
//! # How it is injected
//! The factor is multiplied by 2.

use serde::{Deserialize, Serialize};

use super::{Fault, Setting, Site};
use crate::units::Stretch;

/// The factor is applied twice as large.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactorDoubled {}

impl Fault for FactorDoubled {
    fn summary(&self) -> &'static str {
        "the factor is applied twice as large"
    }

    fn site(&self) -> Site {
        Site::Frequencies
    }

    fn setting(&self, setting: &mut Setting) {
        setting.factor = Stretch(2.0 * setting.factor.0);
    }
}
