//! What a probe may ask of a model. Probes see this trait, never a tensor; tests give them a scripted subject.

use crate::measurement::Cell;
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

    /// Decodes token by token behind the last prompt read, and returns the mean time per token.
    ///
    /// # Errors
    /// [`SubjectError`] when memory or the engine fails, or nothing was read before.
    fn decode(&mut self, tokens: &[u32]) -> Result<Seconds, SubjectError>;
}

/// Something that makes subjects: checkpoints under any positional configuration.
pub trait Engine {
    /// The weights of a cell under its method and factor.
    ///
    /// # Errors
    /// [`SubjectError`] when there are no weights for the method, or they cannot be adapted.
    fn subject(&self, cell: &Cell) -> Result<Box<dyn Subject>, SubjectError>;
}
