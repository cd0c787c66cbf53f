//! The key-value cache: one preallocated pair of tensors a layer.

use tch::{Device, Kind, Tensor};

use super::ReplayError;
use crate::checkpoint::Architecture;

pub(super) const TIME: i64 = 2;

/// Keys and values of every layer up to a length.
///
/// Keys are stored as attention used them, that is after rotation: a method whose angles change with the length leaves
/// them as they were, like every server. Self-Extend's are stored unrotated, since it rotates all of them for every query.
pub struct Cache {
    layers: Vec<(Tensor, Tensor)>,
    length: usize,
    capacity: usize,
}

impl Cache {
    /// An empty cache for `capacity` tokens: `2 x layers x kv_heads x head_dim x capacity` elements.
    pub(super) fn new(
        architecture: &Architecture,
        batch: usize,
        capacity: usize,
        kind: Kind,
        device: Device,
    ) -> Result<Self, ReplayError> {
        let shape = [batch as i64, architecture.kv_heads as i64, capacity as i64, architecture.head_dim as i64];
        let layers = (0..architecture.layers)
            .map(|_| Ok((Tensor::f_zeros(shape, (kind, device))?, Tensor::f_zeros(shape, (kind, device))?)))
            .collect::<Result<_, ReplayError>>()?;
        Ok(Self { layers, length: 0, capacity })
    }

    /// How many tokens it holds.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    /// Appends a layer's keys and values behind those present, and returns all of them.
    ///
    /// # Shapes
    /// `[batch, kv_heads, time, head_dim]` in; the same with all times out.
    pub(super) fn extend(
        &mut self,
        layer: usize,
        k_bgtd: &Tensor,
        v_bgtd: &Tensor,
    ) -> Result<(Tensor, Tensor), ReplayError> {
        let added = k_bgtd.size()[2];
        let all = self.length as i64 + added;
        if all > self.capacity as i64 {
            return Err(ReplayError::Request(format!("the cache holds {} tokens, {all} are needed", self.capacity)));
        }
        let Some((keys, values)) = self.layers.get_mut(layer) else {
            return Err(ReplayError::Request(format!("the cache has no layer {layer}")));
        };
        keys.f_narrow(TIME, self.length as i64, added)?.f_copy_(k_bgtd)?;
        values.f_narrow(TIME, self.length as i64, added)?.f_copy_(v_bgtd)?;
        Ok((keys.f_narrow(TIME, 0, all)?, values.f_narrow(TIME, 0, all)?))
    }

    /// Makes the tokens that every layer has appended part of the length.
    pub(super) fn advance(&mut self, added: usize) {
        self.length += added;
    }
}
