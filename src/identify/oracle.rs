//! What the identification may ask: the log-probabilities that a checkpoint gives to prompts under a hypothesis.

use crate::observed::Phase;
use crate::positions::{AnyMethod, HeadShape, Mechanism, Method, MethodError};
use crate::subject::SubjectError;
use crate::units::{Stretch, Tokens};

/// A request of which the first tokens are looked at.
#[derive(Clone, Copy, Debug)]
pub struct Prompt<'a> {
    /// All tokens of the request: some methods go by its length.
    pub tokens: &'a [u32],
    /// How many of them are looked at.
    pub upto: usize,
    /// How they went through.
    pub phase: Phase,
}

/// A configuration with a name: a method at a factor.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The method with its parameters.
    pub method: AnyMethod,
    /// Its factor.
    pub factor: Stretch,
}

impl Candidate {
    /// The mechanism in a request of that length.
    ///
    /// # Errors
    /// [`MethodError`] where the method does not fit the heads.
    pub fn mechanism(&self, heads: &HeadShape, length: Tokens) -> Result<Mechanism, MethodError> {
        self.method.mechanism(heads, self.factor, length)
    }

    /// For people: `yarn x4`.
    #[must_use]
    pub fn label(&self) -> String {
        crate::measurement::label(&self.method.label(), Tokens(0), self.factor)
    }
}

/// A mechanism by its numbers alone, whatever its name: what a fit varies.
#[derive(Clone, Debug, PartialEq)]
pub struct Configuration {
    /// Frequencies, slopes, or the form of what is learned.
    pub mechanism: Mechanism,
    /// In place of what the checkpoint's mechanism has learned, in the order of its tensor; nothing where it learns nothing.
    pub learned: Option<Vec<f64>>,
    /// Multiplies every attention score before the bias, beside the mechanism's own factor; 1 as trained.
    pub temperature: f64,
}

/// What an engine may run.
#[derive(Clone, Copy, Debug)]
pub enum Hypothesis<'a> {
    /// A configuration with a name.
    Named(&'a Candidate),
    /// Numbers.
    Numbers(&'a Configuration),
}

/// A checkpoint that answers under any hypothesis.
pub trait Oracle {
    /// The heads of the checkpoint.
    fn heads(&self) -> &HeadShape;

    /// What the checkpoint's mechanism has learned, in the order of its tensor.
    fn learned(&self) -> Option<Vec<f64>>;

    /// The smallest change of a log-probability that is no rounding, in nats.
    fn resolution(&self) -> f64;

    /// Log-probability in nats of tokens 1 to `upto - 1` of each prompt, given those before.
    ///
    /// # Errors
    /// [`SubjectError`] when memory or the engine fails, or the hypothesis does not fit the checkpoint.
    fn score(&mut self, hypothesis: Hypothesis<'_>, prompts: &[Prompt<'_>]) -> Result<Vec<Vec<f64>>, SubjectError>;
}
