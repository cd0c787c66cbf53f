//! What queries see where the causal edge is not all there is: padding, windows, lost keys, biases by position numbers.
//!
//! Made for a block of queries at a time, so nothing of length x length exists here either.

use tch::{Device, Kind, Tensor};

use super::ReplayError;
use super::formats::rounded;
use crate::faults::{Evicted, Format};

const KEYS: i64 = 3;

/// Which keys the queries of a run see, and with which bias.
///
/// A slot is a place in the batch; keys left over from an earlier request have negative ones. A token's number counts the
/// tokens of its row, without padding.
pub(super) struct View {
    /// `[t]`.
    pub(super) query_slots: Tensor,
    /// `[s]`.
    pub(super) key_slots: Tensor,
    /// `[batch, t]`.
    pub(super) query_tokens: Tensor,
    /// `[batch, s]`.
    pub(super) key_tokens: Tensor,
    /// Keys that are padding nobody shall see, `[batch, 1, s]`.
    pub(super) padding: Option<Tensor>,
    /// Keys that a query sees, its own included.
    pub(super) window: Option<usize>,
    /// Keys nearer than this many tokens are hidden.
    pub(super) hidden_near: usize,
    /// Tokens that are no longer seen.
    pub(super) evicted: Option<Evicted>,
    pub(super) bias: Option<PlacedBias>,
    /// Whether scores are made in full instead of by the fused kernel.
    pub(super) is_dense: bool,
    pub(super) kind: Kind,
}

/// A bias whose distances are differences of position numbers.
pub(super) struct PlacedBias {
    /// By head and distance, `[heads, distances]`.
    pub(super) profile: Tensor,
    /// `[batch, t]`.
    pub(super) queries: Tensor,
    /// `[batch, s]`.
    pub(super) keys: Tensor,
    /// Slopes, where the bias is slope times the key's position, `[heads]`.
    pub(super) by_key: Option<Tensor>,
    /// What such a product is rounded to.
    pub(super) format: Format,
}

/// Rows of whole numbers as a tensor, `[rows, columns]`.
pub(super) fn table(rows: &[Vec<i64>], device: Device) -> Result<Tensor, ReplayError> {
    let flat: Vec<i64> = rows.iter().flatten().copied().collect();
    Ok(Tensor::f_from_slice(&flat)?.f_view([rows.len() as i64, -1])?.f_to_device(device)?)
}

impl View {
    /// What is added to the scores of the queries `at` (by their place in the run) and the first `keys` keys,
    /// `[batch, heads or 1, rows, keys]`: the bias, and minus infinity where a key is not seen.
    pub(super) fn mask(&self, at: &Tensor, keys: i64) -> Result<Tensor, ReplayError> {
        let hidden = self.hidden(at, keys)?.f_unsqueeze(1)?;
        let bias = match &self.bias {
            Some(bias) => bias.values(at, keys)?.f_to_kind(self.kind)?,
            None => Tensor::f_zeros([1], (self.kind, hidden.device()))?,
        };
        Ok(bias.f_masked_fill(&hidden, f64::NEG_INFINITY)?)
    }

    /// Keys that are not seen, `[batch or 1, rows, keys]`.
    fn hidden(&self, at: &Tensor, keys: i64) -> Result<Tensor, ReplayError> {
        let slots = self.query_slots.f_index_select(0, at)?.f_view([1, -1, 1])?;
        let back = slots.f_sub(&self.key_slots.f_narrow(0, 0, keys)?.f_view([1, 1, -1])?)?;
        let mut hidden = back.f_lt(0)?;
        if self.window.is_some() || self.hidden_near > 0 || self.evicted.is_some() {
            let query = self.query_tokens.f_index_select(1, at)?.f_unsqueeze(2)?;
            let key = self.key_tokens.f_narrow(1, 0, keys)?.f_unsqueeze(1)?;
            let distance = query.f_sub(&key)?;
            if let Some(window) = self.window {
                hidden = hidden.f_logical_or(&distance.f_ge(window as i64)?)?;
            }
            hidden = hidden.f_logical_or(&distance.f_lt(self.hidden_near as i64)?)?;
            if let Some(Evicted { count, from }) = self.evicted {
                let gone = key.f_lt(count as i64)?.f_logical_and(&query.f_ge(from as i64)?)?;
                hidden = hidden.f_logical_or(&gone)?;
            }
        }
        if let Some(padding) = &self.padding {
            hidden = hidden.f_logical_or(&padding.f_narrow(2, 0, keys)?)?;
        }
        // Who would see nothing sees its own key: a softmax needs something.
        let sees_nothing = hidden.f_logical_not()?.f_any_dim(2, true)?.f_logical_not()?;
        Ok(hidden.f_logical_and(&back.f_eq(0)?.f_logical_and(&sees_nothing)?.f_logical_not()?)?)
    }
}

impl PlacedBias {
    /// `[batch, heads, rows, keys]`.
    fn values(&self, at: &Tensor, keys: i64) -> Result<Tensor, ReplayError> {
        let key = self.keys.f_narrow(1, 0, keys)?;
        if let Some(slopes) = &self.by_key {
            let product = slopes.f_view([1, -1, 1, 1])?.f_mul(&key.f_unsqueeze(1)?.f_unsqueeze(1)?)?;
            return rounded(product, self.format);
        }
        let query = self.queries.f_index_select(1, at)?;
        let farthest = self.profile.size()[1] - 1;
        let distances = query.f_unsqueeze(2)?.f_sub(&key.f_unsqueeze(1)?)?.f_clamp(0, farthest)?;
        let shape = [self.profile.size()[0], distances.size()[0], at.size()[0], keys];
        let bias = self.profile.f_index_select(1, &distances.f_view([-1])?)?.f_view(shape)?;
        Ok(bias.f_transpose(0, 1)?)
    }
}

/// Attention from scores in full: `q [.., rows, d]`, `k`, `v [.., keys, d]`, and what is added to the scores.
pub(super) fn from_scores(scores: &Tensor, mask: &Tensor, v: &Tensor) -> Result<Tensor, ReplayError> {
    Ok(scores.f_add(mask)?.f_softmax(KEYS, scores.kind())?.f_matmul(v)?)
}
