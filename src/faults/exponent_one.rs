//! The base is raised by the factor itself, not by its power d/(d-2).
//!
//! # What it does
//! NTK's base scaling without the exponent that matches the slowest pair's period to the factor.
//!
//! # Seen in
//! No thread of its own: the derivation in YaRN, arXiv 2309.00071, section 3.1, gives the exponent that period
//! matching asks for; F06 (QwenLM/Qwen #401) shows how freely alpha is handled.
//!
//! # Signature
//! Each pair's stretch is the right one raised to (d-2)/d: the slowest pair falls short of the factor. Damage is
//! small and grows with the distance.
//!
//! # How it is injected
//! The stretch of each pair against the unscaled frequency is raised to (d-2)/d.

use serde::{Deserialize, Serialize};

use super::effects::{is_base_scaling, turn_frequencies};
use super::{Fault, Setting, Site};
use crate::positions::{Mechanism, inverse_frequencies};

/// The base is raised by the factor itself, not by its power d/(d-2).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExponentOne {}

impl Fault for ExponentOne {
    fn summary(&self) -> &'static str {
        "the base is raised by the factor itself, not by its power d/(d-2)"
    }

    fn site(&self) -> Site {
        Site::Frequencies
    }

    fn is_development(&self) -> bool {
        false
    }

    fn mechanism(&self, mechanism: &mut Mechanism, setting: &Setting) {
        let d = setting.heads.rotary_dim as f64;
        let plain = inverse_frequencies(setting.heads.theta, setting.heads.rotary_dim);
        if is_base_scaling(&setting.method) && d > 2.0 {
            let mut plain = plain.into_iter();
            turn_frequencies(mechanism, |f| {
                plain.next().map_or(f, |unscaled| unscaled * (f / unscaled).powf((d - 2.0) / d))
            });
        }
    }
}
