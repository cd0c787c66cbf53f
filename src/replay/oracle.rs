//! A checkpoint that answers under any hypothesis, for the identification of an engine.

use std::rc::Rc;

use tch::{Device, Kind, Tensor};

use super::positions::{Positions, Run};
use super::sensitivity;
use super::{BLOCK_ELEMENTS, Checkpoint, Replay, ReplayError};
use crate::identify::{Candidate, Configuration, Hypothesis, Oracle, Prompt};
use crate::observed::{Phase, Precision};
use crate::positions::{HeadShape, Mechanism};
use crate::subject::{Padding, Request, Route, Row, SubjectError};
use crate::units::Tokens;

/// Tokens of one batched forward.
const BATCH_TOKENS: usize = 4_096;
/// A checkpoint with more numbers is replayed in single precision: time and memory double otherwise.
const EXACT_NUMBERS: usize = 20_000_000;
/// Single precision rounds log-probabilities by about so many nats: 30 layers were 1.2e-5 from transformers.
const SINGLE: f64 = 1e-5;

/// A checkpoint under any positional configuration, in double precision where it is small.
pub struct Examined {
    checkpoint: Rc<Checkpoint>,
    exact: Option<Checkpoint>,
}

impl Examined {
    /// Takes a checkpoint, its weights rounded to the precision that an engine computes in.
    ///
    /// # Errors
    /// [`ReplayError`] where memory runs out.
    pub fn new(checkpoint: &Checkpoint, precision: Option<Precision>) -> Result<Self, ReplayError> {
        let kind = match precision {
            Some(Precision::Bfloat16) => Kind::BFloat16,
            Some(Precision::Float16) => Kind::Half,
            Some(Precision::Float32) | None => checkpoint.kind,
        };
        let checkpoint = Rc::new(checkpoint.in_kind(kind)?.in_kind(checkpoint.kind)?);
        let small = checkpoint.weights.numbers() <= EXACT_NUMBERS;
        let exact = small.then(|| checkpoint.in_kind(Kind::Double)).transpose()?;
        Ok(Self { checkpoint, exact })
    }

    fn weights(&self) -> &Checkpoint {
        self.exact.as_ref().unwrap_or(&self.checkpoint)
    }

    fn answers(&self, hypothesis: Hypothesis<'_>, prompts: &[Prompt<'_>]) -> Result<Vec<Vec<f64>>, ReplayError> {
        let _no_grad = tch::no_grad_guard();
        match hypothesis {
            Hypothesis::Named(candidate) => self.named(candidate, prompts),
            Hypothesis::Numbers(configuration) => {
                let altered = self.weights().under(configuration)?;
                by_numbers(&altered, &vec![configuration.mechanism.clone(); prompts.len()], prompts)
            }
        }
    }

    fn derivatives(
        &self,
        configuration: &Configuration,
        prompts: &[Prompt<'_>],
    ) -> Result<Option<Vec<Vec<Vec<f64>>>>, ReplayError> {
        let Mechanism::Rotate(rotation) = &configuration.mechanism else { return Ok(None) };
        if rotation.decay.is_some() || configuration.temperature != 1.0 {
            return Ok(None);
        }
        let mut found = vec![Vec::new(); prompts.len()];
        for batch in batches(&vec![configuration.mechanism.clone(); prompts.len()], prompts) {
            let rows: Vec<&[u32]> = batch.iter().map(|&i| &prompts[i].tokens[..prompts[i].upto]).collect();
            let Some(slopes) = sensitivity::slopes(self.weights(), rotation, &rows)? else { return Ok(None) };
            batch.iter().zip(slopes).for_each(|(&i, slopes)| found[i] = slopes);
        }
        Ok(Some(found))
    }

    /// A named configuration: by its numbers where they say all of it, else through an engine of its own.
    fn named(&self, candidate: &Candidate, prompts: &[Prompt<'_>]) -> Result<Vec<Vec<f64>>, ReplayError> {
        let injected = candidate.injected(&self.checkpoint.config.heads)?;
        let decodes = prompts.iter().any(|prompt| prompt.phase == Phase::Decode);
        if !injected.execution().is_healthy() || injected.follows_length() && decodes {
            return self.served(candidate, injected.follows_length(), prompts);
        }
        let at = |prompt: &Prompt<'_>| injected.mechanism(Tokens(prompt.tokens.len()));
        let mechanisms = prompts.iter().map(at).collect::<Result<Vec<_>, _>>()?;
        by_numbers(self.weights(), &mechanisms, prompts)
    }

    /// Prompts in their order through a fresh engine that keeps its state; those of one batch together.
    fn served(
        &self,
        candidate: &Candidate,
        follows_length: bool,
        prompts: &[Prompt<'_>],
    ) -> Result<Vec<Vec<f64>>, ReplayError> {
        let Candidate { method, factor, faults } = candidate;
        let replay = Replay::under(Rc::clone(&self.checkpoint), method.clone(), *factor, faults)?;
        let together = |a: &Prompt<'_>, b: &Prompt<'_>| a.batch.is_some() && (a.batch, a.phase) == (b.batch, b.phase);
        let mut answers = Vec::with_capacity(prompts.len());
        for batch in prompts.chunk_by(together) {
            // What goes by the length needs all of a request.
            let seen = |prompt: &Prompt<'_>| if follows_length { prompt.tokens.len() } else { prompt.upto };
            let rows: Vec<Row> = batch
                .iter()
                .map(|prompt| Row { tokens: prompt.tokens[..seen(prompt)].to_vec(), first_position: 0 })
                .collect();
            let even = rows.iter().all(|row| row.tokens.len() == rows[0].tokens.len());
            let decodes = batch.iter().any(|prompt| prompt.phase == Phase::Decode);
            let request = Request {
                rows,
                route: if decodes { Route::Decode { prompt: 1 } } else { Route::OneShot },
                padding: if even { Padding::None } else { Padding::Left },
            };
            for (scores, prompt) in replay.serve_request(&request)?.into_iter().zip(batch) {
                let values = scores.log_probability.into_iter().map(f64::from);
                answers.push(values.take(prompt.upto.saturating_sub(1)).collect());
            }
        }
        Ok(answers)
    }
}

impl Oracle for Examined {
    fn heads(&self) -> &HeadShape {
        &self.checkpoint.config.heads
    }

    fn learned(&self) -> Option<Vec<f64>> {
        let learned = self.checkpoint.weights.positions.as_ref()?;
        Vec::try_from(&learned.f_to_kind(Kind::Double).ok()?.f_flatten(0, -1).ok()?).ok()
    }

    fn resolution(&self) -> f64 {
        if self.exact.is_some() { 0.0 } else { SINGLE }
    }

    fn score(&mut self, hypothesis: Hypothesis<'_>, prompts: &[Prompt<'_>]) -> Result<Vec<Vec<f64>>, SubjectError> {
        Ok(self.answers(hypothesis, prompts)?)
    }

    fn slopes(
        &mut self,
        configuration: &Configuration,
        prompts: &[Prompt<'_>],
    ) -> Result<Option<Vec<Vec<Vec<f64>>>>, SubjectError> {
        Ok(self.derivatives(configuration, prompts)?)
    }
}

impl Checkpoint {
    /// The same weights under a configuration's learned numbers and temperature.
    fn under(&self, configuration: &Configuration) -> Result<Self, ReplayError> {
        let mut altered = self.in_kind(self.kind)?;
        if let (Some(values), Some(there)) = (&configuration.learned, &self.weights.positions) {
            let values = Tensor::f_from_slice(values)?.f_view(there.size().as_slice())?;
            altered.weights.positions = Some(values.f_to_kind(self.kind)?.f_to_device(self.device)?);
        }
        if configuration.temperature != 1.0 {
            for layer in &mut altered.weights.layers {
                layer.q.weight = layer.q.weight.f_mul_scalar(configuration.temperature)?;
                layer.q.bias =
                    layer.q.bias.as_ref().map(|bias| bias.f_mul_scalar(configuration.temperature)).transpose()?;
            }
        }
        Ok(altered)
    }
}

/// Prompts under mechanisms of their own.
fn by_numbers(
    checkpoint: &Checkpoint,
    mechanisms: &[Mechanism],
    prompts: &[Prompt<'_>],
) -> Result<Vec<Vec<f64>>, ReplayError> {
    let mut answers = vec![Vec::new(); prompts.len()];
    for batch in batches(mechanisms, prompts) {
        let rows: Vec<&[u32]> = batch.iter().map(|&i| &prompts[i].tokens[..prompts[i].upto]).collect();
        for (i, answer) in batch.iter().zip(log_probabilities(checkpoint, &mechanisms[batch[0]], &rows)?) {
            answers[*i] = answer;
        }
    }
    Ok(answers)
}

/// The prompts that go together: those with the same mechanism and length.
fn batches(mechanisms: &[Mechanism], prompts: &[Prompt<'_>]) -> Vec<Vec<usize>> {
    let mut found = Vec::new();
    let mut open: Vec<usize> = (0..prompts.len()).filter(|&i| prompts[i].upto > 1).collect();
    while let Some(&first) = open.first() {
        let fits = |i: usize| prompts[i].upto == prompts[first].upto && mechanisms[i] == mechanisms[first];
        let most = (BATCH_TOKENS / prompts[first].upto).max(1);
        let batch: Vec<usize> = open.iter().copied().filter(|&i| fits(i)).take(most).collect();
        open.retain(|i| !batch.contains(i));
        found.push(batch);
    }
    found
}

/// Rows of equal length as a tensor, `[rows, length]`.
pub(super) fn token_rows(checkpoint: &Checkpoint, rows: &[&[u32]]) -> Result<Tensor, ReplayError> {
    let length = rows.first().map_or(0, |row| row.len()) as i64;
    let vocabulary = checkpoint.config.architecture.vocabulary;
    if let Some(&token) = rows.iter().flat_map(|row| row.iter()).find(|token| **token as usize >= vocabulary) {
        return Err(ReplayError::Token { token, vocabulary });
    }
    let wide: Vec<i64> = rows.iter().flat_map(|row| row.iter().map(|&token| i64::from(token))).collect();
    Ok(Tensor::f_from_slice(&wide)?.f_view([rows.len() as i64, length])?.f_to_device(checkpoint.device)?)
}

/// The log-probability of a next token behind each hidden state, `[n]`.
pub(super) fn columns(checkpoint: &Checkpoint, hidden_nm: &Tensor, next_n: &Tensor) -> Result<Tensor, ReplayError> {
    let logits = hidden_nm.f_linear(&checkpoint.weights.head, None::<&Tensor>)?;
    let chosen = logits.f_gather(-1, &next_n.f_unsqueeze(-1)?, false)?;
    Ok(chosen.f_squeeze_dim(-1)?.f_sub(&logits.f_logsumexp([-1_i64].as_slice(), false)?)?)
}

/// Log-probabilities of the tokens after the first of rows of equal length, `[rows][length - 1]`.
fn log_probabilities(
    checkpoint: &Checkpoint,
    mechanism: &Mechanism,
    rows: &[&[u32]],
) -> Result<Vec<Vec<f64>>, ReplayError> {
    let tokens_bt = token_rows(checkpoint, rows)?;
    let length = tokens_bt.size()[1];
    let learned = checkpoint.weights.positions.as_ref();
    let run = Run::alone(0, length as usize - 1);
    let positions = Positions::new(mechanism, run, learned, checkpoint.kind, checkpoint.device)?;
    let hidden_btm = checkpoint.hidden(&tokens_bt.f_narrow(1, 0, length - 1)?, &positions, None, None)?;
    let (hidden_nm, next_n) = (hidden_btm.f_flatten(0, 1)?, tokens_bt.f_narrow(1, 1, length - 1)?.f_reshape([-1])?);
    let vocabulary = checkpoint.config.architecture.vocabulary;
    let (all, most) = (next_n.size()[0], (BLOCK_ELEMENTS / 2 / vocabulary.max(1)).max(1) as i64);
    let mut flat: Vec<f64> = Vec::with_capacity(all as usize);
    let mut start = 0;
    while start < all {
        let count = most.min(all - start);
        let values = columns(checkpoint, &hidden_nm.f_narrow(0, start, count)?, &next_n.f_narrow(0, start, count)?)?;
        flat.extend(Vec::<f64>::try_from(&values.f_to_kind(Kind::Double)?.f_to_device(Device::Cpu)?)?);
        start += count;
    }
    Ok(flat.chunks(length as usize - 1).map(<[f64]>::to_vec).collect())
}
