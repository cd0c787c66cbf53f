//! Gradients of learned biases, in blocks: nothing of length x length is kept for the way back.
//!
//! Attention takes a bias as a constant, so that the fused kernels can be used. What the loss says about the bias follows
//! from each layer's queries, keys, values, output `O` and its gradient `dO`: with `P` the attention weights,
//! `dS = P * (dO V^T - rowsum(dO * O))` (FlashAttention, arXiv 2205.14135, appendix B.2), summed over all pairs of one
//! distance.

use tch::{Kind, Tensor};

use crate::replay::ReplayError;
use crate::replay::attention::{Block, blocks, flipped_bias, repeat_heads};
use crate::replay::decoder::Heads;
use crate::replay::positions::{Positions, Prepared};

const TIME: i64 = 2;

/// Tensors of a block's size that are alive at once; together they are one block of the replay.
const ALIVE: i64 = 4;

/// What is kept of each layer on the way forward.
#[derive(Default)]
pub(super) struct Tape {
    learns: bool,
    layers: Vec<Layer>,
}

struct Layer {
    q_bhtd: Tensor,
    k_bhtd: Tensor,
    v_bhtd: Tensor,
    out_bhtd: Tensor,
    /// Zeros that were added to the output: its gradient is theirs (tch cannot ask for that of a tensor that is no leaf).
    zeros: Tensor,
}

impl Tape {
    /// A tape; it keeps nothing where no bias is learned.
    pub(super) fn of(positions: &Positions) -> Self {
        let learns = matches!(&positions.prepared, Prepared::Bias(profile) if profile.requires_grad());
        Self { learns, layers: Vec::new() }
    }

    /// Keeps a layer; the output goes on unchanged.
    pub(super) fn keep(&mut self, heads: &Heads, out_bhtd: Tensor) -> Result<Tensor, ReplayError> {
        if !self.learns {
            return Ok(out_bhtd);
        }
        let zeros = out_bhtd.f_zeros_like()?.f_detach()?.f_set_requires_grad(true)?;
        let onward = out_bhtd.f_add(&zeros)?;
        let groups = heads.q_bhtd.size()[1] / heads.k_bgtd.size()[1];
        self.layers.push(Layer {
            q_bhtd: heads.q_bhtd.f_detach()?,
            k_bhtd: repeat_heads(&heads.k_bgtd.f_detach()?, groups)?,
            v_bhtd: repeat_heads(&heads.v_bgtd.f_detach()?, groups)?,
            out_bhtd: out_bhtd.f_detach()?,
            zeros,
        });
        Ok(onward)
    }

    /// Hands the bias's gradient on to what is learned, after the loss went backward.
    pub(super) fn finish(self, positions: &Positions) -> Result<(), ReplayError> {
        let Prepared::Bias(profile) = &positions.prepared else { return Ok(()) };
        if !self.learns {
            return Ok(());
        }
        let gradient = {
            let _no_grad = tch::no_grad_guard();
            let profile = profile.f_detach()?;
            let mut sum = profile.f_zeros_like()?;
            for layer in &self.layers {
                layer.add_gradient(&profile, &mut sum)?;
            }
            sum
        };
        Ok(profile.f_mul(&gradient)?.f_sum(Kind::Float)?.f_backward()?)
    }
}

impl Layer {
    /// Adds this layer's gradient by head and distance, `[heads, distances]`.
    fn add_gradient(&self, profile: &Tensor, sum: &mut Tensor) -> Result<(), ReplayError> {
        let size = self.q_bhtd.size();
        let upstream = self.zeros.f_grad()?;
        let along = upstream.f_mul(&self.out_bhtd)?.f_sum_dim_intlist([-1_i64].as_slice(), true, Kind::Float)?;
        for block in blocks(size[2], size[2], ALIVE * size[0] * size[1]) {
            let flipped = |x: &Tensor| -> Result<Tensor, ReplayError> { Ok(block.of(x)?.f_flip([TIME])?) };
            let keys_of = |x: &Tensor| -> Result<Tensor, ReplayError> {
                Ok(x.f_narrow(TIME, 0, block.keys)?.f_transpose(-2, -1)?)
            };
            let scale = (size[3] as f64).sqrt().recip();
            let mut scores = flipped(&self.q_bhtd)?.f_mul_scalar(scale)?.f_matmul(&keys_of(&self.k_bhtd)?)?;
            let weights = scores.f_add_(&flipped_bias(profile, block)?)?.f_softmax(-1, Kind::Float)?;
            let mut pull = flipped(&upstream)?.f_matmul(&keys_of(&self.v_bhtd)?)?;
            let change = pull.f_sub_(&flipped(&along)?)?.f_mul_(&weights)?;
            let by_distance =
                sum_by_distance(&change.f_sum_dim_intlist([0_i64].as_slice(), false, Kind::Float)?, block)?;
            let _ = sum.f_narrow(1, 0, block.keys)?.f_add_(&by_distance)?;
        }
        Ok(())
    }
}

/// Sums values of flipped rows over all (row, key) of one distance, `[heads, rows, keys]` to `[heads, keys]`.
///
/// Row + key tells the distance. Padded by its number of rows and read again one element narrower, each row stands one
/// place further right than the row before it, so that such pairs share a column.
fn sum_by_distance(flipped: &Tensor, block: Block) -> Result<Tensor, ReplayError> {
    let heads = flipped.size()[0];
    let wide = block.keys + block.rows;
    let padded = flipped.f_constant_pad_nd([0, block.rows])?.f_reshape([heads, block.rows * wide])?;
    let skewed = padded.f_narrow(1, 0, block.rows * (wide - 1))?.f_reshape([heads, block.rows, wide - 1])?;
    let columns = skewed.f_sum_dim_intlist([1_i64].as_slice(), false, Kind::Float)?;
    Ok(columns.f_narrow(1, 0, block.keys)?.f_flip([1])?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tch::Device;

    use super::*;
    use crate::positions::{Bias, Buckets, Mechanism};
    use crate::replay::attention::{attend, scores};
    use crate::replay::positions::Run;

    /// The streamed gradient of a learned bias is the one that libtorch finds through attention written out whole.
    #[test]
    fn the_gradient_in_blocks_is_the_gradient() {
        let (t, heads) = (40_i64, 3_i64);
        let options = (Kind::Float, Device::Cpu);
        let buckets = Buckets::Logarithmic { count: 8, max_distance: 20, stretch: 1.0 };
        let mechanism = Mechanism::Bias(Bias::Learned(buckets));
        let table = Tensor::f_randn([8, heads], options).unwrap().f_set_requires_grad(true).unwrap();
        let draw = || Tensor::f_randn([2, heads, t, 8], options).unwrap();
        let (q, k, v, pull) = (draw(), draw(), draw(), draw());
        let prepare = || Positions::new(&mechanism, Run::alone(0, t as usize), Some(&table), Kind::Float, Device::Cpu);

        let positions = prepare().unwrap();
        let at = Tensor::f_arange(t, (Kind::Int64, Device::Cpu)).unwrap();
        let future = Tensor::f_ones([t, t], (Kind::Bool, Device::Cpu)).unwrap().f_triu(1).unwrap();
        let masked = scores(&positions, &q, &k, &at, 0, t).unwrap().f_masked_fill(&future, f64::NEG_INFINITY).unwrap();
        let whole = masked.f_softmax(-1, Kind::Float).unwrap().f_matmul(&v).unwrap();
        whole.f_mul(&pull).unwrap().f_sum(Kind::Float).unwrap().f_backward().unwrap();
        let expected = table.f_grad().unwrap().copy();

        let positions = prepare().unwrap();
        let mut tape = Tape::of(&positions);
        let out = attend(&q, &k, &v, &positions).unwrap();
        let heads = Heads { q_bhtd: q, k_bgtd: k, v_bgtd: v };
        let onward = tape.keep(&heads, out).unwrap();
        let mut before = table.f_grad().unwrap();
        let _ = before.f_zero_().unwrap();
        onward.f_mul(&pull).unwrap().f_sum(Kind::Float).unwrap().f_backward().unwrap();
        tape.finish(&positions).unwrap();
        let got = table.f_grad().unwrap();
        let difference = got.f_sub(&expected).unwrap().f_abs().unwrap().f_max().unwrap().f_double_value(&[]).unwrap();
        assert!(difference < 1e-4, "{difference}");
        assert!(expected.f_abs().unwrap().f_max().unwrap().f_double_value(&[]).unwrap() > 0.1);
    }
}
