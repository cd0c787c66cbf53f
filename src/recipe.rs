//! A training recipe: the user's YAML for `gyro train`, checked before anything runs.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::scenario::{ScenarioError, yaml};
use crate::units::Tokens;

/// How a reference model is trained; every path is relative to the recipe's file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The decoder.
    pub model: Shape,
    /// UTF-8 training text.
    pub text: PathBuf,
    /// UTF-8 text that training never sees, for the card's numbers.
    pub held_out: PathBuf,
    /// Seed of the weights, the tokens and their order.
    pub seed: u64,
    /// AdamW and its schedule.
    pub optimizer: Optimizer,
    /// What a token's loss weighs, by its kind.
    pub weights: Weights,
    /// Tokens of text around one fact and its question (at least 16).
    pub fact_spacing: usize,
    /// Sequences from short to long; the last at the trained length.
    pub stages: Vec<Stage>,
    /// Steps between two saves.
    pub save_every: usize,
}

/// The shape of a Llama decoder with tied embeddings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// Tokens of the byte-level BPE vocabulary, markers included.
    pub vocabulary: usize,
    /// Width of the residual stream.
    pub width: usize,
    /// Layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key-value heads.
    pub kv_heads: usize,
    /// Width of the feed-forward part.
    pub feed_forward: usize,
    /// Base of the rotary frequencies.
    pub theta: f64,
    /// The context length that the model is trained for.
    pub trained: usize,
}

/// AdamW (arXiv 1711.05101) with linear warm-up and a cosine to a floor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optimizer {
    /// Largest learning rate.
    pub peak: f64,
    /// Steps to reach it.
    pub warmup: usize,
    /// Last learning rate as a share of the peak.
    pub floor: f64,
    /// Decay of the moments.
    pub betas: [f64; 2],
    /// Decoupled weight decay, on matrices only.
    pub weight_decay: f64,
    /// Largest norm of the gradient.
    pub clip: f64,
}

/// Weights of the loss by kind of token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// A value that a question asks for.
    pub answer: f64,
    /// A random token that nothing can predict.
    pub random: f64,
}

/// A stretch of training at one length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Tokens in a sequence.
    pub length: usize,
    /// Sequences in a step.
    pub batch: usize,
    /// Tokens in the stage.
    pub tokens: usize,
    /// Share of sequences that are random tokens with repeated spans.
    #[serde(default)]
    pub copying: f64,
}

impl Stage {
    /// Steps of the stage, rounded up.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.tokens.div_ceil(self.length * self.batch)
    }
}

impl Recipe {
    /// Reads and checks a recipe; its paths come back resolved.
    ///
    /// # Errors
    /// [`ScenarioError`] with file, line and what was expected.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        let mut recipe: Self = yaml::load(path)?;
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        recipe.text = folder.join(&recipe.text);
        recipe.held_out = folder.join(&recipe.held_out);
        if let Some(problem) = recipe.problem() {
            return Err(ScenarioError::invalid(path, &problem));
        }
        Ok(recipe)
    }

    /// Steps of all stages.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.stages.iter().map(Stage::steps).sum()
    }

    /// Tokens of all stages.
    #[must_use]
    pub fn tokens(&self) -> Tokens {
        Tokens(self.stages.iter().map(|stage| stage.steps() * stage.length * stage.batch).sum())
    }

    /// The stage of a step.
    #[must_use]
    pub fn stage(&self, step: usize) -> Option<&Stage> {
        let mut start = 0;
        self.stages.iter().find(|stage| {
            start += stage.steps();
            step < start
        })
    }

    fn problem(&self) -> Option<String> {
        let model = &self.model;
        let checks = [
            (model.vocabulary >= 600, "`model.vocabulary` must be at least 600"),
            (model.heads > 0 && model.width.is_multiple_of(model.heads), "`model.width` must be a multiple of `model.heads`"),
            (model.heads > 0 && (model.width / model.heads).is_multiple_of(2), "the width of a head must be even"),
            (
                model.kv_heads > 0 && model.heads.is_multiple_of(model.kv_heads),
                "`model.heads` must be a multiple of `model.kv_heads`",
            ),
            (model.layers > 0 && model.feed_forward > 0, "`model.layers` and `model.feed_forward` must be at least 1"),
            (model.theta > 1.0, "`model.theta` must be above 1"),
            (!self.stages.is_empty(), "`stages` must hold at least one"),
            (
                self.stages.iter().all(|stage| stage.length >= 16 && stage.batch > 0 && stage.tokens > 0),
                "a stage needs `length` of at least 16, and `batch` and `tokens` of at least 1",
            ),
            (
                self.stages.last().is_some_and(|stage| stage.length == model.trained),
                "the last stage's `length` must be `model.trained`",
            ),
            (self.fact_spacing >= 16, "`fact_spacing` must be at least 16"),
            (self.save_every > 0, "`save_every` must be at least 1"),
            (self.optimizer.peak > 0.0 && self.optimizer.clip > 0.0, "`optimizer.peak` and `.clip` must be above 0"),
        ];
        checks.into_iter().find(|(fine, _)| !fine).map(|(_, problem)| problem.to_owned())
    }
}
