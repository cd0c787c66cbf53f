//! A mechanism made ready for a run of positions; the one `match` on it stands here and in `attention`.

use tch::{Device, Kind, Tensor};

use super::ReplayError;
use super::formats::rounded;
use super::rotation::{Angles, Side};
use super::tables::Tables;
use super::view::View;
use crate::faults::{Burden, Format};
use crate::positions::{Bias, Grouping, Mechanism, Rotation, Vectors};

/// A mechanism made ready for a run of positions.
pub(super) struct Positions {
    pub(super) prepared: Prepared,
    /// What queries see; absent where the causal edge is all.
    pub(super) view: Option<View>,
    /// Multiplies scores.
    pub(super) scale: f64,
    /// What cached keys and values are rounded to.
    pub(super) cached: Format,
    /// Work that changes no result.
    pub(super) burden: Option<Burden>,
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
    /// Rotations of the run's queries, and of all keys whenever they are read: these are cached unrotated.
    RotateOnRead {
        /// Of queries.
        queries: Angles,
        /// Of all keys.
        all_keys: Angles,
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

impl From<Prepared> for Positions {
    fn from(prepared: Prepared) -> Self {
        Self { prepared, view: None, scale: 1.0, cached: Format::Exact, burden: None }
    }
}

impl Positions {
    /// Prepares a run of a healthy engine; `learned` are the weights of a mechanism that has some.
    pub(super) fn new(
        mechanism: &Mechanism,
        run: Run,
        learned: Option<&Tensor>,
        kind: Kind,
        device: Device,
    ) -> Result<Self, ReplayError> {
        let (queries, keys) = ([(run.first..run.end()).collect()], [(run.keys_from..run.end()).collect()]);
        let tables = Tables::healthy(kind, device);
        let numbers = Numbers { queries: &queries, keys: &keys, reads_keys: false };
        Ok(Prepared::new(std::slice::from_ref(mechanism), numbers, &tables, learned)?.into())
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
        let x_bthd = match &self.prepared {
            Prepared::Rotate { queries, .. } | Prepared::RotateOnRead { queries, .. } => queries.rotate(&x_bthd)?,
            _ => x_bthd,
        };
        if self.scale == 1.0 { Ok(x_bthd) } else { Ok(x_bthd.f_mul_scalar(self.scale)?) }
    }

    /// What is done to keys before they join the cache, `[batch, time, kv_heads, head_dim]`.
    pub(super) fn keys(&self, x_bthd: Tensor) -> Result<Tensor, ReplayError> {
        match &self.prepared {
            Prepared::Rotate { queries, keys } => keys.as_ref().unwrap_or(queries).rotate(&x_bthd),
            _ => Ok(x_bthd),
        }
    }

    /// What is done to keys or values on their way into the cache, `[batch, kv_heads, time, head_dim]`.
    pub(super) fn store(&self, x_bgtd: &Tensor) -> Result<Tensor, ReplayError> {
        rounded(x_bgtd.shallow_clone(), self.cached)
    }

    /// What is done to all keys when they are read from the cache, `[batch, kv_heads, s, head_dim]`.
    pub(super) fn read(&self, k_bgsd: Tensor) -> Result<Tensor, ReplayError> {
        match &self.prepared {
            Prepared::RotateOnRead { all_keys, .. } => all_keys.rotate_bhtd(&k_bgsd),
            _ => Ok(k_bgsd),
        }
    }
}

/// The numbers that tokens have, row by row of a batch; one row stands for all where they are equal.
#[derive(Clone, Copy)]
pub(super) struct Numbers<'a> {
    /// Of the run's queries.
    pub(super) queries: &'a [Vec<usize>],
    /// Of all keys, those of the run behind those of the cache.
    pub(super) keys: &'a [Vec<usize>],
    /// Whether keys are cached unrotated, and all of them are rotated when they are read.
    pub(super) reads_keys: bool,
}

impl Prepared {
    /// Prepares a run; `mechanisms` differ by row where the rotation follows the length.
    pub(super) fn new(
        mechanisms: &[Mechanism],
        numbers: Numbers<'_>,
        tables: &Tables,
        learned: Option<&Tensor>,
    ) -> Result<Self, ReplayError> {
        let Some(first) = mechanisms.first() else { return Ok(Self::Nothing) };
        match first {
            Mechanism::Nothing => Ok(Self::Nothing),
            Mechanism::Rotate(rotation) => {
                let rotations: Vec<&Rotation> = mechanisms.iter().filter_map(Mechanism::rotation).collect();
                let decays = rotation.decay.is_some();
                Self::rotated(&rotations, numbers, tables, decays || !tables.has_equal_hands())
            }
            Mechanism::Group(grouping) => Ok(Self::Group(Groups::new(grouping, numbers, tables)?)),
            Mechanism::Bias(bias) => {
                let farthest = numbers.queries.iter().flatten().max().copied().unwrap_or_default();
                let nearest = numbers.keys.iter().flatten().min().copied().unwrap_or_default();
                let profile = profile(bias, farthest.saturating_sub(nearest) + 1, learned, tables.device)?;
                Ok(Self::Bias(profile.f_to_kind(tables.kind)?))
            }
            Mechanism::Add(vectors) => {
                let add = |row: &Vec<usize>| -> Result<Tensor, ReplayError> {
                    Ok(added(vectors, row, learned, tables)?.f_to_kind(tables.kind)?)
                };
                let rows = numbers.queries.iter().map(add).collect::<Result<Vec<_>, _>>()?;
                Ok(Self::Add(match rows.as_slice() {
                    [one] => one.shallow_clone(),
                    rows => Tensor::f_stack(rows, 0)?,
                }))
            }
        }
    }

    fn rotated(
        rotations: &[&Rotation],
        numbers: Numbers<'_>,
        tables: &Tables,
        differ: bool,
    ) -> Result<Self, ReplayError> {
        let angles = |rows: &[Vec<usize>], side: Side| -> Result<Angles, ReplayError> {
            let rows = rotations.iter().zip(rows).map(|(rotation, at)| tables.angles(rotation, at, side));
            stacked(rows.collect::<Result<_, _>>()?)
        };
        let queries = angles(numbers.queries, Side::Query)?;
        if numbers.reads_keys {
            return Ok(Self::RotateOnRead { queries, all_keys: angles(numbers.keys, Side::Key)? });
        }
        let keys = differ.then(|| angles(numbers.queries, Side::Key)).transpose()?;
        Ok(Self::Rotate { queries, keys })
    }
}

fn stacked(rows: Vec<Angles>) -> Result<Angles, ReplayError> {
    Angles::stacked(rows)?.ok_or_else(|| ReplayError::Request("a batch needs at least one row".to_owned()))
}

impl Groups {
    /// The rotations of queries and of all keys at their positions.
    fn new(grouping: &Grouping, numbers: Numbers<'_>, tables: &Tables) -> Result<Self, ReplayError> {
        let angles = |rows: &[Vec<usize>], side: Side, of: fn(&Grouping, usize) -> usize| {
            let row = |row: &Vec<usize>| {
                let grouped: Vec<usize> = row.iter().map(|position| of(grouping, *position)).collect();
                tables.angles(&grouping.rotation, &grouped, side)
            };
            stacked(rows.iter().map(row).collect::<Result<_, _>>()?)
        };
        let exact = |_: &Grouping, position: usize| position;
        Ok(Self {
            near_queries: angles(numbers.queries, Side::Query, exact)?,
            near_keys: angles(numbers.keys, Side::Key, exact)?,
            far_queries: angles(numbers.queries, Side::Query, Grouping::query)?,
            far_keys: angles(numbers.keys, Side::Key, Grouping::key)?,
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

/// The vectors added to the embeddings at positions, `[time, width]`.
fn added(
    vectors: &Vectors,
    positions: &[usize],
    learned: Option<&Tensor>,
    tables: &Tables,
) -> Result<Tensor, ReplayError> {
    let Vectors::Learned { rows, .. } = vectors else { return tables.waves(vectors, positions) };
    let mut at = Vec::with_capacity(positions.len());
    for position in positions {
        at.push(vectors.row(*position).ok_or_else(|| {
            ReplayError::Request(format!(
                "the checkpoint has learned vectors for {rows} positions, none for position {position}\n\
                 hint: raise the factor"
            ))
        })?);
    }
    let device = tables.device;
    let row = |next: usize| -> Result<Tensor, ReplayError> {
        let index: Vec<i64> = at.iter().map(|(row, _)| (row + next).min(rows - 1) as i64).collect();
        Ok(weights(learned)?.f_index_select(0, &Tensor::f_from_slice(&index)?.f_to_device(device)?)?)
    };
    let shares: Vec<f32> = at.iter().map(|(_, share)| *share as f32).collect();
    let share = Tensor::f_from_slice(&shares)?.f_to_device(device)?.f_unsqueeze(1)?;
    let (low, high) = (row(0)?, row(1)?);
    Ok(low.f_add(&high.f_sub(&low)?.f_mul(&share)?)?)
}
