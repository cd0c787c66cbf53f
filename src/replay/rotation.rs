//! The rotation of queries and keys.

use tch::{Device, Kind, Tensor};

use super::ReplayError;
use super::formats::rounded;
use crate::faults::{Formats, Hand};
use crate::positions::{Pairing, Rotation};

const LAST: i64 = -1;

/// Which of the two is rotated; they differ under xPos's decay alone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Query,
    Key,
}

/// Cosines and sines of a run of positions, `[time, 1, rotary_dim / 2]`, multiplied by the attention factor; with a batch
/// in front where its rows differ.
pub(super) struct Angles {
    cos_t1p: Tensor,
    sin_t1p: Tensor,
    hand: Hand,
    pairing: Pairing,
}

/// How angles are made and held.
#[derive(Clone, Copy)]
pub(super) struct Style<'a> {
    pub(super) hand: &'a Hand,
    pub(super) formats: &'a Formats,
    pub(super) kind: Kind,
    pub(super) device: Device,
}

impl Angles {
    /// The angles at the positions `at`, `[time]` in double precision.
    ///
    /// Phases are computed in double precision and only the table is rounded: at 8,192 tokens that costs 6e-8 instead
    /// of the 3e-4 radians of single-precision phases.
    pub(super) fn new(rotation: &Rotation, at: &Tensor, side: Side, style: Style<'_>) -> Result<Self, ReplayError> {
        let (hand, formats) = (style.hand, style.formats);
        let frequencies = rounded(Tensor::f_from_slice(&rotation.inverse_frequencies)?, formats.frequencies)?;
        let held = rounded(at.shallow_clone(), formats.positions)?;
        let phase_t1p = rounded(held.f_outer(&frequencies)?.f_unsqueeze(1)?, formats.phases)?;
        let phase_t1p = if hand.backwards { phase_t1p.f_neg()? } else { phase_t1p };
        let scale_t1p = match &rotation.decay {
            None => None,
            Some(decay) => {
                // zeta^(position / base) on queries and its inverse on keys: scores see the distance alone.
                let sign = if side == Side::Query { 1.0 } else { -1.0 };
                let logarithms: Vec<f64> = decay.zeta.iter().map(|zeta| sign * zeta.ln() / decay.scale_base).collect();
                Some(at.f_outer(&Tensor::f_from_slice(&logarithms)?)?.f_exp()?.f_unsqueeze(1)?)
            }
        };
        let factor = if hand.without_factor { 1.0 } else { rotation.attention_factor };
        let table = |t: Tensor| -> Result<Tensor, ReplayError> {
            let t = t.f_mul_scalar(factor)?;
            let t = scale_t1p.as_ref().map_or(Ok(t.shallow_clone()), |scale| t.f_mul(scale))?;
            Ok(rounded(t, formats.table)?.f_to_kind(style.kind)?.f_to_device(style.device)?)
        };
        Ok(Self {
            cos_t1p: table(phase_t1p.f_cos()?)?,
            sin_t1p: table(phase_t1p.f_sin()?)?,
            hand: hand.clone(),
            pairing: hand.pairing.unwrap_or(rotation.pairing),
        })
    }

    /// The same angles, with zeros for cosine and sine where `is_zero` holds.
    pub(super) fn with_zeros(self, is_zero: &[bool]) -> Result<Self, ReplayError> {
        let is_zero = self.column(is_zero)?;
        let clear = |t: &Tensor| t.f_masked_fill(&is_zero, 0.0);
        Ok(Self { cos_t1p: clear(&self.cos_t1p)?, sin_t1p: clear(&self.sin_t1p)?, ..self })
    }

    /// The same angles, with those of `other` where `is_other` holds.
    pub(super) fn mixed_with(self, other: &Self, is_other: &[bool]) -> Result<Self, ReplayError> {
        let is_other = self.column(is_other)?;
        let choose = |mine: &Tensor, theirs: &Tensor| theirs.f_where_self(&is_other, mine);
        Ok(Self {
            cos_t1p: choose(&self.cos_t1p, &other.cos_t1p)?,
            sin_t1p: choose(&self.sin_t1p, &other.sin_t1p)?,
            ..self
        })
    }

    fn column(&self, flags: &[bool]) -> Result<Tensor, ReplayError> {
        Ok(Tensor::f_from_slice(flags)?.f_view([-1, 1, 1])?.f_to_device(self.cos_t1p.device())?)
    }

    /// The angles of a batch from those of its rows; nothing from none.
    pub(super) fn stacked(mut rows: Vec<Self>) -> Result<Option<Self>, ReplayError> {
        if rows.len() <= 1 {
            return Ok(rows.pop());
        }
        let stack = |of: fn(&Self) -> &Tensor| Tensor::f_stack(&rows.iter().map(of).collect::<Vec<_>>(), 0);
        let (cos_t1p, sin_t1p) = (stack(|row| &row.cos_t1p)?, stack(|row| &row.sin_t1p)?);
        Ok(rows.pop().map(|row| Self { cos_t1p, sin_t1p, ..row }))
    }

    /// The same angles for each of so many rows of a batch, and their cosines and sines, to take derivatives by.
    pub(super) fn by_row(self, rows: i64) -> Result<(Self, [Tensor; 2]), ReplayError> {
        let own = |t: &Tensor| -> Result<Tensor, ReplayError> {
            let shape = [&[rows], t.size().as_slice()].concat();
            Ok(t.f_unsqueeze(0)?.f_expand(shape, false)?.f_contiguous()?.f_detach()?.f_set_requires_grad(true)?)
        };
        let leaves = [own(&self.cos_t1p)?, own(&self.sin_t1p)?];
        let (cos_t1p, sin_t1p) = (leaves[0].shallow_clone(), leaves[1].shallow_clone());
        Ok((Self { cos_t1p, sin_t1p, ..self }, leaves))
    }

    /// The angles of some of the positions, `rows` of them by index.
    pub(super) fn select(&self, rows: &Tensor) -> Result<Self, ReplayError> {
        let rows = rows.f_to_device(self.cos_t1p.device())?;
        Ok(Self {
            cos_t1p: self.cos_t1p.f_index_select(-3, &rows)?,
            sin_t1p: self.sin_t1p.f_index_select(-3, &rows)?,
            hand: self.hand.clone(),
            pairing: self.pairing,
        })
    }

    /// As [`Angles::rotate`] for `[batch, heads, time, head_dim]`.
    pub(super) fn rotate_bhtd(&self, x_bhtd: &Tensor) -> Result<Tensor, ReplayError> {
        Ok(self.rotate(&x_bhtd.f_transpose(1, 2)?)?.f_transpose(1, 2)?)
    }

    /// Rotates the first dimensions of each head and passes the others through.
    ///
    /// # Shapes
    /// `[batch, time, heads, head_dim]` to the same.
    pub(super) fn rotate(&self, x_bthd: &Tensor) -> Result<Tensor, ReplayError> {
        if self.hand.permuted {
            return self.rotate_loaded(&self.permute(x_bthd)?);
        }
        self.rotate_loaded(x_bthd)
    }

    /// As [`Angles::rotate`], for numbers that are in the kernel's order already.
    pub(super) fn rotate_loaded(&self, x_bthd: &Tensor) -> Result<Tensor, ReplayError> {
        let pairs = self.pairs();
        let width = x_bthd.size()[3];
        let rotated = x_bthd.f_narrow(LAST, 0, 2 * pairs)?;
        let out = match self.pairing {
            Pairing::HalfSplit => {
                let (a, b) = (rotated.f_narrow(LAST, 0, pairs)?, rotated.f_narrow(LAST, pairs, pairs)?);
                let (a, b) = self.turn(&a, &b)?;
                Tensor::f_cat(&[a, b], LAST)?
            }
            Pairing::Interleaved => {
                let shape = rotated.size();
                let paired = rotated.f_unflatten(LAST, [pairs, 2])?;
                let (a, b) = self.turn(&paired.f_select(LAST, 0)?, &paired.f_select(LAST, 1)?)?;
                Tensor::f_stack(&[a, b], LAST)?.f_reshape(shape)?
            }
        };
        if 2 * pairs == width {
            return Ok(out);
        }
        let passed = x_bthd.f_narrow(LAST, 2 * pairs, width - 2 * pairs)?;
        Ok(Tensor::f_cat(&[out, passed], LAST)?)
    }

    /// How many positions there are.
    pub(super) fn count(&self) -> i64 {
        self.cos_t1p.size().iter().rev().nth(2).copied().unwrap_or_default()
    }

    fn pairs(&self) -> i64 {
        self.cos_t1p.size().last().copied().unwrap_or_default()
    }

    /// Puts the weights' pairs into the kernel's order.
    fn permute(&self, x_bthd: &Tensor) -> Result<Tensor, ReplayError> {
        let (pairs, width) = (self.pairs(), x_bthd.size()[3]);
        let order: Vec<i64> = match self.pairing {
            Pairing::Interleaved => (0..pairs).flat_map(|pair| [pair, pair + pairs]).chain(2 * pairs..width).collect(),
            Pairing::HalfSplit => {
                let (first, second) = ((0..pairs).map(|pair| 2 * pair), (0..pairs).map(|pair| 2 * pair + 1));
                first.chain(second).chain(2 * pairs..width).collect()
            }
        };
        Ok(x_bthd.f_index_select(LAST, &Tensor::f_from_slice(&order)?.f_to_device(x_bthd.device())?)?)
    }

    fn turn(&self, a: &Tensor, b: &Tensor) -> Result<(Tensor, Tensor), ReplayError> {
        let (cos, sin) = (&self.cos_t1p, &self.sin_t1p);
        let first = a.f_mul(cos)?.f_sub(&b.f_mul(sin)?)?;
        if self.hand.half {
            return Ok((first, b.shallow_clone()));
        }
        Ok((first, b.f_mul(cos)?.f_add(&a.f_mul(sin)?)?))
    }
}
