//! The Llama decoder (arXiv 2302.13971): RMSNorm, attention, SwiGLU; names as in its Hugging Face files.

use tch::{Kind, Tensor};

use super::attention::attend;
use super::cache::Cache;
use super::parts::timed;
use super::positions::Positions;
use super::{Checkpoint, ReplayError, burden};
use crate::checkpoint::Architecture;
use crate::measurement::Quantity;

/// A linear map with its optional bias, weight `[out, in]`.
pub(super) struct Linear {
    pub(super) weight: Tensor,
    pub(super) bias: Option<Tensor>,
}

impl Linear {
    fn forward(&self, x: &Tensor) -> Result<Tensor, ReplayError> {
        Ok(x.f_linear(&self.weight, self.bias.as_ref())?)
    }
}

/// One layer's weights.
pub(super) struct Layer {
    pub(super) attention_norm: Tensor,
    pub(super) q: Linear,
    pub(super) k: Linear,
    pub(super) v: Linear,
    pub(super) o: Linear,
    pub(super) feed_forward_norm: Tensor,
    pub(super) gate: Linear,
    pub(super) up: Linear,
    pub(super) down: Linear,
}

/// Queries, keys and values of one layer after the positional mechanism.
pub(super) struct Heads {
    pub(super) q_bhtd: Tensor,
    pub(super) k_bgtd: Tensor,
    pub(super) v_bgtd: Tensor,
}

impl Layer {
    /// Its linear maps.
    pub(super) fn linears(&self) -> [&Linear; 7] {
        [&self.q, &self.k, &self.v, &self.o, &self.gate, &self.up, &self.down]
    }

    /// Queries, keys and values from the layer's input, `[batch, time, width]`.
    pub(super) fn heads(
        &self,
        x_btm: &Tensor,
        architecture: &Architecture,
        positions: &Positions,
    ) -> Result<Heads, ReplayError> {
        let h = norm(x_btm, &self.attention_norm, architecture.norm_epsilon)?;
        let split = |x: Tensor, heads: usize| -> Result<Tensor, ReplayError> {
            Ok(x.f_unflatten(-1, [heads as i64, architecture.head_dim as i64])?)
        };
        let (q, k) =
            (split(self.q.forward(&h)?, architecture.heads)?, split(self.k.forward(&h)?, architecture.kv_heads)?);
        let (q, k) = timed(Quantity::PositionalWork, || Ok((positions.queries(q)?, positions.keys(k)?)))?;
        let v = split(self.v.forward(&h)?, architecture.kv_heads)?;
        Ok(Heads { q_bhtd: q.f_transpose(1, 2)?, k_bgtd: k.f_transpose(1, 2)?, v_bgtd: v.f_transpose(1, 2)? })
    }

    /// The layer's output from its input and what attention returned, `[batch, heads, time, head_dim]`.
    fn finish(&self, x_btm: &Tensor, attended: &Tensor, architecture: &Architecture) -> Result<Tensor, ReplayError> {
        let x = x_btm.f_add(&self.o.forward(&attended.f_transpose(1, 2)?.f_flatten(2, 3)?)?)?;
        let h = norm(&x, &self.feed_forward_norm, architecture.norm_epsilon)?;
        let gated = self.gate.forward(&h)?.f_silu()?.f_mul(&self.up.forward(&h)?)?;
        Ok(x.f_add(&self.down.forward(&gated)?)?)
    }
}

/// RMSNorm (arXiv 1910.07467), computed in single precision like transformers'.
fn norm(x: &Tensor, weight: &Tensor, epsilon: f64) -> Result<Tensor, ReplayError> {
    let width = weight.size();
    if x.kind() == Kind::Float || x.kind() == Kind::Double {
        return Ok(x.f_rms_norm(width, Some(weight), epsilon)?);
    }
    let normed = x.f_to_kind(Kind::Float)?.f_rms_norm(width, None::<&Tensor>, epsilon)?;
    Ok(normed.f_to_kind(x.kind())?.f_mul(weight)?)
}

/// Sees each layer's heads and what attention returned, `[batch, heads, time, head_dim]`, and hands that on: for statistics
/// and for the gradients of biases.
pub(super) type Visit<'a> = &'a mut dyn FnMut(&Heads, Tensor) -> Result<Tensor, ReplayError>;

impl Checkpoint {
    /// The hidden states after the last norm.
    ///
    /// With a cache the tokens stand behind those in it, and join it. `visit` sees every layer's heads.
    ///
    /// # Shapes
    /// `tokens [batch, time]` of int64 to `[batch, time, width]`.
    pub(super) fn hidden(
        &self,
        tokens_bt: &Tensor,
        positions: &Positions,
        mut cache: Option<&mut Cache>,
        mut visit: Option<Visit<'_>>,
    ) -> Result<Tensor, ReplayError> {
        let architecture = &self.config.architecture;
        let mut x = positions.embed(Tensor::f_embedding(&self.weights.embedding, tokens_bt, -1, false, false)?)?;
        for (index, layer) in self.weights.layers.iter().enumerate() {
            let heads = layer.heads(&x, architecture, positions)?;
            let (k, v) = match cache.as_deref_mut() {
                Some(cache) => {
                    let (stored_k, stored_v) = (positions.store(&heads.k_bgtd)?, positions.store(&heads.v_bgtd)?);
                    let (k, v) = timed(Quantity::CacheGrowth, || cache.extend(index, &stored_k, &stored_v))?;
                    (timed(Quantity::PositionalWork, || positions.read(k))?, v)
                }
                None => (heads.k_bgtd.shallow_clone(), heads.v_bgtd.shallow_clone()),
            };
            let mut attended = timed(Quantity::AttentionKernel, || attend(&heads.q_bhtd, &k, &v, positions))?;
            if let Some(burden) = &positions.burden {
                burden::bear(burden, index, &k, &v)?;
            }
            if let Some(visit) = visit.as_mut() {
                attended = visit(&heads, attended)?;
            }
            x = layer.finish(&x, &attended, architecture)?;
        }
        if let Some(cache) = cache {
            cache.advance(tokens_bt.size()[1] as usize);
        }
        norm(&x, &self.weights.norm, architecture.norm_epsilon)
    }

    /// Logits of hidden states, `[.., width]` to `[.., vocabulary]` in single precision.
    pub(super) fn logits(&self, hidden: &Tensor) -> Result<Tensor, ReplayError> {
        Ok(hidden.f_linear(&self.weights.head, None::<&Tensor>)?.f_to_kind(Kind::Float)?)
    }
}
