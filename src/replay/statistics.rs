//! Attention statistics of one layer, streamed over blocks of queries.

use tch::{Kind, Tensor};

use super::attention::{repeat_heads, scores};
use super::decoder::Heads;
use super::positions::Positions;
use super::{BLOCK_ELEMENTS, ReplayError};
use crate::subject::{LayerAttention, Look};

const TIME: i64 = 2;
const KEYS: i64 = 3;

/// Sums over queries and heads; divided at the end.
#[derive(Default)]
struct Sums {
    entropy: f64,
    mass: Vec<f64>,
    beyond: f64,
    queries_with_beyond: usize,
    largest_logit: f64,
    queries: usize,
}

/// Looks at every `look.every`-th query of a layer, from the last backwards, one block of queries at a time.
///
/// A block holds at most [`BLOCK_ELEMENTS`] scores; with the softmax and its logarithm three such blocks live at once.
pub(super) fn look_at(heads: &Heads, positions: &Positions, look: &Look) -> Result<LayerAttention, ReplayError> {
    let size = heads.q_bhtd.size();
    let (h, t) = (size[1], size[2]);
    let k_bhtd = repeat_heads(&heads.k_bgtd, h / heads.k_bgtd.size()[1])?;
    let queries: Vec<i64> = (0..t).rev().step_by(look.every.max(1)).collect::<Vec<_>>().into_iter().rev().collect();
    let block = (BLOCK_ELEMENTS as i64 / (h * t)).max(1) as usize;
    let mut sums = Sums {
        mass: vec![0.0; look.distance_edges.len().saturating_sub(1)],
        largest_logit: f64::NEG_INFINITY,
        ..Sums::default()
    };
    for rows in queries.chunks(block) {
        let at = Tensor::f_from_slice(rows)?.f_to_device(heads.q_bhtd.device())?;
        let keys = rows.last().map_or(t, |last| last + 1);
        let q = heads.q_bhtd.f_index_select(TIME, &at)?;
        let scores = scores(positions, &q, &k_bhtd, &at, 0, keys)?.f_to_kind(Kind::Float)?;
        block_sums(&scores, &at, rows, look, &mut sums)?;
    }
    let n = (sums.queries as f64 * h as f64).max(1.0);
    let with_beyond = sums.queries_with_beyond as f64 * h as f64;
    Ok(LayerAttention {
        entropy: sums.entropy / n,
        mass: sums.mass.iter().map(|mass| mass / n).collect(),
        mass_beyond_trained: (sums.queries_with_beyond > 0).then(|| sums.beyond / with_beyond),
        largest_logit: sums.largest_logit,
        queries: sums.queries,
    })
}

/// Adds a block of scores, `[1, heads, rows, keys]`, whose rows are the queries at the positions `at`.
fn block_sums(scores: &Tensor, at: &Tensor, rows: &[i64], look: &Look, sums: &mut Sums) -> Result<(), ReplayError> {
    let keys = scores.size()[3];
    let key_at = Tensor::f_arange(keys, (Kind::Int64, scores.device()))?;
    let future = key_at.f_unsqueeze(0)?.f_gt_tensor(&at.f_unsqueeze(-1)?)?;
    let masked = scores.f_masked_fill(&future, f64::NEG_INFINITY)?;
    sums.largest_logit = sums.largest_logit.max(masked.f_max()?.f_double_value(&[])?);
    let p = masked.f_softmax(KEYS, Kind::Float)?;
    // xlogy(0, 0) is 0, so keys without weight add nothing.
    sums.entropy -= p.f_xlogy(&p)?.f_sum(Kind::Double)?.f_double_value(&[])?;
    sums.queries += rows.len();
    // Mass up to each key, with a zero in front: the mass of keys [a, b) is a difference of two entries.
    let cumulated = p.f_cumsum(KEYS, Kind::Double)?.f_constant_pad_nd([1, 0])?;
    let up_to = |distance: usize| -> Result<f64, ReplayError> {
        let index = at.f_add_scalar(1 - distance as i64)?.f_clamp(0, keys)?;
        let shape = [1, scores.size()[1], rows.len() as i64, 1];
        let index = index.f_view([1, 1, rows.len() as i64, 1])?.f_expand(shape, false)?;
        Ok(cumulated.f_gather(KEYS, &index, false)?.f_sum(Kind::Double)?.f_double_value(&[])?)
    };
    let cumulative = look.distance_edges.iter().map(|&edge| up_to(edge)).collect::<Result<Vec<_>, _>>()?;
    for (mass, pair) in sums.mass.iter_mut().zip(cumulative.windows(2)) {
        *mass += pair[0] - pair[1];
    }
    sums.beyond += up_to(look.trained.0)?;
    sums.queries_with_beyond += rows.iter().filter(|&&row| row >= look.trained.0 as i64).count();
    Ok(())
}
