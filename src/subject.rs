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

/// How a request goes through an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// In one forward without a cache.
    OneShot,
    /// Through the cache, so many tokens at a time.
    Chunked(usize),
    /// The first so many slots as a prompt through the cache, the others token by token.
    Decode {
        /// Slots of the prompt; 0 decodes all of them.
        prompt: usize,
    },
}

/// Where rows shorter than the longest one of their batch are filled up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// Nowhere: all rows are equally long.
    None,
    /// Before the first token.
    Left,
    /// Behind the last token of the prompt.
    Right,
}

/// One sequence of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its tokens; nothing before them is in the context.
    pub tokens: Vec<u32>,
    /// The position of the first token, 0 in ordinary use.
    pub first_position: usize,
}

/// Rows that are served together, as one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The rows.
    pub rows: Vec<Row>,
    /// How they go through the engine.
    pub route: Route,
    /// Where shorter ones are filled up.
    pub padding: Padding,
}

impl Request {
    /// One row by itself, from position 0.
    #[must_use]
    pub fn alone(tokens: &[u32], route: Route) -> Self {
        let row = Row { tokens: tokens.to_vec(), first_position: 0 };
        Self { rows: vec![row], route, padding: Padding::None }
    }
}

/// What a rotation did to one pair of numbers: a complex gain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gain {
    /// Radians, from minus pi to pi.
    pub angle: f64,
    /// How much longer the pair became; 1 for a pure rotation.
    pub magnitude: f64,
}

/// What an engine's own code did to queries, or to keys.
#[derive(Clone, Debug, PartialEq)]
pub struct Turned {
    /// Of each pair of the weights, fastest first, at each position that was asked for, `[positions][pairs]`.
    pub gains: Vec<Vec<Gain>>,
    /// The largest share of a pair's length, 0 to 1, that no rotation of that pair explains: above 0 where other
    /// dimensions were rotated together.
    pub mixing: f64,
}

/// The rotation that an engine's own code applies.
#[derive(Clone, Debug, PartialEq)]
pub struct AppliedRotation {
    /// To queries.
    pub queries: Turned,
    /// To keys, as the last query of the run finds them.
    pub keys: Turned,
}

/// A model under examination: one checkpoint with one positional configuration.
///
/// The first four methods are all that a simple subject needs. Of the others, [`Subject::serve`] falls back on
/// [`Subject::score`], and the readings of an engine's inner numbers are absent.
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

    /// Serves a request and scores each row's tokens after the first, as one batch, in an engine that keeps its state from
    /// one request to the next.
    ///
    /// # Errors
    /// [`SubjectError`] when memory or the engine fails, or rows of unequal length have no padding.
    fn serve(&mut self, request: &Request) -> Result<Vec<Scores>, SubjectError> {
        let windows = request
            .rows
            .iter()
            .map(|row| Window { tokens: &row.tokens, first_position: Tokens(row.first_position) })
            .collect::<Vec<_>>();
        self.score(&windows)
    }

    /// Puts the engine into the state of a fresh process.
    fn restart(&mut self) {}

    /// Rotates unit vectors at the positions, ascending, through the code that serves requests; absent where nothing rotates.
    ///
    /// The run is as long as its last position asks for, and the engine's state is left as it was.
    ///
    /// # Errors
    /// [`SubjectError`] when memory or the engine fails.
    fn applied_rotation(&mut self, positions: &[usize], route: Route) -> Result<Option<AppliedRotation>, SubjectError> {
        let _ = (positions, route);
        Ok(None)
    }

    /// The additive bias of each head, read back from the attention of constant queries and keys, in nats relative to the
    /// query's own key, `[heads][queries][keys]`; minus infinity where a key has no weight that could be read.
    ///
    /// # Errors
    /// [`SubjectError`] when memory or the engine fails.
    fn applied_bias(
        &mut self,
        queries: &[usize],
        keys: &[usize],
        route: Route,
    ) -> Result<Option<Vec<Vec<Vec<f64>>>>, SubjectError> {
        let _ = (queries, keys, route);
        Ok(None)
    }

    /// What the scores of queries with keys at their own position are multiplied by, beside `1 / sqrt(head_dim)`, read back
    /// from attention in one forward, `[positions][heads]`; 1 where nothing sharpens attention.
    ///
    /// # Errors
    /// [`SubjectError`] when memory or the engine fails.
    fn temperature(&mut self, positions: &[usize]) -> Result<Option<Vec<Vec<f64>>>, SubjectError> {
        let _ = positions;
        Ok(None)
    }
}

/// Something that makes subjects: checkpoints under any positional configuration.
pub trait Engine {
    /// The weights of a cell under its method and factor.
    ///
    /// # Errors
    /// [`SubjectError`] when there are no weights for the method, or they cannot be adapted.
    fn subject(&self, cell: &Cell) -> Result<Box<dyn Subject>, SubjectError>;
}
