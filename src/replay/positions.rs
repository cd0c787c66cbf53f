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
        Vectors::Sinusoidal { inverse_frequencies, amplitude } => {
            let frequencies = Tensor::f_from_slice(inverse_frequencies)?;
            let phase = span(run.first, run.end())?.f_outer(&frequencies)?;
            let pairs = Tensor::f_stack(&[phase.f_sin()?, phase.f_cos()?], -1)?.f_flatten(1, 2)?;
            Ok(pairs.f_mul_scalar(*amplitude)?.f_to_kind(Kind::Float)?.f_to_device(device)?)
        }
        Vectors::Learned { rows, stretch } => {
            let last = run.end().saturating_sub(1) as f64 / stretch;
            if last > (*rows - 1) as f64 {
                return Err(ReplayError::Request(format!(
                    "the checkpoint has learned vectors for {rows} positions, position {last} has none\n\
                     hint: raise the factor"
                )));
            }
            let at = span(run.first, run.end())?.f_div_scalar(*stretch)?;
            let below = at.f_floor()?;
            let share = at.f_sub(&below)?.f_to_kind(Kind::Float)?.f_to_device(device)?.f_unsqueeze(1)?;
            let row = |index: Tensor| -> Result<Tensor, ReplayError> {
                let index = index.f_clamp_max((*rows - 1) as f64)?.f_to_kind(Kind::Int64)?.f_to_device(device)?;
                Ok(weights(learned)?.f_index_select(0, &index)?)
            };
            let (low, high) = (row(below.shallow_clone())?, row(below.f_add_scalar(1.0)?)?);
            Ok(low.f_add(&high.f_sub(&low)?.f_mul(&share)?)?)
        }
    }
}
