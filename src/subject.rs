//! What a probe may ask of a model. Probes see this trait, never a tensor; tests give them a scripted subject.

use crate::measurement::{Cell, Quantity};
use crate::units::{Seconds, Tokens};

/// Why a model could not answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SubjectError {
    /// The device ran out of memory.
    #[error("out of memory: {0}")]
    OutOfMemory(String),
    /// The engine refused the request.
    #[error("{0}")]
    Engine(String),
}

/// A sequence to score by itself, with the positions that its tokens have.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// The tokens; nothing before them is in the context.
    pub tokens: &'a [u32],
    /// The position of the first token.
    pub first_position: Tokens,
}

/// What a model thinks of each token after the first, given the tokens before it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    /// Log-probability in nats of token `i + 1`, `[tokens - 1]`.
    pub log_probability: Vec<f32>,
    /// Whether token `i + 1` is the most likely one.
    pub is_top: Vec<bool>,
}

/// What to look at in attention.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// Every so many queries are looked at, from the last backwards.
    pub every: usize,
    /// Edges of the distance bins, ascending, in tokens between query and key; starts at 0.
    pub distance_edges: Vec<usize>,
    /// Keys farther than this count as beyond the trained length.
    pub trained: Tokens,
}

/// Attention of one layer, mean over heads and the queries looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LayerAttention {
    /// Entropy in nats.
    pub entropy: f64,
    /// Share of attention in each distance bin, `[edges - 1]`.
    pub mass: Vec<f64>,
    /// Share of attention on keys at the trained length or farther, over the queries that have such keys; absent if none has.
    pub mass_beyond_trained: Option<f64>,
    /// Largest logit over the queries looked at and their keys.
    pub largest_logit: f64,
    /// How many queries were looked at.
    pub queries: usize,
}

/// A model under examination: one checkpoint with one positional configuration.
pub trait Subject {
    /// Scores windows of equal length.
    ///
    /// # Errors
    /// [`SubjectError`] when memory or the engine fails.
    fn score(&mut self, windows: &[Window<'_>]) -> Result<Vec<Scores>, SubjectError>;

    /// Looks at the attention of every layer over one sequence.
    ///
    /// # Errors
    /// [`SubjectError`] when memory or the engine fails.
    fn attention(&mut self, tokens: &[u32], look: &Look) -> Result<Vec<LayerAttention>, SubjectError>;

    /// Reads a prompt into an empty cache and returns how long that took.
    ///
    /// # Errors
    /// [`SubjectError`] when memory or the engine fails.
    fn prefill(&mut self, tokens: &[u32]) -> Result<Seconds, SubjectError>;

    /// Decodes token by token behind the last prompt read, and returns the median time of a token.
    ///
    /// # Errors
    /// [`SubjectError`] when memory or the engine fails, or nothing was read before.
    fn decode(&mut self, tokens: &[u32]) -> Result<Seconds, SubjectError>;

    /// Decodes on behind what was decoded, with a clock on each part of the work ([`Quantity::PARTS`]), and returns the
    /// median time of each; nothing from a subject that cannot be taken apart. At most 16 tokens.
    ///
    /// # Errors
    /// [`SubjectError`] when memory or the engine fails, or nothing was read before.
    fn parts(&mut self, tokens: &[u32]) -> Result<Vec<(Quantity, Seconds)>, SubjectError> {
        let _ = tokens;
        Ok(Vec::new())
    }
}

/// What an engine can be timed by, beside its subjects.
pub trait Stopwatch {
    /// The main weights without any positional work: only to be timed, for what it says means nothing.
    ///
    /// # Errors
    /// [`SubjectError`] when memory or the engine fails.
    fn without_positions(&self) -> Result<Box<dyn Subject>, SubjectError>;

    /// Time of one piece of work that no scenario changes.
    ///
    /// # Errors
    /// [`SubjectError`] when memory or the engine fails.
    fn fixed_kernel(&self) -> Result<Seconds, SubjectError>;

    /// How often the device was held back for heat or power since the last call; absent where the system does not tell.
    fn held_back(&self) -> Option<f64>;

    /// The device's clock at this moment in megahertz; absent where the system does not tell.
    fn clock(&self) -> Option<f64>;

    /// Pages of memory that the system has handed to this process so far; absent where it does not tell.
    fn fresh_pages(&self) -> Option<f64>;

    /// The largest resident memory in bytes since the last call; absent where the system does not tell.
    fn peak_memory(&self) -> Option<f64>;
}

/// Something that makes subjects: checkpoints under any positional configuration.
pub trait Engine {
    /// The weights of a cell under its method and factor.
    ///
    /// # Errors
    /// [`SubjectError`] when there are no weights for the method, or they cannot be adapted.
    fn subject(&self, cell: &Cell) -> Result<Box<dyn Subject>, SubjectError>;

    /// What its subjects can be timed by; absent in an engine without a clock of its own.
    fn stopwatch(&self) -> Option<&dyn Stopwatch> {
        None
    }
}
