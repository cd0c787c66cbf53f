//! xPos: a rotation whose scores fall with the distance.
//!
//! # What it does
//! Rotates as RoPE does, and multiplies each pair's share of the score by a number below 1 for every step of distance, the
//! more the faster the pair turns: far away only slow pairs speak.
//!
//! # Formula
//! `f_i = theta^(-2i/d) / s`; a pair's share of the score at distance `n` is multiplied by `zeta_i^(n / (s B))` with
//! `zeta_i = (2i + 0.4 d) / (1.4 d)`; attention factor 1. The factor interpolates positions, in rotation and decay alike.
//!
//! # Parameters
//! * `scale_base` `B` (above 0, default 512): tokens after which a pair's share has fallen by its `zeta`.
//!
//! # Where it breaks
//! It needs weights that were trained with it: on plain RoPE weights the scores of far keys shrink towards 0, which in a
//! softmax is no small weight but an average one. In half precision the growing side of the decay overflows.
//!
//! # Source
//! Sun et al., arXiv 2212.10554, section 2 (gamma 0.4); `torchscale/component/xpos_relative_position.py` (512).

use serde::{Deserialize, Serialize};

use super::rope::inverse_frequencies;
use super::{Decay, HeadShape, Mechanism, Method, MethodError, Rotation, Scheme, above};
use crate::units::{Stretch, Tokens};

/// The constant that keeps the fastest pair's decay above 0.
const GAMMA: f64 = 0.4;

/// RoPE with xPos's decay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Xpos {
    /// Tokens after which a pair's share of the score has fallen by its `zeta`.
    pub scale_base: f64,
}

impl Default for Xpos {
    fn default() -> Self {
        Self { scale_base: 512.0 }
    }
}

impl Method for Xpos {
    fn summary(&self) -> &'static str {
        "xPos: rotation whose scores fall with the distance, fast pairs first"
    }

    fn scheme(&self) -> Scheme {
        Scheme::Xpos
    }

    fn check(&self) -> Result<(), MethodError> {
        above("xpos", "scale_base", self.scale_base, 0.0)
    }

    fn mechanism(&self, heads: &HeadShape, factor: Stretch, _length: Tokens) -> Result<Mechanism, MethodError> {
        let d = heads.rotary_dim as f64;
        let zeta = (0..heads.rotary_dim / 2).map(|i| (2.0 * i as f64 + GAMMA * d) / ((1.0 + GAMMA) * d)).collect();
        let frequencies = inverse_frequencies(heads.theta, heads.rotary_dim);
        let decay = Decay { zeta, scale_base: self.scale_base * factor.0 };
        Ok(Mechanism::Rotate(Rotation {
            decay: Some(decay),
            ..Rotation::plain(frequencies.into_iter().map(|f| f / factor.0).collect(), heads.pairing)
        }))
    }

    fn is_unscaled_at_one(&self) -> bool {
        false
    }
}
