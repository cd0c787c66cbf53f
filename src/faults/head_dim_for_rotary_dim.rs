//! The exponents of a partial rotation are divided by the head's width.
//!
//! # What it does
//! Partial rotation with theta^(-2i/head_dim) where it should be theta^(-2i/rotary_dim).
//!
//! # Seen in
//! F22 (pie-project/pie #602 and #603: accuracy fell with the context; their own unit test held the wrong formula).
//!
//! # Signature
//! All pairs turn too fast, the slow ones by most; damage grows with the distance. Nothing where the whole head
//! rotates.
//!
//! # How it is injected
//! Each inverse frequency is raised to rotary_dim / head_dim.

use serde::{Deserialize, Serialize};

use super::{Fault, Setting, Site};
use crate::positions::Mechanism;

/// The exponents of a partial rotation are divided by the head's width.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadDimForRotaryDim {}

impl Fault for HeadDimForRotaryDim {
    fn summary(&self) -> &'static str {
        "the exponents of a partial rotation are divided by the head's width"
    }

    fn site(&self) -> Site {
        Site::Frequencies
    }

    fn mechanism(&self, mechanism: &mut Mechanism, setting: &Setting) {
        let width = setting.heads.head_dim as f64;
        let Mechanism::Rotate(rotation) = mechanism else { return };
        let share = 2.0 * rotation.inverse_frequencies.len() as f64 / width;
        rotation.inverse_frequencies.iter_mut().for_each(|f| *f = f.powf(share));
    }
}
