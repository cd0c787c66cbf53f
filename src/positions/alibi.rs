//! Attention with linear biases.
//!
//! # What it does
//! Rotates nothing and adds nothing to embeddings: a penalty proportional to the distance is added to each score, with
//! a slope of its own for each head. Nothing is learned, and no distance is ever unseen in kind.
//!
//! # Formula
//! `bias(h, i - j) = -m_h (i - j)`; for `n` heads, `n` a power of two, `m_h = 2^(-8 h / n)` for `h = 1 .. n`; otherwise
//! the slopes of the next lower power of two, followed by every other slope of the next higher one. With a factor `s`
//! the slopes become `m_h / s` (interpolation: the farthest distance weighs what the trained length did).
//!
//! # Parameters
//! * `slope_scale` (above 0, default 1): multiplies every slope, besides the factor.
//!
//! # Where it breaks
//! It needs weights that were trained with it. Each head forgets beyond a few times `1 / m_h`: loss stays flat at any length
//! because far context is not used, and far facts are not recalled. A slope computed for the wrong head count is silent.
//!
//! # Source
//! Press et al., arXiv 2108.12409, section 3; the authors' `get_slopes`, also in transformers 5.23.0 (`build_alibi_tensor`).

use serde::{Deserialize, Serialize};

use super::{Bias, HeadShape, Mechanism, Method, MethodError, Scheme, above};
use crate::units::{Stretch, Tokens};

/// ALiBi with its published slopes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Alibi {
    /// Multiplies every slope.
    pub slope_scale: f64,
}

impl Default for Alibi {
    fn default() -> Self {
        Self { slope_scale: 1.0 }
    }
}

/// The published slopes for any number of heads, `[heads]`.
#[must_use]
pub fn slopes(heads: usize) -> Vec<f64> {
    let geometric = |n: usize| (1..=n).map(move |h| (-8.0 * h as f64 / n as f64).exp2());
    if heads.is_power_of_two() {
        return geometric(heads).collect();
    }
    let below = heads.next_power_of_two() / 2;
    let rest = geometric(2 * below).step_by(2).take(heads - below);
    geometric(below).chain(rest).collect()
}

impl Method for Alibi {
    fn summary(&self) -> &'static str {
        "ALiBi: a penalty proportional to the distance, one slope a head"
    }

    fn scheme(&self) -> Scheme {
        Scheme::Slopes
    }

    fn check(&self) -> Result<(), MethodError> {
        above("alibi", "slope_scale", self.slope_scale, 0.0)
    }

    fn mechanism(&self, heads: &HeadShape, factor: Stretch, _length: Tokens) -> Result<Mechanism, MethodError> {
        let scale = self.slope_scale / factor.0;
        Ok(Mechanism::Bias(Bias::Linear { slopes: slopes(heads.heads).into_iter().map(|m| m * scale).collect() }))
    }

    fn is_unscaled_at_one(&self) -> bool {
        false
    }
}
