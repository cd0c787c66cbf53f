//! A checkpoint's weights from its safetensors files.

use std::collections::HashMap;
use std::path::Path;

use tch::{Device, Kind, Tensor};

use super::ReplayError;
use super::decoder::{Layer, Linear};
use crate::checkpoint::{Config, weight_files};
use crate::positions::Method;
use crate::units::Stretch;

/// A decoder's weights and configuration, ready on a device.
pub struct Checkpoint {
    /// What `config.json` says.
    pub config: Config,
    pub(super) weights: Weights,
    pub(super) kind: Kind,
    pub(super) device: Device,
}

/// Weights of the whole decoder.
pub(super) struct Weights {
    /// `[vocabulary, width]`.
    pub(super) embedding: Tensor,
    pub(super) layers: Vec<Layer>,
    /// `[width]`.
    pub(super) norm: Tensor,
    /// `[vocabulary, width]`; the embedding itself where they are tied.
    pub(super) head: Tensor,
    /// What the positional mechanism has learned, if it learns.
    pub(super) positions: Option<Tensor>,
}

impl Checkpoint {
    /// Reads a folder in Hugging Face layout onto a device, in single precision.
    ///
    /// # Errors
    /// [`ReplayError`] naming the file, tensor or key that does not fit.
    pub fn load(dir: &Path, device: Device) -> Result<Self, ReplayError> {
        Self::load_with(dir, Config::read(dir)?, device)
    }

    /// As [`Checkpoint::load`], with a configuration other than the folder's own.
    ///
    /// # Errors
    /// As [`Checkpoint::load`].
    pub(super) fn load_with(dir: &Path, config: Config, device: Device) -> Result<Self, ReplayError> {
        let mut tensors = read_tensors(dir)?;
        let weights = {
            let _no_grad = tch::no_grad_guard();
            let file = dir.display().to_string();
            let mut take = |name: &str, shape: &[i64]| -> Result<Tensor, ReplayError> {
                let tensor = tensors
                    .remove(name)
                    .ok_or_else(|| ReplayError::MissingTensor { name: name.to_owned(), file: file.clone() })?;
                prepare(name, &tensor, shape, device)
            };
            Weights::assemble(&config, &mut take)?
        };
        Ok(Self { config, weights, kind: Kind::Float, device })
    }

    /// The same weights in another number format; those that have it already are shared.
    pub(super) fn in_kind(&self, kind: Kind) -> Result<Self, ReplayError> {
        Ok(Self { config: self.config.clone(), weights: self.weights.in_kind(kind)?, kind, device: self.device })
    }

    /// The device that the weights are on.
    #[must_use]
    pub fn device(&self) -> Device {
        self.device
    }
}

/// Every tensor of a checkpoint's folder, by name, as it is in the files.
pub(super) fn read_tensors(dir: &Path) -> Result<HashMap<String, Tensor>, ReplayError> {
    let mut tensors = HashMap::new();
    for file in weight_files(dir)? {
        let read = Tensor::read_safetensors(&file).map_err(|error| ReplayError::File {
            action: "read",
            path: file.display().to_string(),
            reason: super::first_line(&error),
        })?;
        tensors.extend(read);
    }
    Ok(tensors)
}

/// Checks a tensor's type and shape and brings it to the device in single precision.
fn prepare(name: &str, tensor: &Tensor, shape: &[i64], device: Device) -> Result<Tensor, ReplayError> {
    if !matches!(tensor.kind(), Kind::Float | Kind::BFloat16 | Kind::Half) {
        return Err(ReplayError::Kind { name: name.to_owned(), found: format!("{:?}", tensor.kind()) });
    }
    if tensor.size() != shape {
        return Err(ReplayError::Shape { name: name.to_owned(), found: tensor.size(), expected: shape.to_vec() });
    }
    Ok(tensor.f_to_kind(Kind::Float)?.f_to_device(device)?)
}

/// Gives a tensor by its name and shape.
pub(super) type Take<'a> = &'a mut dyn FnMut(&str, &[i64]) -> Result<Tensor, ReplayError>;

impl Weights {
    /// How many numbers there are.
    pub(super) fn numbers(&self) -> usize {
        let mut count = self.embedding.numel() + self.norm.numel();
        for layer in &self.layers {
            count += layer.linears().iter().map(|linear| linear.weight.numel()).sum::<usize>();
        }
        count
    }

    fn in_kind(&self, kind: Kind) -> Result<Self, ReplayError> {
        let _no_grad = tch::no_grad_guard();
        let of = |tensor: &Tensor| tensor.f_to_kind(kind);
        let linear = |linear: &Linear| -> Result<Linear, ReplayError> {
            Ok(Linear { weight: of(&linear.weight)?, bias: linear.bias.as_ref().map(&of).transpose()? })
        };
        let layer = |from: &Layer| -> Result<Layer, ReplayError> {
            Ok(Layer {
                attention_norm: of(&from.attention_norm)?,
                q: linear(&from.q)?,
                k: linear(&from.k)?,
                v: linear(&from.v)?,
                o: linear(&from.o)?,
                feed_forward_norm: of(&from.feed_forward_norm)?,
                gate: linear(&from.gate)?,
                up: linear(&from.up)?,
                down: linear(&from.down)?,
            })
        };
        Ok(Self {
            embedding: of(&self.embedding)?,
            layers: self.layers.iter().map(layer).collect::<Result<_, _>>()?,
            norm: of(&self.norm)?,
            head: of(&self.head)?,
            positions: self.positions.as_ref().map(&of).transpose()?,
        })
    }
    /// Puts the decoder together from tensors asked for by name and shape.
    pub(super) fn assemble(config: &Config, take: Take<'_>) -> Result<Self, ReplayError> {
        let a = &config.architecture;
        let (v, m, f) = (a.vocabulary as i64, a.width as i64, a.feed_forward as i64);
        let (q, g) = ((a.heads * a.head_dim) as i64, (a.kv_heads * a.head_dim) as i64);
        let embedding = take("model.embed_tokens.weight", &[v, m])?;
        let mut layers = Vec::with_capacity(a.layers);
        for index in 0..a.layers {
            let prefix = format!("model.layers.{index}.");
            let mut linear = |name: &str, shape: [i64; 2], with_bias: bool| -> Result<Linear, ReplayError> {
                let weight = take(&format!("{prefix}{name}.weight"), &shape)?;
                let bias = with_bias.then(|| take(&format!("{prefix}{name}.bias"), &shape[..1])).transpose()?;
                Ok(Linear { weight, bias })
            };
            let (q, k, v, o) = (
                linear("self_attn.q_proj", [q, m], a.attention_bias)?,
                linear("self_attn.k_proj", [g, m], a.attention_bias)?,
                linear("self_attn.v_proj", [g, m], a.attention_bias)?,
                linear("self_attn.o_proj", [m, q], a.attention_bias)?,
            );
            let (gate, up, down) = (
                linear("mlp.gate_proj", [f, m], a.mlp_bias)?,
                linear("mlp.up_proj", [f, m], a.mlp_bias)?,
                linear("mlp.down_proj", [m, f], a.mlp_bias)?,
            );
            let attention_norm = take(&format!("{prefix}input_layernorm.weight"), &[m])?;
            let feed_forward_norm = take(&format!("{prefix}post_attention_layernorm.weight"), &[m])?;
            layers.push(Layer { attention_norm, q, k, v, o, feed_forward_norm, gate, up, down });
        }
        let norm = take("model.norm.weight", &[m])?;
        let head = if a.tied_embeddings { embedding.shallow_clone() } else { take("lm_head.weight", &[v, m])? };
        let native = config.heads.native.mechanism(&config.heads, Stretch::ONE, config.heads.trained)?;
        let shape = native.learned_shape(&config.heads).map(|shape| shape.map(|size| size as i64));
        let positions = shape.map(|shape| take(POSITIONS, &shape)).transpose()?;
        Ok(Self { embedding, layers, norm, head, positions })
    }
}

/// The tensor of what a positional mechanism learns; all layers share it.
pub(super) const POSITIONS: &str = "model.positions.weight";
