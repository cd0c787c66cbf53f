//! Training of reference models: the same decoder that is replayed, with gradients.
//!
//! Every step's tokens follow from the recipe's seed and the step's number, so a killed training resumes from its last
//! save as if nothing had happened.

mod batch;
mod export;
mod optimizer;
mod state;
mod vocabulary;

use std::path::Path;
use std::time::Instant;

use tch::{Device, Kind, Reduction, Tensor};

use super::attention::Positions;
use super::checkpoint::Weights;
use super::{Checkpoint, ReplayError};
use crate::checkpoint::Config;
use crate::positions::{AnyMethod, Method};
use crate::recipe::{CurvePoint, Recipe};
use crate::text::{Kind as TokenKind, TextError};
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
    mut report: impl FnMut(&CurvePoint),
) -> Result<(), TrainingError> {
    let tokenizer = vocabulary::tokenizer(recipe, out)?;
    let batches = Batches::new(recipe, &tokenizer)?;
    let config = Config::parse(&export::config_json(recipe))
        .map_err(|error| TrainingError::Replay(ReplayError::Config(error)))?;
    let mut optimizer = AdamW::new(&recipe.optimizer, recipe.steps());
    let weights = Weights::assemble(&config.architecture, &mut |name, shape| {
        optimizer.parameter(name, shape, recipe.seed, config.architecture.layers, device)
    })?;
    let mut model = Checkpoint { config, weights, kind: Kind::Float, device };
    let mut state = state::State::resume(out, &mut optimizer)?;
    let clock = Instant::now();
    let before = state.seconds();
    for step in state.step()..recipe.steps() {
        let point = one_step(recipe, &batches, &mut model, &mut optimizer, step)?;
        if let Some(mut point) = point {
            point.seconds = Seconds(before.0 + clock.elapsed().as_secs_f64());
            report(&point);
            state.push(point);
        }
        if (step + 1) % recipe.save_every == 0 || step + 1 == recipe.steps() {
            state.save(step + 1, Seconds(before.0 + clock.elapsed().as_secs_f64()), &optimizer)?;
        }
    }
    export::write(recipe, out, &optimizer)?;
    Ok(())
}

/// One step of the optimizer; every [`POINT_EVERY`] steps a point of the curve.
fn one_step(
    recipe: &Recipe,
    batches: &Batches,
    model: &mut Checkpoint,
    optimizer: &mut AdamW,
    step: usize,
) -> Result<Option<CurvePoint>, TrainingError> {
    let Some(stage) = recipe.stage(step) else { return Ok(None) };
    let batch = batches.at(step, stage, model.device)?;
    let length = stage.length;
    let mechanism = AnyMethod::unscaled()
        .mechanism(&model.config.heads, Stretch::ONE, Tokens(length))
        .map_err(ReplayError::Method)?;
    let positions = Positions::new(&mechanism, 0, length - 1, Kind::Float, model.device)?;
    let input = batch.tokens_bt.f_narrow(1, 0, length as i64 - 1)?;
    let next = batch.tokens_bt.f_narrow(1, 1, length as i64 - 1)?.f_reshape([-1])?;
    let hidden = model.hidden(&input, &positions, None, None)?;
    let logits = model.logits(&hidden)?.f_flatten(0, 1)?;
    let nll = logits.f_cross_entropy_loss(&next, None::<&Tensor>, Reduction::None, -100, 0.0)?;
    let loss = nll.f_mul(&batch.weights)?.f_sum(Kind::Float)?.f_div(&batch.weights.f_sum(Kind::Float)?)?;
    loss.f_backward()?;
    let rate = optimizer.step(step)?;
    if !(step + 1).is_multiple_of(POINT_EVERY) {
        return Ok(None);
    }
    let loss = loss.f_double_value(&[])?;
    if !loss.is_finite() {
        return Err(TrainingError::Diverged { step, loss });
    }
    let mean_where = |values: &Tensor, kind: TokenKind| -> Result<Option<f64>, TrainingError> {
        let mask = batch.mask(kind)?;
        let count = mask.f_sum(Kind::Float)?.f_double_value(&[])?;
        let sum = values.f_mul(&mask)?.f_sum(Kind::Float)?.f_double_value(&[])?;
        Ok((count > 0.0).then(|| sum / count))
    };
    let top = logits.f_argmax(-1, false)?.f_eq_tensor(&next)?.f_to_kind(Kind::Float)?;
    let _no_grad = tch::no_grad_guard();
    Ok(Some(CurvePoint {
        step: step + 1,
        tokens: Batches::tokens_until(recipe, step + 1),
        length: Tokens(length),
        text_nll: mean_where(&nll, TokenKind::Text)?.unwrap_or(f64::NAN),
        answer_nll: mean_where(&nll, TokenKind::Answer)?,
        answer_top1: mean_where(&top, TokenKind::Answer)?,
        rate,
        seconds: Seconds(0.0),
    }))
}
