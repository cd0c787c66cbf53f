//! Attention, and the one `match` on the mechanism.

use tch::{Device, Kind, Tensor};

use super::rotation::Angles;
use super::{BLOCK_ELEMENTS, ReplayError};
use crate::positions::Mechanism;

const TIME: i64 = 2;

/// A mechanism made ready for a run of positions.
pub(super) struct Positions {
    angles: Option<Angles>,
}

impl Positions {
    /// Prepares `count` positions from `first` on.
    pub(super) fn new(
        mechanism: &Mechanism,
        first: usize,
        count: usize,
        kind: Kind,
        device: Device,
    ) -> Result<Self, ReplayError> {
        let angles = match mechanism {
            Mechanism::Nothing => None,
            Mechanism::Rotate(rotation) => Some(Angles::new(rotation, first, count, kind, device)?),
        };
        Ok(Self { angles })
    }

    /// What the mechanism does to queries or keys, `[batch, time, heads, head_dim]`.
    pub(super) fn apply(&self, x_bthd: Tensor) -> Result<Tensor, ReplayError> {
        match &self.angles {
            Some(angles) => angles.rotate(&x_bthd),
            None => Ok(x_bthd),
        }
    }
}

/// Causal attention of queries that stand at the end of the keys.
///
/// One shot (as many queries as keys) is the fused causal kernel; a chunk behind a cache is fused too, with a mask made
/// for a block of queries at a time, so that `time x keys` is never whole.
///
/// # Shapes
/// `q [batch, heads, t, head_dim]`, `k` and `v [batch, kv_heads, s, head_dim]` with `s >= t`; returns `[batch, heads, t, head_dim]`.
pub(super) fn attend(q_bhtd: &Tensor, k_bgsd: &Tensor, v_bgsd: &Tensor) -> Result<Tensor, ReplayError> {
    let (t, s) = (q_bhtd.size()[2], k_bgsd.size()[2]);
    let groups = q_bhtd.size()[1] / k_bgsd.size()[1];
    let k_bhsd = repeat_heads(k_bgsd, groups)?;
    let v_bhsd = repeat_heads(v_bgsd, groups)?;
    let fused = |q: &Tensor, k: &Tensor, v: &Tensor, mask: Option<&Tensor>, causal: bool| {
        Tensor::f_scaled_dot_product_attention(q, k, v, mask, 0.0, causal, None, false)
    };
    if t == s || t == 1 {
        return Ok(fused(q_bhtd, &k_bhsd, &v_bhsd, None, t == s && t > 1)?);
    }
    let block = (BLOCK_ELEMENTS as i64 / s).clamp(1, t);
    let mut parts = Vec::new();
    let mut start = 0;
    while start < t {
        let rows = block.min(t - start);
        let keys = s - t + start + rows;
        let mask = causal_mask(rows, keys, q_bhtd.device())?;
        let q = q_bhtd.f_narrow(TIME, start, rows)?;
        let (k, v) = (k_bhsd.f_narrow(TIME, 0, keys)?, v_bhsd.f_narrow(TIME, 0, keys)?);
        parts.push(fused(&q, &k, &v, Some(&mask), false)?);
        start += rows;
    }
    Ok(Tensor::f_cat(&parts, TIME)?)
}

/// Gives every query head its key-value head.
pub(super) fn repeat_heads(x_bgsd: &Tensor, groups: i64) -> Result<Tensor, ReplayError> {
    if groups == 1 {
        return Ok(x_bgsd.shallow_clone());
    }
    Ok(x_bgsd.f_repeat_interleave_self_int(groups, 1, None)?)
}

/// True where a query may look, for `rows` queries that stand at the end of `keys` keys, `[rows, keys]`.
pub(super) fn causal_mask(rows: i64, keys: i64, device: Device) -> Result<Tensor, ReplayError> {
    Ok(Tensor::f_ones([rows, keys], (Kind::Bool, device))?.f_tril(keys - rows)?)
}
