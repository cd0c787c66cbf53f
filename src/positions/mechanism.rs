//! What attention can do with a position. Methods collapse into these few; the replay has the only `match` on them.

use serde::{Deserialize, Serialize};

use super::{Bias, HeadShape};

/// What a decoder does with positions.
///
/// Closed on purpose: a new mechanism must be thought through in the one place that applies it.
#[derive(Clone, Debug, PartialEq)]
pub enum Mechanism {
    /// Positions are not used; the causal mask alone tells order.
    Nothing,
    /// Queries and keys are rotated by angles that grow with the position.
    Rotate(Rotation),
    /// Near keys are rotated as trained, far ones by grouped positions (Self-Extend).
    Group(Grouping),
    /// A bias that depends on head and distance is added to the scores.
    Bias(Bias),
    /// A vector that depends on the position is added to the token's embedding.
    Add(Vectors),
}

impl Mechanism {
    /// The rotation, where queries and keys are rotated.
    #[must_use]
    pub fn rotation(&self) -> Option<&Rotation> {
        match self {
            Self::Rotate(rotation) => Some(rotation),
            Self::Group(grouping) => Some(&grouping.rotation),
            Self::Nothing | Self::Bias(_) | Self::Add(_) => None,
        }
    }

    /// As [`Mechanism::rotation`], to be changed.
    pub fn rotation_mut(&mut self) -> Option<&mut Rotation> {
        match self {
            Self::Rotate(rotation) => Some(rotation),
            Self::Group(grouping) => Some(&mut grouping.rotation),
            Self::Nothing | Self::Bias(_) | Self::Add(_) => None,
        }
    }

    /// The shape of what the mechanism learns: `[buckets, heads]`, `[2, heads]` or `[rows, width]`; nothing where it learns
    /// nothing.
    #[must_use]
    pub fn learned_shape(&self, heads: &HeadShape) -> Option<[usize; 2]> {
        match self {
            Self::Nothing | Self::Rotate(_) | Self::Group(_) => None,
            Self::Bias(Bias::Linear { .. }) | Self::Add(Vectors::Sinusoidal { .. }) => None,
            Self::Bias(Bias::Learned(buckets)) => Some([buckets.count(), heads.heads]),
            Self::Bias(Bias::Power { .. } | Bias::Log { .. }) => Some([2, heads.heads]),
            Self::Add(Vectors::Learned { rows, .. }) => Some([*rows, heads.width]),
        }
    }
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
    /// Scores fall with the distance, pair by pair (xPos); absent in plain RoPE.
    pub decay: Option<Decay>,
}

/// xPos: a pair's share of the score is multiplied by `zeta^(distance / scale_base)` (arXiv 2212.10554).
#[derive(Clone, Debug, PartialEq)]
pub struct Decay {
    /// One base a pair, 0 to 1, `[rotary_dim / 2]`.
    pub zeta: Vec<f64>,
    /// Tokens after which a pair's share has fallen by its `zeta`.
    pub scale_base: f64,
}

/// Self-Extend (arXiv 2401.01325): exact positions within a window, positions divided by the group beyond it.
#[derive(Clone, Debug, PartialEq)]
pub struct Grouping {
    /// The rotation that both kinds of positions go through.
    pub rotation: Rotation,
    /// How many positions share one, at least 1.
    pub group: usize,
    /// Distances below this many tokens are exact.
    pub window: usize,
}

impl Grouping {
    /// The position that a distant query rotates by: `floor(i / G) + W - floor(W / G)`.
    #[must_use]
    pub fn query(&self, position: usize) -> usize {
        position / self.group + self.window - self.window / self.group
    }

    /// The position that a distant key rotates by: `floor(j / G)`.
    #[must_use]
    pub fn key(&self, position: usize) -> usize {
        position / self.group
    }
}

/// Vectors that are added to embeddings.
#[derive(Clone, Debug, PartialEq)]
pub enum Vectors {
    /// Sines and cosines of the position (arXiv 1706.03762, section 3.5).
    Sinusoidal {
        /// Radians per position for each pair of dimensions, `[width / 2]`, fastest first.
        inverse_frequencies: Vec<f64>,
        /// Multiplies the vectors.
        amplitude: f64,
    },
    /// One learned vector a position, `[rows, width]` in the weights; there is none beyond the last row.
    Learned {
        /// How many there are.
        rows: usize,
        /// Positions are divided by this, and vectors between two rows interpolated.
        stretch: f64,
    },
}

impl Vectors {
    /// The vector of sines and cosines at a position, `[width]`; nothing for learned vectors.
    #[must_use]
    pub fn waves(&self, position: usize) -> Option<Vec<f64>> {
        match self {
            Self::Sinusoidal { inverse_frequencies, amplitude } => Some(
                inverse_frequencies
                    .iter()
                    .map(|frequency| (position as f64 * frequency).sin_cos())
                    .flat_map(|(sine, cosine)| [amplitude * sine, amplitude * cosine])
                    .collect(),
            ),
            Self::Learned { .. } => None,
        }
    }

    /// The learned row of a position and the share of the next one, 0 to 1; nothing beyond the last row, and for
    /// vectors without rows.
    #[must_use]
    pub fn row(&self, position: usize) -> Option<(usize, f64)> {
        match *self {
            Self::Learned { rows, stretch } => {
                let at = position as f64 / stretch;
                let row = at.floor() as usize;
                // The last row has no next one to lean towards.
                (row < rows).then(|| (row, if row + 1 == rows { 0.0 } else { at - at.floor() }))
            }
            Self::Sinusoidal { .. } => None,
        }
    }
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

/// The kind of weights that a method needs: a scaling works on weights of its own scheme, and on no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    /// Whatever the checkpoint is.
    Any,
    /// Rotated queries and keys.
    Rotary,
    /// Rotation with xPos's decay.
    Xpos,
    /// ALiBi's fixed slopes.
    Slopes,
    /// T5's learned biases in buckets of distances.
    Buckets,
    /// One learned bias for each distance up to a largest one.
    Offsets,
    /// KERPLE's power kernel.
    PowerKernel,
    /// KERPLE's logarithmic kernel.
    LogKernel,
    /// Sines and cosines added to embeddings.
    Sinusoidal,
    /// Learned vectors added to embeddings.
    Absolute,
    /// No positions at all.
    Nothing,
}

impl Rotation {
    /// A plain rotation with half-split pairs or others.
    #[must_use]
    pub fn plain(inverse_frequencies: Vec<f64>, pairing: Pairing) -> Self {
        Self { inverse_frequencies, attention_factor: 1.0, pairing, decay: None }
    }
}
