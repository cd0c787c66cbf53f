//! Training recipes: the user's YAML for `gyro train` and `gyro adapt`, checked before anything runs.
//!
//! Both end in the same [`Course`]: what is read, in which order, and how the weights follow.

mod adaptation;

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::positions::{AnyMethod, Rope};
use crate::scenario::{ScenarioError, yaml};
use crate::units::{Seconds, Tokens};

pub use adaptation::Adaptation;

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
    /// How facts are strewn in the text.
    pub facts: FactSettings,
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
    /// The positional mechanism; `rope` if it is not written. `gyro train --position` replaces it.
    #[serde(default = "rope")]
    pub position: AnyMethod,
}

fn rope() -> AnyMethod {
    AnyMethod::Rope(Rope::default())
}

/// A key that is out of its range, and what is expected of it.
type Problem = (&'static str, &'static str);

fn first_wrong(checks: &[(bool, &'static str, &'static str)]) -> Option<Problem> {
    checks.iter().find(|(fine, ..)| !fine).map(|(_, at, expected)| (*at, *expected))
}

/// Reads a recipe and points at the first key that is out of its range.
fn read<T: DeserializeOwned>(path: &Path, problem: fn(&T) -> Option<Problem>, hint: &str) -> Result<T, ScenarioError> {
    let text = yaml::read(path)?;
    let recipe: T = yaml::parse(path, &text)?;
    match problem(&recipe) {
        None => Ok(recipe),
        Some((at, expected)) => {
            let source = yaml::Source::new(path, &text);
            Err(source.wrong(at, format!("`{at}` is out of its range"), expected, hint).into())
        }
    }
}

/// A course of training: the text, its order, and how the weights follow.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Course {
    /// UTF-8 training text.
    pub text: PathBuf,
    /// Seed of the tokens and their order, and of fresh weights.
    pub seed: u64,
    /// AdamW and its schedule.
    pub optimizer: Optimizer,
    /// What a token's loss weighs, by its kind.
    pub weights: Weights,
    /// How facts are strewn in the text.
    pub facts: FactSettings,
    /// Sequences from short to long.
    pub stages: Vec<Stage>,
    /// Steps between two saves.
    pub save_every: usize,
}

impl Course {
    /// Steps of all stages.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.stages.iter().map(Stage::steps).sum()
    }

    /// Tokens of all stages.
    #[must_use]
    pub fn tokens(&self) -> Tokens {
        self.tokens_until(self.steps())
    }

    /// Tokens seen after so many steps.
    #[must_use]
    pub fn tokens_until(&self, steps: usize) -> Tokens {
        let mut left = steps;
        let mut tokens = 0;
        for stage in &self.stages {
            let here = left.min(stage.steps());
            tokens += here * stage.length * stage.batch;
            left -= here;
        }
        Tokens(tokens)
    }

    /// The learning rate of a step, from 0: warm-up and a cosine to the floor over all stages without a rate of
    /// their own, as if those with one were not there.
    #[must_use]
    pub fn rate(&self, step: usize) -> f64 {
        let s = &self.optimizer;
        let cosine = |peak: f64, share: f64| {
            peak * (s.floor + (1.0 - s.floor) * 0.5 * (1.0 + (std::f64::consts::PI * share).cos()))
        };
        // Steps of stages without a rate of their own, in all and before this one.
        let (mut shared, mut before, mut start) = (0, step, 0);
        for stage in &self.stages {
            let steps = stage.steps();
            match stage.peak {
                Some(peak) if (start..start + steps).contains(&step) => {
                    return cosine(peak, (step - start) as f64 / steps as f64);
                }
                Some(_) if step >= start + steps => before -= steps,
                Some(_) => {}
                None => shared += steps,
            }
            start += steps;
        }
        if before < s.warmup {
            return s.peak * (before + 1) as f64 / s.warmup as f64;
        }
        cosine(s.peak, (before - s.warmup) as f64 / shared.saturating_sub(s.warmup).max(1) as f64)
    }

    /// The first key that is out of its range, and what is expected of it.
    fn problem(&self) -> Option<Problem> {
        let share = |value: f64| (0.0..=1.0).contains(&value);
        let every = |fine: fn(&Stage) -> bool| self.stages.iter().all(fine);
        first_wrong(&[
            (!self.stages.is_empty(), "stages", "at least one stage"),
            (
                every(|stage| stage.length >= 16 && stage.batch > 0 && stage.tokens > 0),
                "stages",
                "a `length` of at least 16, `batch` and `tokens` of at least 1 in every stage",
            ),
            (
                self.stages.iter().all(|stage| share(stage.copying) && share(stage.far)),
                "stages",
                "`copying` and `far` from 0 to 1 in every stage",
            ),
            (every(|stage| stage.peak.is_none_or(|peak| peak > 0.0)), "stages", "a `peak` above 0 where one is given"),
            (self.facts.spacing >= 16, "facts.spacing", "at least 16"),
            (share(self.facts.unanswerable), "facts.unanswerable", "a share from 0 to 1"),
            (share(self.facts.plain), "facts.plain", "a share from 0 to 1"),
            (self.save_every > 0, "save_every", "at least 1"),
            (self.optimizer.peak > 0.0, "optimizer.peak", "a number above 0"),
            (self.optimizer.clip > 0.0, "optimizer.clip", "a number above 0"),
        ])
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

/// How facts are strewn in the text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactSettings {
    /// Tokens of text around one fact and its question (at least 16).
    pub spacing: usize,
    /// Share of questions whose fact was never told, 0 to 1.
    pub unanswerable: f64,
    /// Share of sequences that are text alone, 0 to 1.
    pub plain: f64,
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
    /// Share of facts that are asked as far back as the length allows.
    #[serde(default)]
    pub far: f64,
    /// A learning rate of its own: the schedule of the stages before has ended, and a cosine from this rate to the same
    /// floor spans this stage.
    #[serde(default)]
    pub peak: Option<f64>,
}

/// A point of the training curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Steps done.
    pub step: usize,
    /// Tokens seen.
    pub tokens: Tokens,
    /// Length of the sequences.
    pub length: Tokens,
    /// Loss of the text tokens in nats per token.
    pub text_nll: f64,
    /// Loss of the asked values in nats per token; absent in a batch without questions.
    pub answer_nll: Option<f64>,
    /// Share of asked values that were the most likely token.
    pub answer_top1: Option<f64>,
    /// Learning rate.
    pub rate: f64,
    /// Training time so far, over all sessions.
    pub seconds: Seconds,
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
    /// [`ScenarioError`] with file, line, what was expected and a hint.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        let mut recipe = read(path, Self::problem, HINT)?;
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        recipe.text = folder.join(&recipe.text);
        recipe.held_out = folder.join(&recipe.held_out);
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
            stages: self.stages.clone(),
            save_every: self.save_every,
        }
    }

    /// The first key that is out of its range, and what is expected of it.
    fn problem(&self) -> Option<Problem> {
        let model = &self.model;
        let heads = model.heads;
        let checks = [
            (model.vocabulary >= 600, "model.vocabulary", "at least 600: 256 bytes and enough word-pieces for facts"),
            (heads > 0 && model.width.is_multiple_of(2 * heads), "model.width", "an even multiple of `model.heads`"),
            (
                model.kv_heads > 0 && heads.is_multiple_of(model.kv_heads),
                "model.kv_heads",
                "a divisor of `model.heads`",
            ),
            (model.layers > 0, "model.layers", "at least 1"),
            (model.feed_forward > 0, "model.feed_forward", "at least 1"),
            (model.theta.is_finite() && model.theta > 1.0, "model.theta", "a number above 1"),
            (
                self.stages.last().is_some_and(|stage| stage.length == model.trained),
                "stages",
                "a last stage whose `length` is `model.trained`",
            ),
        ];
        first_wrong(&checks).or_else(|| self.course().problem())
    }
}

const HINT: &str = "`models/reference/2k.yaml` is a recipe that works";

#[cfg(test)]
mod tests {
    use super::*;

    fn course(stages: &[(usize, Option<f64>)]) -> Course {
        let stage = |&(steps, peak): &(usize, Option<f64>)| Stage {
            length: 16,
            batch: 1,
            tokens: 16 * steps,
            copying: 0.0,
            far: 0.0,
            peak,
        };
        Course {
            text: PathBuf::new(),
            seed: 1,
            optimizer: Optimizer {
                peak: 1e-3,
                warmup: 10,
                floor: 0.1,
                betas: [0.9, 0.95],
                weight_decay: 0.0,
                clip: 1.0,
            },
            weights: Weights { answer: 1.0, random: 1.0 },
            facts: FactSettings { spacing: 48, unanswerable: 0.0, plain: 0.0 },
            stages: stages.iter().map(stage).collect(),
            save_every: 1,
        }
    }

    fn assert_near(got: f64, expected: f64) {
        assert!((got - expected).abs() < 1e-12, "{got}, expected {expected}");
    }

    #[test]
    fn a_stage_with_its_own_rate_leaves_the_others_schedule_alone() {
        let plain = course(&[(60, None), (50, None)]);
        let between = course(&[(60, None), (20, Some(5e-4)), (50, None)]);
        assert_near(plain.rate(0), 1e-4);
        assert_near(plain.rate(10), 1e-3);
        // Half of the cosine from 1e-3 down to a tenth of it.
        assert_near(plain.rate(60), 5.5e-4);
        for step in 0..60 {
            assert_near(between.rate(step), plain.rate(step));
        }
        assert_near(between.rate(60), 5e-4);
        assert_near(between.rate(70), 0.5 * 1.1 * 5e-4);
        for step in 60..110 {
            assert_near(between.rate(step + 20), plain.rate(step));
        }
    }

    #[test]
    fn what_a_stage_may_not_be_is_named() {
        assert_eq!(course(&[(5, None)]).problem(), None);
        assert_eq!(course(&[]).problem().map(|(at, _)| at), Some("stages"));
        assert_eq!(course(&[(5, Some(-1.0))]).problem().map(|(_, expected)| expected.contains("peak")), Some(true));
        let mut far = course(&[(5, None)]);
        far.stages.iter_mut().for_each(|stage| stage.far = 1.5);
        assert!(far.problem().is_some_and(|(_, expected)| expected.contains("far")));
    }
}
