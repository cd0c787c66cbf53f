//! What attention can do with a position. Methods collapse into these few; attention has the only `match` on them.

use serde::{Deserialize, Serialize};

/// What attention does with positions.
///
/// Closed on purpose: a new mechanism must be thought through in the one place that applies it.
/// Additive biases (slopes, buckets) and added vectors join as variants; the attention kernel already takes an
/// additive bias for a block of queries.
#[derive(Clone, Debug, PartialEq)]
pub enum Mechanism {
    /// Positions are not used.
    Nothing,
    /// Queries and keys are rotated by angles that grow with the position.
    Rotate(Rotation),
}

/// A rotation of queries and keys (RoPE, arXiv 2104.09864, equation 15).
#[derive(Clone, Debug, PartialEq)]
pub struct Rotation {
    /// Radians per position for each pair of dimensions, `[rotary_dim / 2]`, fastest first.
    pub inverse_frequencies: Vec<f64>,
    /// Multiplies cosine and sine alike, so attention logits scale by its square; 1 for most methods.
    pub attention_factor: f64,
    /// Which dimensions rotate together.
    pub pairing: Pairing,
}

/// Which dimensions of a head form a rotating pair; a property of the weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pairing {
    /// Dimension `i` with `i + rotary_dim / 2` (GPT-NeoX, Hugging Face Llama).
    #[default]
    HalfSplit,
    /// Dimension `2i` with `2i + 1` (GPT-J, Meta's Llama files).
    Interleaved,
}

impl Mechanism {
    /// The angle of a pair at a position, in radians; nothing where positions do not rotate.
    #[must_use]
    pub fn angle(&self, pair: usize, position: usize) -> Option<f64> {
        match self {
            Self::Nothing => None,
            Self::Rotate(rotation) => rotation.inverse_frequencies.get(pair).map(|f| f * position as f64),
        }
    }
}
