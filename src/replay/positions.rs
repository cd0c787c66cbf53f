//! A mechanism made ready for a run of positions; the one `match` on it stands here and in `attention`.

use tch::{Device, Kind, Tensor};

use super::ReplayError;
use super::rotation::{Angles, Side};
use crate::positions::{Bias, Grouping, Mechanism, Vectors};

/// A mechanism made ready for a run of positions.
pub(super) struct Positions {
    pub(super) prepared: Prepared,
}

/// What the decoder needs of each mechanism.
pub(super) enum Prepared {
    /// Nothing.
    Nothing,
    /// Rotations of the run's queries and keys.
    Rotate {
        /// Of queries; of keys too, unless they differ.
        queries: Angles,
        /// Of keys where they differ (xPos).
        keys: Option<Angles>,
    },
    /// Two rotations of queries and of all keys, chosen by distance.
    Group(Groups),
    /// The bias of each head by distance, `[heads, distances]`.
    Bias(Tensor),
    /// Vectors added to the embeddings of the run, `[time, width]`.
    Add(Tensor),
}

/// Self-Extend's rotations; keys come unrotated, from the first one in the context on.
pub(super) struct Groups {
    pub(super) near_queries: Angles,
    pub(super) near_keys: Angles,
    pub(super) far_queries: Angles,
    pub(super) far_keys: Angles,
    /// Distances below this are near.
    pub(super) window: i64,
}

/// A run of positions: `count` queries from `first` on, behind keys from `keys_from` on.
#[derive(Clone, Copy)]
pub(super) struct Run {
    pub(super) keys_from: usize,
    pub(super) first: usize,
    pub(super) count: usize,
}

impl Run {
    /// Queries that see no keys but their own.
    pub(super) fn alone(first: usize, count: usize) -> Self {
        Self { keys_from: first, first, count }
    }

    /// Queries behind `cached` keys.
    pub(super) fn behind(cached: usize, count: usize) -> Self {
        Self { keys_from: 0, first: cached, count }
    }

    fn end(self) -> usize {
        self.first + self.count
    }
}

impl Positions {
    /// Prepares a run; `learned` are the weights of a mechanism that has some.
    pub(super) fn new(
        mechanism: &Mechanism,
        run: Run,
        learned: Option<&Tensor>,
        kind: Kind,
        device: Device,
    ) -> Result<Self, ReplayError> {
        let prepared = match mechanism {
            Mechanism::Nothing => Prepared::Nothing,
            Mechanism::Rotate(rotation) => {
                let at = span(run.first, run.end())?;
                let queries = Angles::new(rotation, &at, Side::Query, kind, device)?;
                let decays = rotation.decay.is_some();
                let keys = decays.then(|| Angles::new(rotation, &at, Side::Key, kind, device)).transpose()?;
                Prepared::Rotate { queries, keys }
            }
            Mechanism::Group(grouping) => Prepared::Group(Groups::new(grouping, run, kind, device)?),
            Mechanism::Bias(bias) => {
                let profile = profile(bias, run.end() - run.keys_from, learned, device)?;
                Prepared::Bias(profile.f_to_kind(kind)?)
            }
            Mechanism::Add(vectors) => Prepared::Add(added(vectors, run, learned, device)?.f_to_kind(kind)?),
        };
        Ok(Self { prepared })
    }

    /// What is added to embeddings, `[batch, time, width]`.
    pub(super) fn embed(&self, x_btm: Tensor) -> Result<Tensor, ReplayError> {
        match &self.prepared {
            Prepared::Add(vectors_tm) => Ok(x_btm.f_add(vectors_tm)?),
            _ => Ok(x_btm),
        }
    }

    /// What is done to queries before attention, `[batch, time, heads, head_dim]`.
    pub(super) fn queries(&self, x_bthd: Tensor) -> Result<Tensor, ReplayError> {
        match &self.prepared {
            Prepared::Rotate { queries, .. } => queries.rotate(&x_bthd),
            _ => Ok(x_bthd),
        }
    }

    /// What is done to keys before they join the cache, `[batch, time, kv_heads, head_dim]`.
    pub(super) fn keys(&self, x_bthd: Tensor) -> Result<Tensor, ReplayError> {
        match &self.prepared {
            Prepared::Rotate { queries, keys } => keys.as_ref().unwrap_or(queries).rotate(&x_bthd),
            _ => Ok(x_bthd),
        }
    }
}

impl Groups {
    fn new(grouping: &Grouping, run: Run, kind: Kind, device: Device) -> Result<Self, ReplayError> {
        let angles = |positions: Vec<usize>| -> Result<Angles, ReplayError> {
            let at: Vec<f64> = positions.into_iter().map(|position| position as f64).collect();
            Angles::new(&grouping.rotation, &Tensor::f_from_slice(&at)?, Side::Query, kind, device)
        };
        Ok(Self {
            near_queries: angles((run.first..run.end()).collect())?,
            near_keys: angles((run.keys_from..run.end()).collect())?,
            far_queries: angles((run.first..run.end()).map(|i| grouping.query(i)).collect())?,
            far_keys: angles((run.keys_from..run.end()).map(|j| grouping.key(j)).collect())?,
            window: grouping.window as i64,
        })
    }
}

fn span(from: usize, to: usize) -> Result<Tensor, ReplayError> {
    Ok(Tensor::f_arange_start(from as i64, to as i64, (Kind::Double, Device::Cpu))?)
}

fn weights(learned: Option<&Tensor>) -> Result<&Tensor, ReplayError> {
    learned.ok_or_else(|| ReplayError::Request("the checkpoint has no weights for its positions".to_owned()))
}

/// Smallest value of KERPLE's learned parameters, and the largest exponent; as in the authors' code.
const KERNEL_FLOOR: f64 = 1e-2;
const LARGEST_EXPONENT: f64 = 2.0;

/// The bias of each head at the distances below `count`, `[heads, count]`; gradients flow to what is learned.
fn profile(bias: &Bias, count: usize, learned: Option<&Tensor>, device: Device) -> Result<Tensor, ReplayError> {
    let distances = || -> Result<Tensor, ReplayError> { Ok(span(0, count)?.f_to_device(device)?) };
    let kernel = |row: i64| -> Result<Tensor, ReplayError> {
        Ok(weights(learned)?.f_select(0, row)?.f_clamp_min(KERNEL_FLOOR)?.f_unsqueeze(1)?)
    };
    match bias {
        Bias::Linear { slopes } => {
            let slopes = Tensor::f_from_slice(slopes)?.f_to_device(device)?;
            Ok(slopes.f_neg()?.f_outer(&distances()?)?.f_to_kind(Kind::Float)?)
        }
        Bias::Learned(buckets) => {
            let index: Vec<i64> = (0..count).map(|distance| buckets.of(distance) as i64).collect();
            let index = Tensor::f_from_slice(&index)?.f_to_device(device)?;
            Ok(weights(learned)?.f_index_select(0, &index)?.f_transpose(0, 1)?)
        }
        Bias::Power { stretch } => {
            let base = distances()?.f_div_scalar(*stretch)?.f_to_kind(Kind::Float)?;
            let exponent = kernel(1)?.f_clamp_max(LARGEST_EXPONENT)?;
            Ok(base.f_unsqueeze(0)?.f_pow(&exponent)?.f_mul(&kernel(0)?)?.f_neg()?)
        }
        Bias::Log { stretch } => {
            let base = distances()?.f_div_scalar(*stretch)?.f_to_kind(Kind::Float)?;
            Ok(base.f_unsqueeze(0)?.f_mul(&kernel(1)?)?.f_log1p()?.f_mul(&kernel(0)?)?.f_neg()?)
        }
    }
}

/// The vectors added to the embeddings of a run, `[time, width]`.
fn added(vectors: &Vectors, run: Run, learned: Option<&Tensor>, device: Device) -> Result<Tensor, ReplayError> {
    match vectors {
        Vectors::Sinusoidal { .. } => {
            let values: Vec<f64> = (run.first..run.end()).filter_map(|at| vectors.waves(at)).flatten().collect();
            let rows = Tensor::f_from_slice(&values)?.f_view([run.count as i64, -1])?;
            Ok(rows.f_to_kind(Kind::Float)?.f_to_device(device)?)
        }
        Vectors::Learned { rows, .. } => {
            let mut at = Vec::with_capacity(run.count);
            for position in run.first..run.end() {
                at.push(vectors.row(position).ok_or_else(|| {
                    ReplayError::Request(format!(
                        "the checkpoint has learned vectors for {rows} positions, none for position {position}\n\
                         hint: raise the factor"
                    ))
                })?);
            }
            let row = |next: usize| -> Result<Tensor, ReplayError> {
                let index: Vec<i64> = at.iter().map(|(row, _)| (row + next).min(rows - 1) as i64).collect();
                Ok(weights(learned)?.f_index_select(0, &Tensor::f_from_slice(&index)?.f_to_device(device)?)?)
            };
            let shares: Vec<f32> = at.iter().map(|(_, share)| *share as f32).collect();
            let share = Tensor::f_from_slice(&shares)?.f_to_device(device)?.f_unsqueeze(1)?;
            let (low, high) = (row(0)?, row(1)?);
            Ok(low.f_add(&high.f_sub(&low)?.f_mul(&share)?)?)
        }
    }
}
