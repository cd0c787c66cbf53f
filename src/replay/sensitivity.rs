//! Derivatives of log-probabilities by the numbers of a rotation, backwards: one pass for each token of the longest row.
//!
//! Each row of a batch has cosines and sines of its own, so one backward pass gives the derivatives of a token in every row.

use tch::{Kind, Tensor};

use super::oracle::{columns, token_rows};
use super::positions::{Positions, Prepared, Run};
use super::{BLOCK_ELEMENTS, Checkpoint, ReplayError};
use crate::positions::{Mechanism, Rotation};

/// The derivatives of the log-probabilities of rows of equal length by the logarithm of each pair's frequency and of the
/// attention factor, `[rows][length - 1][pairs + 1]`; nothing where rows are too long to be held whole.
pub(super) fn slopes(
    checkpoint: &Checkpoint,
    rotation: &Rotation,
    rows: &[&[u32]],
) -> Result<Option<Vec<Vec<Vec<f64>>>>, ReplayError> {
    let tokens_bt = token_rows(checkpoint, rows)?;
    let (batch, count) = (tokens_bt.size()[0], tokens_bt.size()[1] - 1);
    let vocabulary = checkpoint.config.architecture.vocabulary;
    if (batch * count) as usize * vocabulary > 2 * BLOCK_ELEMENTS {
        return Ok(None);
    }
    let run = Run::alone(0, count as usize);
    let mechanism = Mechanism::Rotate(rotation.clone());
    let positions = Positions::new(&mechanism, run, None, checkpoint.kind, checkpoint.device)?;
    let Prepared::Rotate { queries, keys: None } = positions.prepared else { return Ok(None) };
    let (queries, leaves) = queries.by_row(batch)?;
    let positions = Positions::from(Prepared::Rotate { queries, keys: None });
    let hidden_btm = checkpoint.hidden(&tokens_bt.f_narrow(1, 0, count)?, &positions, None, None)?;
    let next_n = tokens_bt.f_narrow(1, 1, count)?.f_reshape([-1])?;
    let values_t = columns(checkpoint, &hidden_btm.f_flatten(0, 1)?, &next_n)?
        .f_view([batch, count])?
        .f_sum_dim_intlist([0_i64].as_slice(), false, None::<Kind>)?;
    let mut slopes = vec![Vec::with_capacity(count as usize); batch as usize];
    for at in 0..count {
        let gradients = Tensor::f_run_backward(&[values_t.f_select(0, at)?], &leaves, true, false)?;
        let rows = by_numbers(&leaves, &gradients, rotation)?;
        slopes.iter_mut().zip(rows).for_each(|(slopes, row)| slopes.push(row));
    }
    Ok(Some(slopes))
}

/// Derivatives by the numbers from those by cosines and sines, row by row.
///
/// # Shapes
/// `[batch, time, 1, pairs]` of each.
fn by_numbers(leaves: &[Tensor; 2], gradients: &[Tensor], rotation: &Rotation) -> Result<Vec<Vec<f64>>, ReplayError> {
    let double = |t: &Tensor| t.f_to_kind(Kind::Double)?.f_squeeze_dim(2);
    let (cos_btp, sin_btp) = (double(&leaves[0])?, double(&leaves[1])?);
    let (by_cos, by_sin) = match gradients {
        [cos, sin] => (double(cos)?, double(sin)?),
        _ => return Err(ReplayError::Request("two gradients were asked for".to_owned())),
    };
    let options = (Kind::Double, cos_btp.device());
    let at_t = Tensor::f_arange(cos_btp.size()[1], options)?;
    let frequencies = Tensor::f_from_slice(&rotation.inverse_frequencies)?.f_to_device(cos_btp.device())?;
    // The phase is its own derivative by the logarithm of the frequency.
    let turned = by_sin.f_mul(&cos_btp)?.f_sub(&by_cos.f_mul(&sin_btp)?)?.f_mul(&at_t.f_outer(&frequencies)?)?;
    let scaled = by_cos.f_mul(&cos_btp)?.f_add(&by_sin.f_mul(&sin_btp)?)?;
    let pairs_bp = turned.f_sum_dim_intlist([1_i64].as_slice(), false, None::<Kind>)?;
    let factor_b1 = scaled.f_sum_dim_intlist([1_i64, 2].as_slice(), false, None::<Kind>)?.f_unsqueeze(1)?;
    let all = Tensor::f_cat(&[pairs_bp, factor_b1], 1)?;
    let width = all.size()[1] as usize;
    let flat = Vec::<f64>::try_from(&all.f_to_device(tch::Device::Cpu)?.f_contiguous()?.f_view([-1])?)?;
    Ok(flat.chunks(width).map(<[f64]>::to_vec).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Path;

    use tch::Device;

    use super::*;
    use crate::identify::{Configuration, Hypothesis, Oracle, Prompt};
    use crate::observed::Phase;
    use crate::replay::Examined;
    use crate::units::Tokens;

    #[test]
    fn derivatives_backwards_are_those_of_differences() {
        let checkpoint = Checkpoint::load(Path::new("tests/fixtures/llama/yarn_new_form"), Device::Cpu).unwrap();
        let (method, factor) = checkpoint.config.declared.clone();
        let mechanism =
            crate::positions::Method::mechanism(&method, &checkpoint.config.heads, factor, Tokens(8)).unwrap();
        let rotation = mechanism.rotation().unwrap().clone();
        let mut oracle = Examined::new(&checkpoint, None).unwrap();
        let tokens: Vec<Vec<u32>> = (0..3).map(|row| (0..8).map(|i| (row * 31 + i * 17) % 60).collect()).collect();
        let prompts: Vec<Prompt<'_>> =
            tokens.iter().map(|tokens| Prompt { tokens, upto: 8, phase: Phase::Prefill, batch: None }).collect();
        let with = |change: &dyn Fn(&mut Rotation)| {
            let mut rotation = rotation.clone();
            change(&mut rotation);
            Configuration { mechanism: Mechanism::Rotate(rotation), learned: None, temperature: 1.0 }
        };
        let slopes = oracle.slopes(&with(&|_| {}), &prompts).unwrap().unwrap();
        let pairs = rotation.inverse_frequencies.len();
        assert_eq!((slopes.len(), slopes[0].len(), slopes[0][0].len()), (3, 7, pairs + 1));
        let mut largest: f64 = 0.0;
        for unknown in 0..=pairs {
            let step = 1e-4;
            let mut moved = |by: f64| {
                let configuration = with(&|rotation| match rotation.inverse_frequencies.get_mut(unknown) {
                    Some(frequency) => *frequency *= by.exp(),
                    None => rotation.attention_factor *= by.exp(),
                });
                oracle.score(Hypothesis::Numbers(&configuration), &prompts).unwrap()
            };
            let (up, down) = (moved(step), moved(-step));
            for (row, slopes) in slopes.iter().enumerate() {
                for (at, slopes) in slopes.iter().enumerate() {
                    let difference = (up[row][at] - down[row][at]) / (2.0 * step);
                    largest = largest.max(difference.abs());
                    assert!(
                        (slopes[unknown] - difference).abs() < 1e-6,
                        "{unknown} at {at}: {} {difference}",
                        slopes[unknown]
                    );
                }
            }
        }
        // Something does depend on them.
        assert!(largest > 1e-2, "{largest}");
    }
}
