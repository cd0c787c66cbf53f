//! One layer's positional work by itself, for benches: what a mechanism costs apart from the rest of a model.

use tch::{Device, Kind, Tensor};

use super::ReplayError;
use super::attention::attend;
use super::device::synchronize;
use super::positions::{Positions, Run};
use crate::positions::{HeadShape, Mechanism};

/// Random queries, keys and values of one layer, and a mechanism to put them through.
pub struct Kernel {
    mechanism: Mechanism,
    learned: Option<Tensor>,
    run: Run,
    q_bthd: Tensor,
    k_bthd: Tensor,
    v_bhtd: Tensor,
    /// Keys of the whole context, for a decoded token.
    past_bhsd: Tensor,
}

impl Kernel {
    /// Prefill of `context` tokens, or the decoding of one token behind `context - 1`.
    ///
    /// # Errors
    /// [`ReplayError`] where libtorch fails.
    pub fn new(
        mechanism: Mechanism,
        heads: &HeadShape,
        context: usize,
        decode: bool,
        device: Device,
    ) -> Result<Self, ReplayError> {
        let options = (Kind::Float, device);
        let learned = mechanism.learned_shape(heads).map(|shape| shape.map(|size| size as i64));
        let run = if decode { Run::behind(context - 1, 1) } else { Run::alone(0, context) };
        let (t, h, d) = (if decode { 1 } else { context as i64 }, heads.heads as i64, heads.head_dim as i64);
        let whole = [1, h, context as i64, d];
        Ok(Self {
            learned: learned.map(|shape| Tensor::f_rand(shape, options)).transpose()?,
            mechanism,
            run,
            q_bthd: Tensor::f_randn([1, t, h, d], options)?,
            k_bthd: Tensor::f_randn([1, t, h, d], options)?,
            v_bhtd: Tensor::f_randn(whole, options)?,
            past_bhsd: Tensor::f_randn(whole, options)?,
        })
    }

    /// Prepares positions and applies them to queries and keys; returns a number so that nothing is optimised away.
    ///
    /// # Errors
    /// [`ReplayError`] where libtorch fails.
    pub fn apply(&self) -> Result<usize, ReplayError> {
        let (q, k) = self.heads(&self.positions()?)?;
        synchronize(q.device());
        Ok(q.numel() + k.numel())
    }

    /// As [`Kernel::apply`], and attends.
    ///
    /// # Errors
    /// [`ReplayError`] where libtorch fails.
    pub fn attend(&self) -> Result<usize, ReplayError> {
        let positions = self.positions()?;
        let (q, k) = self.heads(&positions)?;
        let keys = if k.size()[2] == self.past_bhsd.size()[2] { &k } else { &self.past_bhsd };
        let attended = attend(&q, keys, &self.v_bhtd, &positions)?;
        synchronize(attended.device());
        Ok(attended.numel())
    }

    fn positions(&self) -> Result<Positions, ReplayError> {
        Positions::new(&self.mechanism, self.run, self.learned.as_ref(), Kind::Float, self.q_bthd.device())
    }

    fn heads(&self, positions: &Positions) -> Result<(Tensor, Tensor), ReplayError> {
        let q = positions.queries(self.q_bthd.shallow_clone())?.f_transpose(1, 2)?;
        Ok((q, positions.keys(self.k_bthd.shallow_clone())?.f_transpose(1, 2)?))
    }
}
