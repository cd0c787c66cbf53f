//! Static NTK-aware base scaling.
//!
//! # What it does
//! Raises the base so that the slowest pair is stretched by exactly the factor and the fastest pair not at all.
//!
//! # Formula
//! `theta' = theta * s^(d/(d-2))`, `f_i' = theta'^(-2i/d)`; the exponent is what makes `f_last / f_last' = s`
//! (period matching); attention factor 1.
//!
//! # Parameters
//! None beside the factor `s`.
//!
//! # Where it breaks
//! Middle pairs are stretched by less than `s`, so at a length of `s` times the trained one some leave the angles seen
//! in training: it serves somewhat less than its nominal length. That is a property of the method, not a bug.
//!
//! # Source
//! bloc97's NTK-aware scaled RoPE, as given in YaRN, arXiv 2309.00071, section 3.1, equation 16.

use serde::{Deserialize, Serialize};

use super::rope::inverse_frequencies;
use super::{HeadShape, Mechanism, Method, MethodError, Rotation};
use crate::units::{Stretch, Tokens};

/// NTK-aware base scaling with a constant factor.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ntk {}

/// The rotation whose slowest pair is stretched by `alpha`, by a base raised to `theta * alpha^(d/(d-2))`.
///
/// A single pair never turns slower than 1 radian a position, whatever the base, so it is left alone.
pub(super) fn stretched(heads: &HeadShape, alpha: f64) -> Mechanism {
    let d = heads.rotary_dim as f64;
    let theta = if d > 2.0 { heads.theta * alpha.powf(d / (d - 2.0)) } else { heads.theta };
    Mechanism::Rotate(Rotation::plain(inverse_frequencies(theta, heads.rotary_dim), heads.pairing))
}

impl Method for Ntk {
    fn summary(&self) -> &'static str {
        "NTK-aware base scaling: the slowest pair stretched by the factor, the fastest by 1"
    }

    fn mechanism(&self, heads: &HeadShape, factor: Stretch, _length: Tokens) -> Result<Mechanism, MethodError> {
        Ok(stretched(heads, factor.0))
    }
}
