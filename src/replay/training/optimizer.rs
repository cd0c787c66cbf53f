//! AdamW with its state in the open, so that it can be saved.
//!
//! tch's own optimizer hides its moments, and a training that cannot be resumed exactly is of no use here.

use tch::{Device, Kind, Tensor};

use super::TrainingError;
use crate::checkpoint::Config;
use crate::positions::{Bias, Buckets, Mechanism, Method, Scheme, slopes};
use crate::recipe;
use crate::replay::ReplayError;
use crate::replay::checkpoint::POSITIONS;
use crate::units::Stretch;

/// One weight and its moments.
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) weight: Tensor,
    pub(super) first: Tensor,
    pub(super) second: Tensor,
}

/// AdamW (arXiv 1711.05101) with warm-up, cosine and clipping.
pub(super) struct AdamW {
    pub(super) parameters: Vec<Parameter>,
    settings: recipe::Optimizer,
}

/// Added to the root of the second moment; PyTorch's default.
const EPSILON: f64 = 1e-8;
/// Standard deviation of fresh weights; GPT-2's and Llama's.
const INITIAL_DEVIATION: f64 = 0.02;

/// A fresh weight, drawn from the seed and its name alone: models of one recipe begin alike where shapes agree.
///
/// Norms start at 1; what writes to the residual stream is divided by `sqrt(2 layers)` (GPT-2); KERPLE's kernels and the
/// learned tables of T5 and of clipped offsets start as ALiBi's slopes. From values near 0 a table learns too slowly: a
/// step of AdamW moves a bias by the learning rate, and a head needs differences of several nats to prefer its neighbour.
pub(super) fn fresh(name: &str, shape: &[i64], seed: u64, config: &Config) -> Result<Tensor, ReplayError> {
    let options = (Kind::Float, Device::Cpu);
    if name.contains("norm") {
        return Ok(Tensor::f_ones(shape, options)?);
    }
    let scheme = config.heads.native.scheme();
    if name == POSITIONS && matches!(scheme, Scheme::PowerKernel | Scheme::LogKernel) {
        let heads = slopes(config.heads.heads);
        let ones = vec![1.0; heads.len()];
        let rows = [Tensor::f_from_slice(&heads)?, Tensor::f_from_slice(&ones)?];
        return Ok(Tensor::f_stack(&rows, 0)?.f_to_kind(Kind::Float)?);
    }
    if name == POSITIONS
        && let Some(buckets) = learned_buckets(config)?
    {
        return sloped(&buckets, config.heads.heads);
    }
    let hash = blake3::hash(name.as_bytes());
    let of_name = hash.as_bytes().iter().take(7).fold(0_i64, |sum, &byte| sum << 8 | i64::from(byte));
    tch::manual_seed(of_name ^ i64::try_from(seed >> 1).unwrap_or(0));
    let writes_to_stream = name.contains("o_proj") || name.contains("down_proj");
    let scale = if writes_to_stream { (2.0 * config.architecture.layers as f64).sqrt().recip() } else { 1.0 };
    Ok(Tensor::f_randn(shape, options)?.f_mul_scalar(INITIAL_DEVIATION * scale)?)
}

/// How the model's own mechanism shares learned biases; nothing where it learns none.
fn learned_buckets(config: &Config) -> Result<Option<Buckets>, ReplayError> {
    let native = &config.heads.native;
    if !matches!(native.scheme(), Scheme::Buckets | Scheme::Offsets) {
        return Ok(None);
    }
    match native.mechanism(&config.heads, Stretch::ONE, config.heads.trained)? {
        Mechanism::Bias(Bias::Learned(buckets)) => Ok(Some(buckets)),
        _ => Ok(None),
    }
}

/// ALiBi's bias at the least distance of each bucket, `[buckets, heads]`.
fn sloped(buckets: &Buckets, heads: usize) -> Result<Tensor, ReplayError> {
    let slopes = slopes(heads);
    let mut rows = Vec::with_capacity(buckets.count() * heads);
    let mut distance = 0;
    for bucket in 0..buckets.count() {
        while buckets.of(distance) < bucket {
            distance += 1;
        }
        rows.extend(slopes.iter().map(|slope| -slope * distance as f64));
    }
    Ok(Tensor::f_from_slice(&rows)?.f_view([-1, heads as i64])?.f_to_kind(Kind::Float)?)
}

impl AdamW {
    pub(super) fn new(settings: &recipe::Optimizer) -> Self {
        Self { parameters: Vec::new(), settings: settings.clone() }
    }

    /// Keeps a weight for the steps; returns it on its device, with gradients.
    pub(super) fn keep(&mut self, name: &str, weight: &Tensor, device: Device) -> Result<Tensor, ReplayError> {
        let weight = weight.f_detach()?.f_to_device_(device, Kind::Float, false, true)?.f_set_requires_grad(true)?;
        self.parameters.push(Parameter {
            name: name.to_owned(),
            first: weight.f_zeros_like()?,
            second: weight.f_zeros_like()?,
            weight: weight.shallow_clone(),
        });
        Ok(weight)
    }

    /// Applies the gradients at a learning rate, and clears them.
    pub(super) fn step(&mut self, step: usize, rate: f64) -> Result<(), TrainingError> {
        let _no_grad = tch::no_grad_guard();
        let [beta1, beta2] = self.settings.betas;
        let scale = self.clip_scale()?;
        let correction1 = 1.0 - beta1.powi(step as i32 + 1);
        let correction2 = 1.0 - beta2.powi(step as i32 + 1);
        for parameter in &mut self.parameters {
            let gradient = parameter.weight.f_grad()?;
            let scaled = gradient.f_mul_scalar(scale)?;
            let _ = parameter.first.f_lerp_(&scaled, 1.0 - beta1)?;
            let _ = parameter.second.f_mul_scalar_(beta2)?;
            let _ = parameter.second.f_addcmul_(&scaled, &scaled.f_mul_scalar(1.0 - beta2)?)?;
            let root = parameter.second.f_sqrt()?.f_div_scalar(correction2.sqrt())?.f_add_scalar(EPSILON)?;
            if parameter.weight.dim() > 1 {
                let _ = parameter.weight.f_mul_scalar_(1.0 - rate * self.settings.weight_decay)?;
            }
            let update = parameter.first.f_div(&root)?.f_mul_scalar(-rate / correction1)?;
            let _ = parameter.weight.f_add_(&update)?;
            parameter.weight.zero_grad();
        }
        Ok(())
    }

    /// What gradients are multiplied with so that their norm is at most `clip`.
    fn clip_scale(&self) -> Result<f64, TrainingError> {
        let mut squares = Vec::with_capacity(self.parameters.len());
        for parameter in &self.parameters {
            squares.push(parameter.weight.f_grad()?.f_square()?.f_sum(Kind::Float)?);
        }
        let norm = Tensor::f_stack(&squares, 0)?.f_sum(Kind::Double)?.f_double_value(&[])?.sqrt();
        Ok(if norm > self.settings.clip { self.settings.clip / norm } else { 1.0 })
    }
}
