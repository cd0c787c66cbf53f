//! Training of reference models and adaptation to a retrofit: the same decoder that is replayed, with gradients.
//!
//! Every step's tokens follow from the recipe's seed and the step's number, so a killed training resumes from its last
//! save as if nothing had happened.

mod batch;
mod bias_gradient;
mod export;
mod optimizer;
mod state;
mod vocabulary;

use std::path::Path;
use std::time::Instant;

use serde_json::Value;
use tch::{Device, Kind, Reduction, Tensor};

use super::checkpoint::{POSITIONS, Weights, read_tensors};
use super::positions::{Positions, Run};
use super::{Checkpoint, ReplayError};
use crate::checkpoint::Config;
use crate::positions::{AnyMethod, Method};
use crate::recipe::{Adaptation, Course, CurvePoint, Recipe};
use crate::text::{Kind as TokenKind, TextError, Tokenizer};
use crate::units::{Seconds, Stretch, Tokens};
use batch::Batches;
use optimizer::AdamW;

pub use state::curve;
pub use vocabulary::train_tokenizer;

/// Why a training stopped.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// The model or libtorch.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The text.
    #[error(transparent)]
    Text(#[from] TextError),
    /// libtorch.
    #[error("{0}")]
    Torch(#[from] tch::TchError),
    /// The loss is not a number any more.
    #[error("the loss became {loss} at step {step}\nhint: lower `optimizer.peak`, or lengthen `optimizer.warmup`")]
    Diverged {
        /// The step.
        step: usize,
        /// The loss.
        loss: f64,
    },
}

/// Steps between two points of the curve.
const POINT_EVERY: usize = 25;

/// A course of training under way: the model, where it learns from, and at which stretch.
struct Lesson<'a> {
    course: &'a Course,
    batches: Batches,
    model: Checkpoint,
    method: AnyMethod,
    factor: Stretch,
    optimizer: AdamW,
    point_every: usize,
}

/// Trains a model in its folder, or goes on with a training found there.
///
/// Writes `tokenizer.json`, `training/` (state and curve) while it runs, and the checkpoint at the end.
///
/// # Errors
/// [`TrainingError`]; what was saved before stays usable.
pub fn train(
    recipe: &Recipe,
    out: &Path,
    device: Device,
    report: impl FnMut(&CurvePoint),
) -> Result<(), TrainingError> {
    let tokenizer = vocabulary::tokenizer(recipe, out)?;
    let course = recipe.course();
    let json = export::config_with(export::config_json(recipe), &recipe.model.position, 1.0);
    let config = Config::parse(&json).map_err(|error| TrainingError::Replay(ReplayError::Config(error)))?;
    let mut optimizer = AdamW::new(&course.optimizer);
    let weights = Weights::assemble(&config, &mut |name, shape| {
        optimizer.keep(name, &optimizer::fresh(name, shape, course.seed, &config)?, device)
    })?;
    let lesson = Lesson {
        batches: Batches::new(&course, &tokenizer)?,
        course: &course,
        model: Checkpoint { config, weights, kind: Kind::Float, device },
        method: AnyMethod::unscaled(),
        factor: Stretch::ONE,
        optimizer,
        point_every: POINT_EVERY,
    };
    lesson.teach(out, &json, report)
}

/// Goes on with a checkpoint's training under a retrofit, into a folder of its own.
///
/// A mechanism that the weights were not trained with begins with fresh parameters where it learns some. What the
/// folder holds of the same adaptation is gone on with.
///
/// # Errors
/// [`TrainingError`]; what was saved before stays usable.
pub fn adapt(
    recipe: &Adaptation,
    out: &Path,
    device: Device,
    report: impl FnMut(&CurvePoint),
) -> Result<(), TrainingError> {
    let course = recipe.course();
    let tokenizer = Tokenizer::of_checkpoint(&recipe.checkpoint)?;
    let file_error = |path: &Path, error: &dyn std::fmt::Display| state::file_error("read", path, &error.to_string());
    let path = recipe.checkpoint.join("config.json");
    let text = std::fs::read_to_string(&path).map_err(|error| file_error(&path, &error))?;
    let before: Value = serde_json::from_str(&text).map_err(|error| file_error(&path, &error))?;
    let of = |json: &str| Config::parse(json).map_err(|error| TrainingError::Replay(ReplayError::Config(error)));
    let original = of(&text)?;
    let config = original.clone().with_native(&recipe.method);
    let foreign = config.heads.native != original.heads.native;
    if config.architecture.window.is_some() {
        let what = "a checkpoint with a `sliding_window` cannot be adapted: training sees all keys";
        return Err(TrainingError::Replay(ReplayError::Request(what.to_owned())));
    }
    let json = export::config_with(before, &recipe.method, recipe.factor);
    let tensors = read_tensors(&recipe.checkpoint)?;
    let mut optimizer = AdamW::new(&course.optimizer);
    let weights = Weights::assemble(&config, &mut |name, shape| {
        // A foreign mechanism's parameters have another meaning, whatever their shape.
        let theirs = tensors.get(name).filter(|tensor| tensor.size() == shape && !(foreign && name == POSITIONS));
        match theirs {
            Some(tensor) => optimizer.keep(name, &tensor.f_to_kind(Kind::Float)?, device),
            None => optimizer.keep(name, &optimizer::fresh(name, shape, course.seed, &config)?, device),
        }
    })?;
    std::fs::create_dir_all(out).map_err(|error| state::file_error("write", out, &error))?;
    let copy = out.join("tokenizer.json");
    std::fs::copy(recipe.checkpoint.join("tokenizer.json"), &copy)
        .map_err(|error| state::file_error("write", &copy, &error))?;
    let lesson = Lesson {
        batches: Batches::new(&course, &tokenizer)?,
        course: &course,
        model: Checkpoint { config, weights, kind: Kind::Float, device },
        method: recipe.method.clone(),
        factor: Stretch(recipe.factor),
        optimizer,
        point_every: 1,
    };
    lesson.teach(out, &json, report)
}

impl Lesson<'_> {
    /// Goes through all steps from the last save on, and writes the checkpoint.
    fn teach(mut self, out: &Path, config: &str, mut report: impl FnMut(&CurvePoint)) -> Result<(), TrainingError> {
        let course = self.course;
        let mut state = state::State::resume(out, &mut self.optimizer)?;
        let clock = Instant::now();
        let before = state.seconds();
        for step in state.step()..course.steps() {
            if let Some(mut point) = self.one_step(step)? {
                point.seconds = Seconds(before.0 + clock.elapsed().as_secs_f64());
                report(&point);
                state.push(point);
            }
            if (step + 1) % course.save_every == 0 || step + 1 == course.steps() {
                state.save(step + 1, Seconds(before.0 + clock.elapsed().as_secs_f64()), &self.optimizer)?;
            }
        }
        export::write(config, out, &self.optimizer)
    }

    /// One step of the optimizer; now and then a point of the curve.
    fn one_step(&mut self, step: usize) -> Result<Option<CurvePoint>, TrainingError> {
        let Some(stage) = self.course.stage(step) else { return Ok(None) };
        let batch = self.batches.at(step, stage, self.model.device)?;
        let length = stage.length;
        let mechanism = self
            .method
            .mechanism(&self.model.config.heads, self.factor, Tokens(length))
            .map_err(ReplayError::Method)?;
        let learned = self.model.weights.positions.as_ref();
        let positions = Positions::new(&mechanism, Run::alone(0, length - 1), learned, Kind::Float, self.model.device)?;
        let input = batch.tokens_bt.f_narrow(1, 0, length as i64 - 1)?;
        let next = batch.tokens_bt.f_narrow(1, 1, length as i64 - 1)?.f_reshape([-1])?;
        let mut tape = bias_gradient::Tape::of(&positions);
        let hidden = self.model.hidden(&input, &positions, None, Some(&mut |heads, out| tape.keep(heads, out)))?;
        let logits = self.model.logits(&hidden)?.f_flatten(0, 1)?;
        let nll = logits.f_cross_entropy_loss(&next, None::<&Tensor>, Reduction::None, -100, 0.0)?;
        let loss = nll.f_mul(&batch.weights)?.f_sum(Kind::Float)?.f_div(&batch.weights.f_sum(Kind::Float)?)?;
        loss.f_backward()?;
        tape.finish(&positions)?;
        let rate = self.course.rate(step);
        self.optimizer.step(step, rate)?;
        if !(step + 1).is_multiple_of(self.point_every) {
            return Ok(None);
        }
        let loss = loss.f_double_value(&[])?;
        if !loss.is_finite() {
            return Err(TrainingError::Diverged { step, loss });
        }
        let _no_grad = tch::no_grad_guard();
        let mean_where = |values: &Tensor, kind: TokenKind| -> Result<Option<f64>, TrainingError> {
            let mask = batch.mask(kind)?;
            let count = mask.f_sum(Kind::Float)?.f_double_value(&[])?;
            let sum = values.f_mul(&mask)?.f_sum(Kind::Float)?.f_double_value(&[])?;
            Ok((count > 0.0).then(|| sum / count))
        };
        let top = logits.f_argmax(-1, false)?.f_eq_tensor(&next)?.f_to_kind(Kind::Float)?;
        Ok(Some(CurvePoint {
            step: step + 1,
            tokens: self.course.tokens_until(step + 1),
            length: Tokens(length),
            text_nll: mean_where(&nll, TokenKind::Text)?.unwrap_or(f64::NAN),
            answer_nll: mean_where(&nll, TokenKind::Answer)?,
            answer_top1: mean_where(&top, TokenKind::Answer)?,
            rate,
            seconds: Seconds(0.0),
        }))
    }
}
