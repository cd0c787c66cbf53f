//! Causal attention under every mechanism, without anything of length x length.

use tch::{Device, Kind, Tensor};

use super::positions::{Groups, Positions, Prepared};
use super::view::{View, from_scores};
use super::{BLOCK_ELEMENTS, ReplayError};

const TIME: i64 = 2;
const KEYS: i64 = 3;

/// Causal attention of queries that stand at the end of the keys.
///
/// Without a bias, one shot (as many queries as keys) is the fused causal kernel; a chunk behind a cache is fused too,
/// with a mask made for a block of queries at a time. A bias is a view into one row of values a head and block.
///
/// # Shapes
/// `q [batch, heads, t, head_dim]`, `k` and `v [batch, kv_heads, s, head_dim]` with `s >= t`; returns `[batch, heads, t, head_dim]`.
pub(super) fn attend(
    q_bhtd: &Tensor,
    k_bgsd: &Tensor,
    v_bgsd: &Tensor,
    positions: &Positions,
) -> Result<Tensor, ReplayError> {
    let groups = q_bhtd.size()[1] / k_bgsd.size()[1];
    let k_bhsd = repeat_heads(k_bgsd, groups)?;
    let v_bhsd = repeat_heads(v_bgsd, groups)?;
    if let Some(view) = &positions.view {
        return viewed(q_bhtd, &k_bhsd, &v_bhsd, positions, view);
    }
    match &positions.prepared {
        Prepared::Bias(profile) => biased(q_bhtd, &k_bhsd, &v_bhsd, &profile.f_detach()?),
        Prepared::Group(groups) => grouped(q_bhtd, &k_bhsd, &v_bhsd, groups),
        Prepared::Nothing | Prepared::Rotate { .. } | Prepared::RotateOnRead { .. } | Prepared::Add(_) => {
            plain(q_bhtd, &k_bhsd, &v_bhsd)
        }
    }
}

fn fused(q: &Tensor, k: &Tensor, v: &Tensor, mask: Option<&Tensor>, causal: bool) -> Result<Tensor, ReplayError> {
    Ok(Tensor::f_scaled_dot_product_attention(q, k, v, mask, 0.0, causal, None, false)?)
}

fn plain(q_bhtd: &Tensor, k_bhsd: &Tensor, v_bhsd: &Tensor) -> Result<Tensor, ReplayError> {
    let (t, s) = (q_bhtd.size()[2], k_bhsd.size()[2]);
    if t == s || t == 1 {
        return fused(q_bhtd, k_bhsd, v_bhsd, None, t == s && t > 1);
    }
    in_blocks(t, s, 1, |block| {
        let mask = causal_mask(block.rows, block.keys, q_bhtd.device())?;
        let (k, v) = (k_bhsd.f_narrow(TIME, 0, block.keys)?, v_bhsd.f_narrow(TIME, 0, block.keys)?);
        fused(&block.of(q_bhtd)?, &k, &v, Some(&mask), false)
    })
}

fn biased(q_bhtd: &Tensor, k_bhsd: &Tensor, v_bhsd: &Tensor, profile: &Tensor) -> Result<Tensor, ReplayError> {
    let (t, s) = (q_bhtd.size()[2], k_bhsd.size()[2]);
    in_blocks(t, s, q_bhtd.size()[1], |block| {
        let q = block.of(q_bhtd)?.f_flip([TIME])?;
        let (k, v) = (k_bhsd.f_narrow(TIME, 0, block.keys)?, v_bhsd.f_narrow(TIME, 0, block.keys)?);
        let mask = flipped_bias(profile, block)?.f_unsqueeze(0)?;
        Ok(fused(&q, &k, &v, Some(&mask), false)?.f_flip([TIME])?)
    })
}

/// The bias of a block's queries, last query first, with minus infinity where a query may not look, `[heads, rows, keys]`.
///
/// In that order the value at (row, key) depends on row + key alone, so the whole is a view into `rows + keys` values a
/// head.
pub(super) fn flipped_bias(profile_hn: &Tensor, block: Block) -> Result<Tensor, ReplayError> {
    let heads = profile_hn.size()[0];
    let past = profile_hn.f_narrow(1, 0, block.keys)?.f_flip([1])?;
    let future = Tensor::f_full([heads, block.rows - 1], f64::NEG_INFINITY, (profile_hn.kind(), profile_hn.device()))?;
    let width = block.keys + block.rows - 1;
    let values = Tensor::f_cat(&[past, future], 1)?;
    Ok(values.f_as_strided([heads, block.rows, block.keys], [width, 1, 1], None)?)
}

fn grouped(q_bhtd: &Tensor, k_bhsd: &Tensor, v_bhsd: &Tensor, groups: &Groups) -> Result<Tensor, ReplayError> {
    let (t, s) = (q_bhtd.size()[2], k_bhsd.size()[2]);
    let keys = groups.keys(k_bhsd)?;
    in_blocks(t, s, q_bhtd.size()[1], |block| {
        let at = Tensor::f_arange_start(block.start, block.start + block.rows, (Kind::Int64, q_bhtd.device()))?;
        let scores = groups.scores(&block.of(q_bhtd)?, &at, &keys, &distances(&at, s - t, block.keys)?)?;
        let masked = scores.f_masked_fill(
            &causal_mask(block.rows, block.keys, q_bhtd.device())?.f_logical_not()?,
            f64::NEG_INFINITY,
        )?;
        Ok(masked.f_softmax(KEYS, scores.kind())?.f_matmul(&v_bhsd.f_narrow(TIME, 0, block.keys)?)?)
    })
}

/// Attention under a view: its mask is made for a block of queries at a time.
fn viewed(
    q_bhtd: &Tensor,
    k_bhsd: &Tensor,
    v_bhsd: &Tensor,
    positions: &Positions,
    view: &View,
) -> Result<Tensor, ReplayError> {
    let (size, s) = (q_bhtd.size(), k_bhsd.size()[2]);
    let t = size[2];
    let groups = match &positions.prepared {
        Prepared::Group(groups) => Some((groups, groups.keys(k_bhsd)?)),
        _ => None,
    };
    in_blocks(t, s, size[0] * size[1], |block| {
        let at = Tensor::f_arange_start(block.start, block.start + block.rows, (Kind::Int64, q_bhtd.device()))?;
        let (mask, q) = (view.mask(&at, block.keys)?, block.of(q_bhtd)?);
        let (k, v) = (k_bhsd.f_narrow(TIME, 0, block.keys)?, v_bhsd.f_narrow(TIME, 0, block.keys)?);
        match &groups {
            Some((groups, keys)) => {
                from_scores(&groups.scores(&q, &at, keys, &view.distances(&at, block.keys)?)?, &mask, &v)
            }
            None if view.is_dense => from_scores(&products(&q, &k)?, &mask, &v),
            None => fused(&q, &k, &v, Some(&mask), false),
        }
    })
}

/// The scores of some queries against all keys up to `keys`, before the causal mask, `[batch, heads, rows, keys]`.
///
/// `at` holds each query's place among the run's queries, `behind` how many keys stand before the run.
pub(super) fn scores(
    positions: &Positions,
    q_bhrd: &Tensor,
    k_bhsd: &Tensor,
    at: &Tensor,
    behind: i64,
    keys: i64,
) -> Result<Tensor, ReplayError> {
    let scores = match &positions.prepared {
        Prepared::Group(groups) => {
            let distances = match &positions.view {
                Some(view) => view.distances(at, keys)?,
                None => distances(at, behind, keys)?,
            };
            groups.scores(q_bhrd, at, &groups.keys(k_bhsd)?, &distances)?
        }
        _ => products(q_bhrd, &k_bhsd.f_narrow(TIME, 0, keys)?)?,
    };
    if let Some(view) = &positions.view {
        return Ok(scores.f_add(&view.mask(at, keys)?)?);
    }
    let Prepared::Bias(profile) = &positions.prepared else { return Ok(scores) };
    let distances = distances(at, behind, keys)?.f_clamp_min(0)?;
    let (rows, heads) = (at.size()[0], profile.size()[0]);
    let bias = profile.f_index_select(1, &distances.f_view([-1])?)?.f_view([1, heads, rows, keys])?;
    Ok(scores.f_add(&bias)?)
}

fn products(q: &Tensor, k: &Tensor) -> Result<Tensor, ReplayError> {
    let width = q.size()[3] as f64;
    Ok(q.f_matmul(&k.f_transpose(-2, -1)?)?.f_mul_scalar(width.sqrt().recip())?)
}

/// Tokens from each query back to each key, negative for keys after it, `[rows, keys]`.
fn distances(at: &Tensor, behind: i64, keys: i64) -> Result<Tensor, ReplayError> {
    let key = Tensor::f_arange(keys, (Kind::Int64, at.device()))?;
    Ok(at.f_add_scalar(behind)?.f_unsqueeze(1)?.f_sub(&key)?)
}

impl Groups {
    /// All keys under both rotations.
    fn keys(&self, k_bhsd: &Tensor) -> Result<[Tensor; 2], ReplayError> {
        Ok([self.near_keys.rotate_bhtd(k_bhsd)?, self.far_keys.rotate_bhtd(k_bhsd)?])
    }

    /// The scores of some queries, by the distances from them back to the first keys, `[.., rows, keys]`.
    fn scores(
        &self,
        q_bhrd: &Tensor,
        at: &Tensor,
        [near_keys, far_keys]: &[Tensor; 2],
        distances: &Tensor,
    ) -> Result<Tensor, ReplayError> {
        let keys = distances.size().last().copied().unwrap_or_default();
        let near_queries = self.near_queries.select(at)?.rotate_bhtd(q_bhrd)?;
        let far_queries = self.far_queries.select(at)?.rotate_bhtd(q_bhrd)?;
        let near = products(&near_queries, &near_keys.f_narrow(TIME, 0, keys)?)?;
        let far = products(&far_queries, &far_keys.f_narrow(TIME, 0, keys)?)?;
        Ok(near.f_where_self(&distances.f_lt(self.window)?, &far)?)
    }
}

/// A block of consecutive queries.
#[derive(Clone, Copy)]
pub(super) struct Block {
    /// Its first query's place in the run.
    pub(super) start: i64,
    /// Its queries.
    pub(super) rows: i64,
    /// The keys up to its last query.
    pub(super) keys: i64,
}

impl Block {
    /// Its rows of queries or of what attention returned, `[batch, heads, t, ..]`.
    pub(super) fn of(&self, x_bhtd: &Tensor) -> Result<Tensor, ReplayError> {
        Ok(x_bhtd.f_narrow(TIME, self.start, self.rows)?)
    }
}

/// The fewest queries that are worth a block. More of them keep the kernels busier, and more scores are computed beyond the
/// causal edge, only to be masked: a share of rows / keys.
const FEWEST_ROWS: i64 = 128;

/// The blocks of `t` queries at the end of `s` keys, each of at most [`BLOCK_ELEMENTS`] scores for that many heads.
pub(super) fn blocks(t: i64, s: i64, heads: i64) -> impl Iterator<Item = Block> {
    let size = (BLOCK_ELEMENTS as i64 / (s * heads)).min((s / 32).max(FEWEST_ROWS)).clamp(1, t);
    (0..t.div_euclid(size) + i64::from(t % size != 0)).map(move |i| {
        let start = i * size;
        let rows = size.min(t - start);
        Block { start, rows, keys: s - t + start + rows }
    })
}

fn in_blocks(
    t: i64,
    s: i64,
    heads: i64,
    part: impl Fn(Block) -> Result<Tensor, ReplayError>,
) -> Result<Tensor, ReplayError> {
    let parts = blocks(t, s, heads).map(part).collect::<Result<Vec<_>, _>>()?;
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
fn causal_mask(rows: i64, keys: i64, device: Device) -> Result<Tensor, ReplayError> {
    Ok(Tensor::f_ones([rows, keys], (Kind::Bool, device))?.f_tril(keys - rows)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::positions::Run;
    use super::*;
    use crate::positions::{Bias, Grouping, Mechanism, Pairing, Rotation, slopes};

    fn random(shape: [i64; 4]) -> Tensor {
        Tensor::f_randn(shape, (Kind::Float, Device::Cpu)).unwrap()
    }

    fn largest_difference(a: &Tensor, b: &Tensor) -> f64 {
        a.f_sub(b).unwrap().f_abs().unwrap().f_max().unwrap().f_double_value(&[]).unwrap()
    }

    /// Attention as its definition says, with everything of length x length.
    fn naive(q: &Tensor, k: &Tensor, v: &Tensor, positions: &Positions) -> Tensor {
        let (t, s) = (q.size()[2], k.size()[2]);
        let at = Tensor::f_arange(t, (Kind::Int64, Device::Cpu)).unwrap();
        let all = scores(positions, q, k, &at, s - t, s).unwrap();
        let seen = causal_mask(t, s, Device::Cpu).unwrap();
        let masked = all.f_masked_fill(&seen.f_logical_not().unwrap(), f64::NEG_INFINITY).unwrap();
        masked.f_softmax(KEYS, Kind::Float).unwrap().f_matmul(v).unwrap()
    }

    #[test]
    fn blocks_under_a_bias_are_attention_by_definition() {
        let mechanism = Mechanism::Bias(Bias::Linear { slopes: slopes(3) });
        for (t, s) in [(70, 70), (13, 70), (1, 70)] {
            let run = Run { keys_from: 0, first: s - t, count: t };
            let positions = Positions::new(&mechanism, run, None, Kind::Float, Device::Cpu).unwrap();
            let (t, s) = (t as i64, s as i64);
            let (q, k, v) = (random([2, 3, t, 8]), random([2, 3, s, 8]), random([2, 3, s, 8]));
            let difference =
                largest_difference(&attend(&q, &k, &v, &positions).unwrap(), &naive(&q, &k, &v, &positions));
            assert!(difference < 1e-5, "{t} queries, {s} keys: {difference}");
        }
    }

    /// Beyond the window the rotation of grouped positions, within it the exact one: against scores written out pair by pair.
    #[test]
    fn grouped_scores_are_those_of_the_two_rotations() {
        let rotation = Rotation::plain(vec![1.0, 0.1], Pairing::HalfSplit);
        let grouping = Grouping { rotation, group: 3, window: 6 };
        let mechanism = Mechanism::Group(grouping.clone());
        let positions = Positions::new(&mechanism, Run::alone(0, 20), None, Kind::Float, Device::Cpu).unwrap();
        let (q, k) = (random([1, 1, 20, 4]), random([1, 1, 20, 4]));
        let at = Tensor::f_arange(20, (Kind::Int64, Device::Cpu)).unwrap();
        let got = scores(&positions, &q, &k, &at, 0, 20).unwrap();
        let value = |x: &Tensor, i: usize, d: i64| x.f_double_value(&[0, 0, i as i64, d]).unwrap();
        for i in 0..20 {
            for j in 0..=i {
                let offset = if i - j < 6 { (i - j) as f64 } else { grouping.query(i) as f64 - grouping.key(j) as f64 };
                let mut sum = 0.0;
                for (pair, frequency) in [1.0, 0.1].into_iter().enumerate() {
                    let (a, b) = (value(&q, i, pair as i64), value(&q, i, pair as i64 + 2));
                    let (c, d) = (value(&k, j, pair as i64), value(&k, j, pair as i64 + 2));
                    let (sine, cosine) = (offset * frequency).sin_cos();
                    sum += (a * c + b * d) * cosine + (a * d - b * c) * sine;
                }
                let there = got.f_double_value(&[0, 0, i as i64, j as i64]).unwrap();
                assert!((there - sum / 2.0).abs() < 1e-5, "({i}, {j}): {there}, expected {}", sum / 2.0);
            }
        }
    }
}
