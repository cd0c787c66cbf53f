//! The key-value cache: one preallocated pair of tensors a layer.

use tch::{Device, Kind, Tensor};

use super::ReplayError;
use crate::checkpoint::Architecture;

pub(super) const TIME: i64 = 2;

/// Keys and values of every layer up to a length.
///
/// Keys are stored after their rotation, unless all of them are rotated whenever they are read: Self-Extend's always, and
/// those of a method whose angles change with the length in a healthy engine.
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

    /// Copies of the last `count` keys and values of a batch's first row, layer by layer.
    pub(super) fn last(&self, count: usize) -> Result<Vec<(Tensor, Tensor)>, ReplayError> {
        let count = count.min(self.length) as i64;
        let part = |x: &Tensor| -> Result<Tensor, ReplayError> {
            Ok(x.f_narrow(0, 0, 1)?.f_narrow(TIME, self.length as i64 - count, count)?.f_contiguous()?)
        };
        self.layers.iter().map(|(keys, values)| Ok((part(keys)?, part(values)?))).collect()
    }

    /// Puts keys and values of one row in front, for every row of the batch.
    pub(super) fn begin_with(&mut self, layers: &[(Tensor, Tensor)]) -> Result<(), ReplayError> {
        let count = layers.first().map_or(0, |(keys, _)| keys.size()[2]);
        for (layer, (keys, values)) in layers.iter().enumerate() {
            let _all = self.extend(layer, keys, values)?;
        }
        self.advance(count as usize);
        Ok(())
    }

    /// Makes the tokens that every layer has appended part of the length.
    pub(super) fn advance(&mut self, added: usize) {
        self.length += added;
    }
}
