//! The rotation of queries and keys.

use tch::{Device, Kind, Tensor};

use super::ReplayError;
use crate::positions::{Pairing, Rotation};

const LAST: i64 = -1;

/// Which of the two is rotated; they differ under xPos's decay alone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Query,
    Key,
}

/// Cosines and sines of a run of positions, `[time, 1, rotary_dim / 2]`, multiplied by the attention factor.
pub(super) struct Angles {
    cos_t1p: Tensor,
    sin_t1p: Tensor,
    pairing: Pairing,
}

impl Angles {
    /// The angles at the positions `at`, `[time]` in double precision.
    ///
    /// Phases are computed in double precision and only the table is rounded: at 8,192 tokens that costs 6e-8 instead
    /// of the 3e-4 radians of single-precision phases.
    pub(super) fn new(
        rotation: &Rotation,
        at: &Tensor,
        side: Side,
        kind: Kind,
        device: Device,
    ) -> Result<Self, ReplayError> {
        let frequencies = Tensor::f_from_slice(&rotation.inverse_frequencies)?;
        let phase_t1p = at.f_outer(&frequencies)?.f_unsqueeze(1)?;
        let scale_t1p = match &rotation.decay {
            None => None,
            Some(decay) => {
                // zeta^(position / base) on queries and its inverse on keys: scores see the distance alone.
                let sign = if side == Side::Query { 1.0 } else { -1.0 };
                let logarithms: Vec<f64> = decay.zeta.iter().map(|zeta| sign * zeta.ln() / decay.scale_base).collect();
                Some(at.f_outer(&Tensor::f_from_slice(&logarithms)?)?.f_exp()?.f_unsqueeze(1)?)
            }
        };
        let table = |t: Tensor| -> Result<Tensor, ReplayError> {
            let t = t.f_mul_scalar(rotation.attention_factor)?;
            let t = scale_t1p.as_ref().map_or(Ok(t.shallow_clone()), |scale| t.f_mul(scale))?;
            Ok(t.f_to_kind(kind)?.f_to_device(device)?)
        };
        Ok(Self { cos_t1p: table(phase_t1p.f_cos()?)?, sin_t1p: table(phase_t1p.f_sin()?)?, pairing: rotation.pairing })
    }

    /// The angles of some of the positions, `rows` of them by index.
    pub(super) fn select(&self, rows: &Tensor) -> Result<Self, ReplayError> {
        let rows = rows.f_to_device(self.cos_t1p.device())?;
        Ok(Self {
            cos_t1p: self.cos_t1p.f_index_select(0, &rows)?,
            sin_t1p: self.sin_t1p.f_index_select(0, &rows)?,
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
        let pairs = self.cos_t1p.size()[2];
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

    fn turn(&self, a: &Tensor, b: &Tensor) -> Result<(Tensor, Tensor), ReplayError> {
        let (cos, sin) = (&self.cos_t1p, &self.sin_t1p);
        Ok((a.f_mul(cos)?.f_sub(&b.f_mul(sin)?)?, b.f_mul(cos)?.f_add(&a.f_mul(sin)?)?))
    }
}
