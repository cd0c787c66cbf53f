//! A scenario: the user's YAML, checked before anything runs.
//!
//! What the file says (`written`) and what is run ([`Scenario`]) are two types; [`load`] is the only road between them.

pub(crate) mod yaml;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::findings::{Axis, Question};
use crate::positions::AnyMethod;
use crate::units::{Stretch, Tokens};

/// A checked scenario; every path is resolved and every number is in its range.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// The file's name without its ending.
    pub name: String,
    /// The file, as it was given.
    pub path: PathBuf,
    /// The file's text, kept for provenance.
    pub text: String,
    /// The author's question.
    pub question: String,
    /// Folder of the checkpoint in Hugging Face layout.
    pub checkpoint: PathBuf,
    /// The context length that the checkpoint was trained at.
    pub trained: Tokens,
    /// The context length to serve.
    pub target: Tokens,
    /// The retrofit as deployed.
    pub deployed: (AnyMethod, Stretch),
    /// Methods of the grid, without duplicates; always holds the deployed one.
    pub methods: Vec<AnyMethod>,
    /// Factors of the grid, ascending, without duplicates; always holds the deployed one.
    pub factors: Vec<Stretch>,
    /// Which probes run.
    pub probes: Vec<ProbeName>,
    /// How much each probe measures.
    pub sizes: Sizes,
    /// Changes up to these are accepted.
    pub tolerance: Tolerance,
    /// Text that the model has not seen, UTF-8.
    pub documents: PathBuf,
    /// Seed of everything drawn: facts, windows, resamples.
    pub seed: u64,
    /// Questions for which `undecided` ends the run with exit code 2.
    pub decide: Vec<Question>,
    /// The expected axis by question; makes the scenario a test of the diagnosis.
    pub expect: BTreeMap<Question, Axis>,
}

/// A probe that a scenario can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProbeName {
    /// Loss and accuracy with at most 256 tokens of context.
    ShortRange,
    /// Loss by position up to the target length.
    LongRange,
    /// Recall of facts by distance and depth.
    Retrieval,
    /// Entropy, mass by distance, largest logit.
    Attention,
    /// Prefill and decode time.
    Latency,
}

/// How much is measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Sizes {
    /// Documents of the target length; the unit of pairing (default 8, at least 2).
    pub documents: usize,
    /// Windows of 256 tokens placed deep in each document (default 7, at least 1).
    pub short_windows: usize,
    /// Documents whose attention is looked at (default 1).
    pub attention_documents: usize,
    /// One query in so many is looked at (default 16).
    pub attention_every: usize,
    /// Context lengths at which latency is measured (default: 512, trained, target).
    pub latency_lengths: Vec<Tokens>,
    /// Interleaved blocks of timings at each length (default 6, at least 3).
    pub latency_blocks: usize,
    /// Tokens decoded in each timing (default 16).
    pub decode_tokens: usize,
}

/// Accepted changes; beyond them, and with the interval beyond them too, a question is worse.
#[derive(Clone, Debug, PartialEq)]
pub struct Tolerance {
    /// Nats per token (default 0.02).
    pub short_range: f64,
    /// Nats per token (default 0.02).
    pub long_range: f64,
    /// Share of facts, 0 to 1 (default 0.05).
    pub retrieval: f64,
    /// Ratio deployed to reference (default 1.05).
    pub latency: f64,
}

/// Why a scenario cannot be run.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ScenarioError(String);
impl ScenarioError {
    /// A file that is wrong as a whole.
    #[must_use]
    pub fn invalid(path: &std::path::Path, problem: &str) -> Self { Self(format!("{}: {problem}", path.display())) }
}
