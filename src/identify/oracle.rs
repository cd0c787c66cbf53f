//! What the identification may ask: the log-probabilities that a checkpoint gives to prompts under a hypothesis.

use crate::faults::{AnyFault, FaultError, Injected, Setting};
use crate::observed::Phase;
use crate::positions::{AnyMethod, HeadShape, Mechanism};
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
    /// The batch that it was served in; prompts of one batch follow each other. Nothing: alone.
    pub batch: Option<u64>,
}

/// A configuration with a name: a method at a factor, in an engine with faults or without.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The method with its parameters.
    pub method: AnyMethod,
    /// Its factor.
    pub factor: Stretch,
    /// What the engine does otherwise than a healthy one.
    pub faults: Vec<AnyFault>,
}

impl Candidate {
    /// A method at a factor in a healthy engine.
    #[must_use]
    pub fn healthy(method: AnyMethod, factor: Stretch) -> Self {
        Self { method, factor, faults: Vec::new() }
    }

    /// The same in an engine with a fault.
    #[must_use]
    pub fn under(&self, fault: AnyFault) -> Self {
        let faults = self.faults.iter().cloned().chain([fault]).collect();
        Self { faults, ..self.clone() }
    }

    /// The configuration worked into an engine for these heads.
    ///
    /// # Errors
    /// [`FaultError`] where method or fault do not fit the heads.
    pub fn injected(&self, heads: &HeadShape) -> Result<Injected, FaultError> {
        let setting = Setting { method: self.method.clone(), factor: self.factor, heads: heads.clone(), window: None };
        Injected::new(setting, &self.faults)
    }

    /// The faults' names joined by `+`; nothing for a healthy engine.
    #[must_use]
    pub fn condition(&self) -> Option<String> {
        let labels: Vec<String> = self.faults.iter().map(AnyFault::label).collect();
        (!labels.is_empty()).then(|| labels.join("+"))
    }

    /// For people: `yarn x4 under table_wraps`.
    #[must_use]
    pub fn label(&self) -> String {
        let label = crate::measurement::label(&self.method.label(), Tokens(0), self.factor);
        self.condition().map_or(label.clone(), |condition| format!("{label} under {condition}"))
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

    /// The derivatives of the same log-probabilities under a rotation's numbers by the logarithm of each pair's frequency and
    /// of the attention factor, `[prompt][token][unknown]`, at the cost of about one scoring for each token of the longest
    /// prompt; nothing where the oracle has none.
    ///
    /// # Errors
    /// As [`Oracle::score`].
    fn slopes(
        &mut self,
        _configuration: &Configuration,
        _prompts: &[Prompt<'_>],
    ) -> Result<Option<Vec<Vec<Vec<f64>>>>, SubjectError> {
        Ok(None)
    }
}
