//! Sinusoidal position vectors.
//!
//! # What it does
//! Adds to each embedding a fixed vector of sines and cosines of the position; attention itself knows no positions.
//!
//! # Formula
//! `p(t, 2i) = a sin(t f_i)`, `p(t, 2i + 1) = a cos(t f_i)` with `f_i = base^(-2i/width)`. The paper has `a = 1` beside
//! embeddings with a standard deviation of 1 (`1 / sqrt(width)`, multiplied by `sqrt(width)`). Llama's are not multiplied:
//! they begin at 0.02, and within some hundred steps grow to about 0.1 (measured on the reference models), so the same
//! proportion is `a = 0.1`; beside 0.02 the positions drown. With a factor `s`, `t / s` takes the place of `t` (position
//! interpolation).
//!
//! # Parameters
//! * `base` (above 1, default 10,000);
//! * `amplitude` (above 0, default 0.1): the `a` that the weights were trained with.
//!
//! # Where it breaks
//! It needs weights that were trained with it. Positions beyond the trained length give vectors that no layer has met:
//! loss rises at once, and more than with any relative scheme.
//!
//! # Source
//! Vaswani et al., arXiv 1706.03762, sections 3.4 and 3.5.

use serde::{Deserialize, Serialize};

use super::rope::inverse_frequencies;
use super::{HeadShape, Mechanism, Method, MethodError, Scheme, Vectors, above};
use crate::units::{Stretch, Tokens};

/// Sines and cosines added to embeddings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sinusoidal {
    /// The base of the frequencies.
    pub base: f64,
    /// Multiplies the vectors.
    pub amplitude: f64,
}

impl Default for Sinusoidal {
    fn default() -> Self {
        Self { base: 10_000.0, amplitude: 0.1 }
    }
}

impl Method for Sinusoidal {
    fn summary(&self) -> &'static str {
        "sinusoidal vectors added to embeddings"
    }

    fn scheme(&self) -> Scheme {
        Scheme::Sinusoidal
    }

    fn check(&self) -> Result<(), MethodError> {
        above("sinusoidal", "base", self.base, 1.0)?;
        above("sinusoidal", "amplitude", self.amplitude, 0.0)
    }

    fn mechanism(&self, heads: &HeadShape, factor: Stretch, _length: Tokens) -> Result<Mechanism, MethodError> {
        Ok(Mechanism::Add(Vectors::Sinusoidal {
            inverse_frequencies: inverse_frequencies(self.base, heads.width)
                .into_iter()
                .map(|f| f / factor.0)
                .collect(),
            amplitude: self.amplitude,
        }))
    }

    fn is_unscaled_at_one(&self) -> bool {
        false
    }
}
