//! A short training under a retrofit: what `gyro adapt` does to a checkpoint.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Course, FactSettings, Optimizer, Problem, Stage, Weights, first_wrong, read};
use crate::positions::{AnyMethod, Method};
use crate::scenario::ScenarioError;

/// How a checkpoint is adapted to a retrofit; every path is relative to the recipe's file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adaptation {
    /// Folder of the checkpoint in Hugging Face layout.
    pub checkpoint: PathBuf,
    /// The positional method to adapt to; a mechanism that the weights do not know begins with fresh parameters.
    pub method: AnyMethod,
    /// Its factor.
    pub factor: f64,
    /// Tokens in a sequence: the length to serve.
    pub length: usize,
    /// Sequences in a step.
    #[serde(default = "one")]
    pub batch: usize,
    /// Tokens in all.
    pub tokens: usize,
    /// UTF-8 training text.
    pub text: PathBuf,
    /// Seed of the tokens and their order, and of fresh parameters.
    #[serde(default = "seed")]
    pub seed: u64,
    /// AdamW and its schedule.
    #[serde(default = "gentle")]
    pub optimizer: Optimizer,
    /// What a token's loss weighs, by its kind.
    #[serde(default = "answers_first")]
    pub weights: Weights,
    /// How facts are strewn in the text.
    #[serde(default = "as_the_references")]
    pub facts: FactSettings,
    /// Steps between two saves.
    #[serde(default = "often")]
    pub save_every: usize,
}

fn one() -> usize {
    1
}

fn seed() -> u64 {
    17
}

/// A fifth of the reference models' rate: position interpolation's paper adapts with 1e-5 to 2e-5 where Llama trained
/// with 1.5e-4 to 3e-4; models this small bear more, and have fewer steps.
fn gentle() -> Optimizer {
    Optimizer { peak: 4e-4, warmup: 5, floor: 0.1, betas: [0.9, 0.95], weight_decay: 0.0, clip: 1.0 }
}

fn answers_first() -> Weights {
    Weights { answer: 3.0, random: 0.02 }
}

fn as_the_references() -> FactSettings {
    FactSettings { spacing: 48, unanswerable: 0.15, plain: 0.15 }
}

fn often() -> usize {
    20
}

impl Adaptation {
    /// An adaptation with the usual settings.
    #[must_use]
    pub fn usual(
        checkpoint: PathBuf,
        method: AnyMethod,
        factor: f64,
        length: usize,
        tokens: usize,
        text: PathBuf,
    ) -> Self {
        Self {
            checkpoint,
            method,
            factor,
            length,
            batch: one(),
            tokens,
            text,
            seed: seed(),
            optimizer: gentle(),
            weights: answers_first(),
            facts: as_the_references(),
            save_every: often(),
        }
    }

    /// Reads and checks a recipe; its paths come back resolved.
    ///
    /// # Errors
    /// [`ScenarioError`] with file, line, what was expected and a hint.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        let mut recipe = read(path, Self::problem, HINT)?;
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        recipe.text = folder.join(&recipe.text);
        recipe.checkpoint = folder.join(&recipe.checkpoint);
        Ok(recipe)
    }

    /// What is trained on, in which order.
    #[must_use]
    pub fn course(&self) -> Course {
        Course {
            text: self.text.clone(),
            seed: self.seed,
            optimizer: self.optimizer.clone(),
            weights: self.weights.clone(),
            facts: self.facts.clone(),
            stages: vec![Stage {
                length: self.length,
                batch: self.batch,
                tokens: self.tokens,
                copying: 0.0,
                far: 0.0,
                peak: None,
            }],
            save_every: self.save_every,
        }
    }

    /// The first key that is out of its range, and what is expected of it.
    fn problem(&self) -> Option<Problem> {
        first_wrong(&[
            (self.method.check().is_ok(), "method", "a method with parameters in their ranges"),
            (self.factor.is_finite() && self.factor >= 1.0, "factor", "a number of at least 1"),
            (self.length >= 16, "length", "at least 16 tokens"),
            (self.batch > 0, "batch", "at least 1"),
            (self.tokens >= self.length, "tokens", "at least `length`"),
        ])
        .or_else(|| self.course().problem())
    }
}

const HINT: &str = "`models/reference/adapt-ntk.yaml` is a recipe that works";
