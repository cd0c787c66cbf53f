//! Log-probabilities in blocks, so that length x vocabulary never exists.

use tch::{Kind, Tensor};

use super::{BLOCK_ELEMENTS, Checkpoint, ReplayError};
use crate::subject::Scores;

/// Scores the tokens after each hidden state.
///
/// # Shapes
/// `hidden [time, width]` predicts `next [time]`.
pub(super) fn score(checkpoint: &Checkpoint, hidden: &Tensor, next: &Tensor) -> Result<Scores, ReplayError> {
    let time = hidden.size()[0];
    let rows = (BLOCK_ELEMENTS / 2 / checkpoint.config.architecture.vocabulary.max(1)).max(1) as i64;
    let mut scores = Scores::default();
    let mut start = 0;
    while start < time {
        let count = rows.min(time - start);
        let logits = checkpoint.logits(&hidden.f_narrow(0, start, count)?)?;
        let next = next.f_narrow(0, start, count)?;
        let chosen = logits.f_gather(-1, &next.f_unsqueeze(-1)?, false)?.f_squeeze_dim(-1)?;
        let log_probability = chosen.f_sub(&logits.f_logsumexp([-1_i64].as_slice(), false)?)?;
        let is_top = logits.f_argmax(-1, false)?.f_eq_tensor(&next)?;
        scores.log_probability.extend(Vec::<f32>::try_from(&log_probability.f_to_kind(Kind::Float)?)?);
        scores.is_top.extend(Vec::<bool>::try_from(&is_top)?);
        start += count;
    }
    Ok(scores)
}
