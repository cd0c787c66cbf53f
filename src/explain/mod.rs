//! What a method does at given lengths, in numbers: `gyro explain`.
//!
//! Pure functions from a [`Setting`] to an [`Explanation`]; no weights are needed, so learned values enter only by their
//! count and, for KERPLE, by their initial values, which are named as such.

mod added;
mod bias;
mod rotation;
mod text;
mod work;

use serde::Serialize;

use crate::positions::{AnyMethod, Bias, HeadShape, Mechanism, Method, MethodError, Pairing, Rope, Scheme, Vectors};
use crate::units::{Stretch, Tokens};

pub use added::{Rows, Waves};
pub use bias::{Bucket, Fall, Kernel, Shared, Slopes};
pub use rotation::{Equivalence, Fading, Grouped, Pair, Turning};
pub use text::text;
pub use work::{Step, Work};

/// The longest length that is explained; every distance up to it is looked at.
const LONGEST: usize = 1 << 24;
/// The most of anything else.
const MOST: usize = 1 << 16;

/// A method and the model that it serves.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Setting {
    /// The method with its parameters.
    pub method: AnyMethod,
    /// By how much it stretches the context.
    pub factor: Stretch,
    /// Width of a head, even; all of it is rotated.
    pub head_dim: usize,
    /// Heads per layer; keys have as many.
    pub heads: usize,
    /// Layers.
    pub layers: usize,
    /// The base of the rotary frequencies.
    pub theta: f64,
    /// The length that the weights were trained at.
    pub trained: Tokens,
    /// The length to serve.
    pub target: Tokens,
}

impl Setting {
    /// A method at four times a trained length of 2,048, in a model of the shape of the Transformer's base model
    /// (arXiv 1706.03762, table 3): 6 layers, 8 heads of 64 dimensions.
    #[must_use]
    pub fn of(method: AnyMethod) -> Self {
        Self {
            method,
            factor: Stretch(4.0),
            head_dim: 64,
            heads: 8,
            layers: 6,
            theta: 10_000.0,
            trained: Tokens(2048),
            target: Tokens(8192),
        }
    }

    /// A method and its factor on these heads in so many layers; nothing where only a part of each head rotates, which a
    /// setting cannot say.
    #[must_use]
    pub fn of_heads(
        heads: &HeadShape,
        layers: usize,
        (method, factor): (AnyMethod, Stretch),
        target: Tokens,
    ) -> Option<Self> {
        (heads.rotary_dim == heads.head_dim).then_some(Self {
            method,
            factor,
            head_dim: heads.head_dim,
            heads: heads.heads,
            layers,
            theta: heads.theta,
            trained: heads.trained,
            target,
        })
    }

    /// Width of the residual stream.
    #[must_use]
    pub fn width(&self) -> usize {
        self.heads * self.head_dim
    }

    /// The heads, in weights that were trained with the method's own scheme: with RoPE for its scalings.
    fn shape(&self) -> HeadShape {
        let native = match self.method.scheme() {
            Scheme::Any | Scheme::Rotary => AnyMethod::Rope(Rope::default()),
            _ => self.method.clone(),
        };
        HeadShape {
            heads: self.heads,
            width: self.width(),
            head_dim: self.head_dim,
            rotary_dim: self.head_dim,
            theta: self.theta,
            trained: self.trained,
            pairing: Pairing::HalfSplit,
            native,
        }
    }

    /// The mechanism at a context length.
    fn mechanism(&self, length: Tokens) -> Result<Mechanism, MethodError> {
        self.method.mechanism(&self.shape(), self.factor, length)
    }

    fn check(&self) -> Result<(), ExplainError> {
        let counts = [
            ("head-dim", self.head_dim, MOST),
            ("heads", self.heads, MOST),
            ("layers", self.layers, MOST),
            ("trained", self.trained.0, LONGEST),
            ("target", self.target.0, LONGEST),
        ];
        for (name, got, most) in counts {
            if got == 0 || got > most {
                return Err(ExplainError::Count { name, most, got });
            }
        }
        if !self.head_dim.is_multiple_of(2) {
            return Err(ExplainError::Odd { got: self.head_dim });
        }
        if !(self.theta.is_finite() && self.theta > 1.0) {
            return Err(ExplainError::Theta { got: self.theta });
        }
        Ok(())
    }
}

/// Why a method cannot be explained.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ExplainError {
    /// A count is out of its range.
    #[error("--{name} must be 1 to {most}, got {got}")]
    Count {
        /// The option.
        name: &'static str,
        /// The largest that is taken.
        most: usize,
        /// What was given.
        got: usize,
    },
    /// Rotated dimensions come in pairs.
    #[error("--head-dim must be even, got {got}")]
    Odd {
        /// What was given.
        got: usize,
    },
    /// The base of the frequencies is out of its range.
    #[error("--theta must be a number above 1, got {got}")]
    Theta {
        /// What was given.
        got: f64,
    },
    /// The method refuses the setting.
    #[error(transparent)]
    Method(#[from] MethodError),
}

/// What a method does, in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The method's name, with the parameters that are not the defaults.
    pub method: String,
    /// The method in one sentence.
    pub summary: &'static str,
    /// What it was asked for.
    pub setting: Setting,
    /// What its mechanism does with positions.
    pub mechanism: Facts,
    /// Learned parameters of its positions in the weights.
    pub learned: usize,
    /// What positions cost while decoding.
    pub work: Work,
}

/// What a mechanism does with positions.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Facts {
    /// Nothing.
    Nothing,
    /// It turns queries and keys.
    Rotate(Turning),
    /// It turns near keys as trained and far ones by grouped positions.
    Group(Grouped),
    /// It subtracts a slope times the distance.
    Slopes(Slopes),
    /// It subtracts a learned function of the distance.
    Kernel(Kernel),
    /// It adds a learned value that distances share.
    Buckets(Shared),
    /// It adds sines and cosines.
    Waves(Waves),
    /// It adds learned rows.
    Rows(Rows),
}

/// Explains a method.
///
/// # Errors
/// [`ExplainError`] where the setting is out of its range or the method refuses it.
pub fn explain(setting: &Setting) -> Result<Explanation, ExplainError> {
    setting.check()?;
    let shape = setting.shape();
    let unscaled = AnyMethod::unscaled().mechanism(&shape, Stretch::ONE, setting.trained)?;
    let scaled = setting.mechanism(setting.target)?;
    Ok(Explanation {
        method: setting.method.label(),
        summary: setting.method.summary(),
        learned: scaled.learned_shape(&shape).map_or(0, |[rows, columns]| rows * columns),
        mechanism: facts(setting, &unscaled, scaled)?,
        work: work::of(setting)?,
        setting: setting.clone(),
    })
}

fn facts(setting: &Setting, unscaled: &Mechanism, scaled: Mechanism) -> Result<Facts, ExplainError> {
    let follows_length = scaled != setting.mechanism(setting.trained)?;
    Ok(match (unscaled, scaled) {
        (Mechanism::Rotate(from), Mechanism::Rotate(to)) => {
            Facts::Rotate(rotation::turning(setting, from, &to, setting.target.as_f64(), follows_length))
        }
        (Mechanism::Rotate(from), Mechanism::Group(to)) => Facts::Group(rotation::grouped(setting, from, &to)),
        (Mechanism::Bias(Bias::Linear { slopes: from }), Mechanism::Bias(Bias::Linear { slopes: to })) => {
            Facts::Slopes(bias::slopes(setting, from, &to))
        }
        (Mechanism::Bias(Bias::Learned(from)), Mechanism::Bias(Bias::Learned(to))) => {
            Facts::Buckets(bias::shared(setting, from, &to))
        }
        (Mechanism::Bias(from), Mechanism::Bias(to)) => {
            bias::kernel(setting, from, &to).map_or(Facts::Nothing, Facts::Kernel)
        }
        (
            Mechanism::Add(Vectors::Sinusoidal { inverse_frequencies: from, .. }),
            Mechanism::Add(Vectors::Sinusoidal { inverse_frequencies: to, amplitude }),
        ) => Facts::Waves(added::waves(setting, from, &to, amplitude)),
        (_, Mechanism::Add(Vectors::Learned { rows, stretch })) => Facts::Rows(added::rows(setting, rows, stretch)),
        // A method keeps the kind of mechanism of its weights; what is left has no positions.
        _ => Facts::Nothing,
    })
}
