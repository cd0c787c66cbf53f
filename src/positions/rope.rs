//! Rotary position embedding with an explicit base.
//!
//! # What it does
//! Rotates each pair of query and key dimensions by an angle proportional to the position, so that scores depend on
//! offsets alone. With `theta` it replaces the checkpoint's base ("RoPE base scaling" by hand).
//!
//! # Formula
//! `f_i = theta^(-2i/d)` for `i = 0 .. d/2`, with `d` the rotated width; attention factor 1.
//!
//! # Parameters
//! * `theta`: the base, above 1; default: the checkpoint's `rope_theta`. The scenario's factor is not used.
//!
//! # Where it breaks
//! A base that differs from the trained one changes local angles too: damage is larger at short than at long range.
//!
//! # Source
//! RoFormer, arXiv 2104.09864, equation 15; transformers 5.23.0 `modeling_rope_utils.py`, `default`.

use serde::{Deserialize, Serialize};

use super::{HeadShape, Mechanism, Method, MethodError, Rotation};
use crate::units::{Stretch, Tokens};

/// RoPE with the checkpoint's base or another.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rope {
    /// The base, above 1; absent means the checkpoint's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub theta: Option<f64>,
}

/// The unscaled inverse frequencies of a base, in radians per position, `[rotary_dim / 2]`.
#[must_use]
pub fn inverse_frequencies(theta: f64, rotary_dim: usize) -> Vec<f64> {
    let d = rotary_dim as f64;
    (0..rotary_dim / 2).map(|i| theta.powf(-2.0 * i as f64 / d)).collect()
}

impl Method for Rope {
    fn summary(&self) -> &'static str {
        "rotary embedding with an explicit base"
    }

    fn check(&self) -> Result<(), MethodError> {
        match self.theta {
            Some(theta) if !(theta.is_finite() && theta > 1.0) => {
                Err(MethodError::Parameter { method: "rope", name: "theta", expected: "a number above 1", got: theta })
            }
            _ => Ok(()),
        }
    }

    fn mechanism(&self, heads: &HeadShape, _factor: Stretch, _length: Tokens) -> Result<Mechanism, MethodError> {
        let theta = self.theta.unwrap_or(heads.theta);
        Ok(Mechanism::Rotate(Rotation::plain(inverse_frequencies(theta, heads.rotary_dim), heads.pairing)))
    }

    fn is_unscaled_at_one(&self) -> bool {
        self.theta.is_none()
    }
}
