//! RoPE on the halves of the head.
//!
//! # What it does
//! Rotates dimension `i` with `i + d/2`, whatever the checkpoint's layout is, by its own unscaled frequencies.
//!
//! # Formula
//! `f_i = theta^(-2i/d)` turns dimensions `i` and `i + d/2`, for `i = 0 .. d/2`; attention factor 1.
//!
//! # Parameters
//! None; the factor is not used.
//!
//! # Where it breaks
//! On weights of the other layout every pair mixes dimensions of two frequencies: loss is bad from the first tokens
//! on, at every length. On weights of this layout it is the unscaled model.
//!
//! # Source
//! GPT-NeoX, arXiv 2204.06745; transformers 5.23.0 `modeling_llama.py`, `rotate_half`.

use serde::{Deserialize, Serialize};

use super::rope::inverse_frequencies;
use super::{HeadShape, Mechanism, Method, MethodError, Pairing, Rotation};
use crate::units::{Stretch, Tokens};

/// RoPE on half-split pairs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HalfSplit {}

impl Method for HalfSplit {
    fn summary(&self) -> &'static str {
        "half-split pairs (GPT-NeoX, Hugging Face): dimension i with i + d/2"
    }

    fn mechanism(&self, heads: &HeadShape, _factor: Stretch, _length: Tokens) -> Result<Mechanism, MethodError> {
        let frequencies = inverse_frequencies(heads.theta, heads.rotary_dim);
        Ok(Mechanism::Rotate(Rotation::plain(frequencies, Pairing::HalfSplit)))
    }

    /// It is another model where the checkpoint pairs otherwise.
    fn is_unscaled_at_one(&self) -> bool {
        false
    }
}
