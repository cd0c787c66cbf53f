//! RoPE on neighbouring dimensions.
//!
//! # What it does
//! Rotates dimension `2i` with `2i + 1`, whatever the checkpoint's layout is, by its own unscaled frequencies.
//!
//! # Formula
//! `f_i = theta^(-2i/d)` turns dimensions `2i` and `2i + 1`, for `i = 0 .. d/2`; attention factor 1.
//!
//! # Parameters
//! None; the factor is not used.
//!
//! # Where it breaks
//! On weights of the other layout every pair mixes dimensions of two frequencies: loss is bad from the first tokens
//! on, at every length. On weights of this layout it is the unscaled model.
//!
//! # Source
//! RoFormer, arXiv 2104.09864, equation 34; GPT-J and Meta's Llama files.

use serde::{Deserialize, Serialize};

use super::rope::inverse_frequencies;
use super::{HeadShape, Mechanism, Method, MethodError, Pairing, Rotation};
use crate::units::{Stretch, Tokens};

/// RoPE on interleaved pairs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interleaved {}

impl Method for Interleaved {
    fn summary(&self) -> &'static str {
        "interleaved pairs (GPT-J, Meta's files): dimension 2i with 2i + 1"
    }

    fn mechanism(&self, heads: &HeadShape, _factor: Stretch, _length: Tokens) -> Result<Mechanism, MethodError> {
        let frequencies = inverse_frequencies(heads.theta, heads.rotary_dim);
        Ok(Mechanism::Rotate(Rotation::plain(frequencies, Pairing::Interleaved)))
    }

    /// It is another model where the checkpoint pairs otherwise.
    fn is_unscaled_at_one(&self) -> bool {
        false
    }
}
