//! Position interpolation.
//!
//! # What it does
//! Divides every position by the factor, so that the target length is squeezed into the angles seen in training.
//!
//! # Formula
//! `f_i' = f_i / s`; attention factor 1.
//!
//! # Parameters
//! None beside the factor `s`.
//!
//! # Where it breaks
//! Neighbouring tokens come `s` times closer in angle: without adaptation short range suffers, and more so with `s`.
//!
//! # Source
//! Chen et al., arXiv 2306.15595, equation 4; transformers 5.23.0 `modeling_rope_utils.py`, `linear`.

use serde::{Deserialize, Serialize};

use super::rope::inverse_frequencies;
use super::{HeadShape, Mechanism, Method, MethodError, Rotation};
use crate::units::{Stretch, Tokens};

/// Position interpolation (PI).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linear {}

impl Method for Linear {
    fn summary(&self) -> &'static str {
        "position interpolation: every frequency divided by the factor"
    }

    fn mechanism(&self, heads: &HeadShape, factor: Stretch, _length: Tokens) -> Result<Mechanism, MethodError> {
        let frequencies = inverse_frequencies(heads.theta, heads.rotary_dim);
        Ok(Mechanism::Rotate(Rotation::plain(frequencies.into_iter().map(|f| f / factor.0).collect(), heads.pairing)))
    }
}
