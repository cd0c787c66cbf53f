//! A scenario: the user's YAML, checked before anything runs.
//!
//! What the file says (`written`) and what is run ([`Scenario`]) are two types; [`load`] is the only road between them.

mod check;
mod deployed;
mod error;
mod explain;
mod locate;
mod written;
pub(crate) mod yaml;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};

use crate::faults::AnyFault;
use crate::findings::{Axis, Question};
use crate::measurement::Cell;
use crate::positions::{AnyMethod, Method, Scheme};
use crate::units::{Stretch, Tokens};

pub use error::{Mistake, Place, ScenarioError};

/// Reads and checks a scenario.
///
/// # Errors
/// [`ScenarioError::Read`] and [`ScenarioError::TooLarge`] where the file cannot be read,
/// [`ScenarioError::Mistakes`] where it says something that cannot be.
pub fn load(path: &Path) -> Result<Scenario, ScenarioError> {
    let text = yaml::read(path)?;
    check::check(yaml::parse(path, &text)?, &yaml::Source::new(path, &text))
}

/// Checks a scenario that a run has recorded: its text, and the path that relative paths in it start from.
///
/// # Errors
/// [`ScenarioError::Mistakes`] as [`load`]: also where its files are no longer there.
pub fn recorded(path: &Path, text: &str) -> Result<Scenario, ScenarioError> {
    check::check(yaml::parse(path, text)?, &yaml::Source::new(path, text))
}

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
    /// Checkpoints that were trained with other mechanisms.
    pub checkpoints: BTreeMap<Scheme, PathBuf>,
    /// The context length that the checkpoint was trained at.
    pub trained: Tokens,
    /// The context length to serve.
    pub target: Tokens,
    /// The retrofit as deployed.
    pub deployed: (AnyMethod, Stretch),
    /// The deployment's own `config.json`, where the retrofit was read from it.
    pub deployed_config: Option<PathBuf>,
    /// Methods of the grid, without duplicates; always holds the deployed one.
    pub methods: Vec<AnyMethod>,
    /// Factors of the grid, ascending, without duplicates; always holds the deployed one.
    pub factors: Vec<Stretch>,
    /// Tokens of adaptation at which the grid is measured, ascending, without duplicates; always holds the deployed one.
    pub adapted: Vec<Tokens>,
    /// Tokens of adaptation of the deployed retrofit.
    pub deployed_adapted: Tokens,
    /// The faults of the engine that the retrofit is deployed in.
    pub conditions: Vec<AnyFault>,
    /// Faults that are tried under the deployed method and factor, one at a time.
    pub ablated_conditions: Vec<AnyFault>,
    /// How weights are adapted; absent where nothing is.
    pub adaptation: Option<AdaptationPlan>,
    /// The mechanism of the main checkpoint's weights.
    pub scheme: Scheme,
    /// The methods that the memo weighs; absent: all of the grid.
    pub candidates: Option<Vec<AnyMethod>>,
    /// What the engine answered, from which the deployed retrofit is identified; absent where what was meant is believed.
    pub observed: Option<PathBuf>,
    /// Which combinations of them are measured.
    pub grid: GridShape,
    /// The label of the one cell that is measured beside the deployed one and the references; absent: the whole grid.
    pub only: Option<String>,
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

impl Scenario {
    /// The cells to measure, each once: the unscaled model, the grid in a healthy engine, the deployed cell as it is and
    /// with each of its conditions reverted, each condition to be tried, and, where something beyond the trained length is
    /// asked, the unscaled model with truncated context.
    #[must_use]
    pub fn cells(&self) -> Vec<Cell> {
        let mut cells = vec![Cell::unscaled()];
        for method in &self.methods {
            for factor in &self.factors {
                // Weights trained with the method itself are meant to be read at factor 1, in the quick form too.
                let own = *factor == Stretch::ONE && self.checkpoints.contains_key(&method.scheme());
                if self.grid == GridShape::Full || *method == self.deployed.0 || *factor == self.deployed.1 || own {
                    let cell = Cell::grid(method.clone(), *factor);
                    let there = self.adapted.iter().filter(|tokens| tokens.0 > 0 || self.has_weights(method));
                    cells.extend(there.map(|tokens| cell.clone().after(*tokens)));
                }
            }
        }
        cells.push(self.deployed_cell());
        cells.extend(self.conditioned_cells());
        let asks_beyond = |probe: &ProbeName| matches!(probe, ProbeName::LongRange | ProbeName::Retrieval);
        if self.target > self.trained && self.probes.iter().any(asks_beyond) {
            cells.push(Cell::truncated());
        }
        let mut seen = HashSet::new();
        cells.retain(|cell| seen.insert(cell.id()));
        if let Some(label) = &self.only {
            let kept = [Cell::unscaled(), Cell::truncated(), self.deployed_cell()];
            cells.retain(|cell| kept.contains(cell) || cell.label() == *label);
        }
        cells
    }

    /// The same scenario with one cell of its grid, beside the deployed one and the references.
    ///
    /// # Errors
    /// [`ScenarioError::NoSuchCell`] where the grid has no cell of that label.
    pub fn only(mut self, label: &str) -> Result<Self, ScenarioError> {
        let labels: Vec<String> = self.cells().iter().map(Cell::label).collect();
        if !labels.iter().any(|one| one == label) {
            return Err(ScenarioError::NoSuchCell { label: label.to_owned(), there: labels });
        }
        self.only = Some(label.to_owned());
        self.sizes.latency_candidates = 0;
        Ok(self)
    }

    /// The cell as deployed.
    #[must_use]
    pub fn deployed_cell(&self) -> Cell {
        self.healthy_cell().under(self.conditions.clone())
    }

    /// The deployed method and factor in a healthy engine.
    #[must_use]
    pub fn healthy_cell(&self) -> Cell {
        Cell::grid(self.deployed.0.clone(), self.deployed.1).after(self.deployed_adapted)
    }

    /// The deployed method and factor with each deployed condition reverted, and under each condition to be tried.
    fn conditioned_cells(&self) -> Vec<Cell> {
        let but = |index: usize| {
            let others = self.conditions.iter().enumerate().filter(|(other, _)| *other != index);
            others.map(|(_, fault)| fault.clone()).collect()
        };
        let reverted = (0..self.conditions.len()).map(but);
        let tried = self.ablated_conditions.iter().map(|fault| vec![fault.clone()]);
        reverted.chain(tried).map(|faults| self.healthy_cell().under(faults)).collect()
    }

    /// Whether weights of the method's own mechanism are at hand, so that it can be measured without adaptation.
    #[must_use]
    pub fn has_weights(&self, method: &AnyMethod) -> bool {
        let scheme = method.scheme();
        scheme == Scheme::Any || scheme == self.scheme || self.checkpoints.contains_key(&scheme)
    }

    /// The folder of the weights that a method is measured with, or adapted from.
    #[must_use]
    pub fn weights_of(&self, method: &AnyMethod) -> &Path {
        self.checkpoints.get(&method.scheme()).unwrap_or(&self.checkpoint)
    }

    /// How a cell's weights came to know its mechanism.
    #[must_use]
    pub fn training_of(&self, cell: &Cell) -> Training {
        if cell.adapted.0 > 0 {
            Training::Adapted
        } else if self.checkpoints.contains_key(&cell.method.scheme()) {
            Training::Own
        } else {
            Training::Free
        }
    }

    /// The scenario of an engine that runs this; what was meant stays in the grid.
    #[must_use]
    pub fn running(mut self, method: AnyMethod, factor: Stretch, conditions: Vec<AnyFault>) -> Self {
        if !self.methods.contains(&method) {
            self.methods.insert(0, method.clone());
        }
        if !self.factors.contains(&factor) {
            self.factors.push(factor);
            self.factors.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        self.deployed = (method, factor);
        self.conditions = conditions;
        self
    }

    /// The same question answered quickly, with wider intervals (`--quick`).
    ///
    /// Only the cross of the grid through the deployed cell, at most 4 documents with 3 deep windows each, no
    /// attention, latency in 3 blocks at 512 tokens and the trained length, and adaptations of at most 16 sequences.
    #[must_use]
    pub fn quick(mut self) -> Self {
        self.grid = GridShape::Cross;
        // Without any other probe there would be nothing left to run.
        if self.probes.iter().any(|probe| *probe != ProbeName::Attention) {
            self.probes.retain(|probe| *probe != ProbeName::Attention);
            self.sizes.attention_documents = 0;
        }
        if let Some(plan) = &self.adaptation {
            let most = Tokens(16 * plan.length.0);
            self.deployed_adapted = self.deployed_adapted.min(most);
            self.adapted.iter_mut().for_each(|tokens| *tokens = (*tokens).min(most));
            self.adapted.dedup();
        }
        self.sizes.documents = self.sizes.documents.min(4);
        self.sizes.attention_documents = self.sizes.attention_documents.min(1);
        self.sizes.short_windows = self.sizes.short_windows.min(3);
        self.sizes.latency_lengths = vec![Tokens(512).min(self.trained), self.trained];
        self.sizes.latency_lengths.dedup();
        self.sizes.latency_blocks = self.sizes.latency_blocks.min(3);
        self
    }

    /// The deployed cell and its references alone, under the probes that answer these questions: what a gate needs.
    #[must_use]
    pub fn narrowed(mut self, questions: &[Question]) -> Self {
        self.grid = GridShape::Deployed;
        self.methods = vec![self.deployed.0.clone()];
        self.factors = vec![self.deployed.1];
        self.adapted = vec![self.deployed_adapted];
        self.sizes.latency_candidates = 0;
        self.probes.retain(|probe| probe.question().is_some_and(|question| questions.contains(&question)));
        self.decide.retain(|question| questions.contains(question));
        self.expect.clear();
        self
    }

    /// Identifies the scenario as it was written: the BLAKE3 hash of its text, in hexadecimal.
    ///
    /// The quick form has another hash than the full one, and so has a part of it: their rows must not be mixed.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.text.as_bytes());
        match self.grid {
            GridShape::Full => {}
            GridShape::Cross => {
                hasher.update(b"\0quick");
            }
            GridShape::Deployed => {
                hasher.update(format!("\0{:?} {:?}", self.probes, self.sizes).as_bytes());
            }
        }
        if let Some(label) = &self.only {
            hasher.update(b"\0only ").update(label.as_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }

    /// The JSON schema (draft 7) of a scenario's file, indented; editors check and complete with it.
    #[must_use]
    pub fn schema() -> String {
        let schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<written::Written>();
        format!("{:#}", schema.as_value())
    }
}

/// How weights are adapted to a retrofit.
#[derive(Clone, Debug, PartialEq)]
pub struct AdaptationPlan {
    /// UTF-8 training text.
    pub text: PathBuf,
    /// Tokens in a sequence.
    pub length: Tokens,
}

/// How a cell's weights came to know its mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Training {
    /// The main checkpoint as it is.
    Free,
    /// A checkpoint that was trained with this mechanism.
    Own,
    /// Trained further under this method and factor.
    Adapted,
}

impl Training {
    /// In words: `training-free`.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Free => "training-free",
            Self::Own => "own weights",
            Self::Adapted => "adapted",
        }
    }
}

/// Which combinations of methods and factors are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GridShape {
    /// Every method at every factor.
    Full,
    /// The deployed method at every factor, and every method at the deployed factor.
    Cross,
    /// The deployed method at the deployed factor.
    Deployed,
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

impl ProbeName {
    /// Every probe, in the order of the documentation.
    pub const ALL: [Self; 5] = [Self::ShortRange, Self::LongRange, Self::Retrieval, Self::Attention, Self::Latency];

    /// The name in files: `short_range`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ShortRange => "short_range",
            Self::LongRange => "long_range",
            Self::Retrieval => "retrieval",
            Self::Attention => "attention",
            Self::Latency => "latency",
        }
    }

    /// The question that it answers; attention explains and decides nothing.
    #[must_use]
    pub fn question(self) -> Option<Question> {
        match self {
            Self::ShortRange => Some(Question::ShortRange),
            Self::LongRange => Some(Question::LongRange),
            Self::Retrieval => Some(Question::Retrieval),
            Self::Attention => None,
            Self::Latency => Some(Question::Latency),
        }
    }
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
    /// Context lengths at which latency is measured (default: 256, 1,024, trained, target).
    pub latency_lengths: Vec<Tokens>,
    /// Interleaved blocks of timings at each length (default 6, at least 3).
    pub latency_blocks: usize,
    /// Tokens decoded in each timing (default 16).
    pub decode_tokens: usize,
    /// How many of the best candidates are timed beside the deployed cell (default 0).
    pub latency_candidates: usize,
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
