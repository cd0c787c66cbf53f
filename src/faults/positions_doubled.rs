//! Every position counts twice.
//!
//! # What it does
//! A scale meant as a divisor multiplies: positions grow twice as fast as trained.
//!
//! # Seen in
//! F07 (mlx-lm #1545: phase at position 1 is twice the right one).
//!
//! # Signature
//! All frequencies are twice what they should be, so the trained length ends halfway; damage from the first tokens
//! on.
//!
//! # How it is injected
//! Every inverse frequency is multiplied by 2.

use serde::{Deserialize, Serialize};

use super::effects::turn_frequencies;
use super::{Fault, Setting, Site};
use crate::positions::Mechanism;

/// Every position counts twice.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PositionsDoubled {}

impl Fault for PositionsDoubled {
    fn summary(&self) -> &'static str {
        "every position counts twice"
    }

    fn site(&self) -> Site {
        Site::Frequencies
    }

    fn is_development(&self) -> bool {
        false
    }

    fn mechanism(&self, mechanism: &mut Mechanism, _setting: &Setting) {
        turn_frequencies(mechanism, |f| 2.0 * f);
    }
}
