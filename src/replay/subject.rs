//! A checkpoint under one positional configuration, as a [`Subject`].

use std::rc::Rc;
use std::time::Instant;

use tch::{Device, Tensor};

use super::cache::Cache;
use super::device::synchronize;
use super::parts::{self, Clock, timed};
use super::positions::{Positions, Run};
use super::{Checkpoint, ReplayError, loss, statistics};
use crate::measurement::Quantity;
use crate::positions::{AnyMethod, Mechanism, Method};
use crate::subject::{LayerAttention, Look, Scores, Subject, SubjectError, Window};
use crate::units::{Seconds, Stretch, Tokens};

/// How a sequence goes through the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// In chunks of so many tokens through the cache; nothing means one shot.
    Prefill(Option<usize>),
    /// Token by token through the cache.
    Decode,
}

/// One checkpoint with one method and factor.
pub struct Replay {
    checkpoint: Rc<Checkpoint>,
    method: AnyMethod,
    factor: Stretch,
    cache: Option<Cache>,
    /// The weights run without any positional work, as a control of what that costs.
    without_positions: bool,
}

/// Room behind a prompt for the tokens that [`Subject::decode`] and [`Subject::parts`] add.
const DECODE_ROOM: usize = 256 + 16;

impl Replay {
    /// Puts a method under a checkpoint's weights.
    ///
    /// # Errors
    /// [`ReplayError::Method`] when the method does not fit the heads.
    pub fn new(checkpoint: Rc<Checkpoint>, method: AnyMethod, factor: Stretch) -> Result<Self, ReplayError> {
        method.mechanism(&checkpoint.config.heads, factor, checkpoint.config.architecture.max_positions)?;
        Ok(Self { checkpoint, method, factor, cache: None, without_positions: false })
    }

    /// The weights without any positional work: only to be timed.
    pub(super) fn without_positions(checkpoint: Rc<Checkpoint>) -> Self {
        Self { checkpoint, method: AnyMethod::unscaled(), factor: Stretch::ONE, cache: None, without_positions: true }
    }

    /// Positions of a run when `length` tokens are known: what a rotation that changes with the length goes by.
    fn positions(&self, run: Run, length: usize) -> Result<Positions, ReplayError> {
        let checkpoint = &self.checkpoint;
        if self.without_positions {
            return Positions::new(&Mechanism::Nothing, run, None, checkpoint.kind, checkpoint.device);
        }
        timed(Quantity::PositionTable, || {
            let mechanism = self.method.mechanism(&checkpoint.config.heads, self.factor, Tokens(length))?;
            Positions::new(&mechanism, run, checkpoint.weights.positions.as_ref(), checkpoint.kind, checkpoint.device)
        })
    }

    fn tokens(&self, tokens: &[u32]) -> Result<Tensor, ReplayError> {
        let vocabulary = self.checkpoint.config.architecture.vocabulary;
        if let Some(&token) = tokens.iter().find(|&&token| token as usize >= vocabulary) {
            return Err(ReplayError::Token { token, vocabulary });
        }
        let wide: Vec<i64> = tokens.iter().map(|&token| i64::from(token)).collect();
        Ok(Tensor::f_from_slice(&wide)?.f_to_device(self.checkpoint.device)?)
    }

    /// Hidden states of one sequence behind the cache, `[time, width]`.
    ///
    /// A rotation that changes with the length goes by the tokens so far, as in a server: keys in the cache keep theirs.
    fn behind(&self, tokens: &Tensor, cache: &mut Cache) -> Result<Tensor, ReplayError> {
        let count = tokens.size()[0] as usize;
        let positions = self.positions(Run::behind(cache.length(), count), cache.length() + count)?;
        Ok(self.checkpoint.hidden(&tokens.f_unsqueeze(0)?, &positions, Some(cache), None)?.f_squeeze_dim(0)?)
    }

    fn new_cache(&self, capacity: usize) -> Result<Cache, ReplayError> {
        let checkpoint = &self.checkpoint;
        Cache::new(&checkpoint.config.architecture, 1, capacity, checkpoint.kind, checkpoint.device)
    }

    /// Scores one sequence, one shot, chunked or token by token.
    ///
    /// # Errors
    /// [`ReplayError`] when a token is foreign, memory runs out, or libtorch fails.
    pub fn score_phase(&self, tokens: &[u32], phase: Phase) -> Result<Scores, ReplayError> {
        let _no_grad = tch::no_grad_guard();
        let all = self.tokens(tokens)?;
        let (time, length) = (tokens.len().saturating_sub(1), tokens.len());
        if time == 0 {
            return Ok(Scores::default());
        }
        let chunk = match phase {
            Phase::Prefill(None) => {
                let positions = self.positions(Run::alone(0, time), length)?;
                let hidden = self.checkpoint.hidden(
                    &all.f_narrow(0, 0, time as i64)?.f_unsqueeze(0)?,
                    &positions,
                    None,
                    None,
                )?;
                return loss::score(&self.checkpoint, &hidden.f_squeeze_dim(0)?, &all.f_narrow(0, 1, time as i64)?);
            }
            Phase::Prefill(Some(chunk)) => chunk.max(1),
            Phase::Decode => 1,
        };
        let mut cache = self.new_cache(time)?;
        let mut scores = Scores::default();
        let mut start = 0;
        while start < time {
            let count = chunk.min(time - start) as i64;
            let hidden = self.behind(&all.f_narrow(0, start as i64, count)?, &mut cache)?;
            let part = loss::score(&self.checkpoint, &hidden, &all.f_narrow(0, start as i64 + 1, count)?)?;
            scores.log_probability.extend(part.log_probability);
            scores.is_top.extend(part.is_top);
            start += count as usize;
        }
        Ok(scores)
    }

    /// Full logits after chosen tokens of one sequence, `[at, vocabulary]`; for parity tests, not for long use.
    ///
    /// # Errors
    /// [`ReplayError`] when a token is foreign, memory runs out, or libtorch fails.
    pub fn logits_at(&self, tokens: &[u32], at: &[usize]) -> Result<Vec<Vec<f32>>, ReplayError> {
        let _no_grad = tch::no_grad_guard();
        let positions = self.positions(Run::alone(0, tokens.len()), tokens.len())?;
        let hidden = self.checkpoint.hidden(&self.tokens(tokens)?.f_unsqueeze(0)?, &positions, None, None)?;
        let at: Vec<i64> = at.iter().map(|&at| at as i64).collect();
        let at = Tensor::f_from_slice(&at)?.f_to_device(self.checkpoint.device)?;
        let logits = self.checkpoint.logits(&hidden.f_squeeze_dim(0)?.f_index_select(0, &at)?)?;
        Ok(Vec::<Vec<f32>>::try_from(&logits.f_to_device(Device::Cpu)?)?)
    }

    fn score_windows(&self, windows: &[Window<'_>]) -> Result<Vec<Scores>, ReplayError> {
        let _no_grad = tch::no_grad_guard();
        let mut scores = Vec::with_capacity(windows.len());
        for window in windows {
            let time = window.tokens.len().saturating_sub(1) as i64;
            if time == 0 {
                scores.push(Scores::default());
                continue;
            }
            let first = window.first_position.0;
            let positions = self.positions(Run::alone(first, time as usize), first + window.tokens.len())?;
            let all = self.tokens(window.tokens)?;
            let hidden = self.checkpoint.hidden(&all.f_narrow(0, 0, time)?.f_unsqueeze(0)?, &positions, None, None)?;
            scores.push(loss::score(&self.checkpoint, &hidden.f_squeeze_dim(0)?, &all.f_narrow(0, 1, time)?)?);
        }
        Ok(scores)
    }

    fn look(&self, tokens: &[u32], look: &Look) -> Result<Vec<LayerAttention>, ReplayError> {
        let _no_grad = tch::no_grad_guard();
        let positions = self.positions(Run::alone(0, tokens.len()), tokens.len())?;
        let mut layers = Vec::new();
        let mut visit = |heads: &super::decoder::Heads, attended: Tensor| -> Result<Tensor, ReplayError> {
            layers.push(statistics::look_at(heads, &positions, look)?);
            Ok(attended)
        };
        let _hidden =
            self.checkpoint.hidden(&self.tokens(tokens)?.f_unsqueeze(0)?, &positions, None, Some(&mut visit))?;
        Ok(layers)
    }

    fn timed_prefill(&mut self, tokens: &[u32]) -> Result<Seconds, ReplayError> {
        let _no_grad = tch::no_grad_guard();
        let all = self.tokens(tokens)?;
        let mut cache = self.new_cache(tokens.len() + DECODE_ROOM)?;
        synchronize(self.checkpoint.device);
        let clock = Instant::now();
        let hidden = self.behind(&all, &mut cache)?;
        // A server needs the logits after the last token of a prompt, and only those.
        let last = self.checkpoint.logits(&hidden.f_narrow(0, tokens.len() as i64 - 1, 1)?)?;
        last.f_argmax(-1, false)?.f_int64_value(&[0])?;
        synchronize(self.checkpoint.device);
        let seconds = Seconds(clock.elapsed().as_secs_f64());
        self.cache = Some(cache);
        Ok(seconds)
    }

    /// Decodes each token behind the cache, and hands the clock's time of each to `each`.
    fn decode_each(&mut self, tokens: &[u32], mut each: impl FnMut(Seconds)) -> Result<(), ReplayError> {
        let _no_grad = tch::no_grad_guard();
        let Some(mut cache) = self.cache.take() else {
            return Err(ReplayError::Request("decode needs a prompt in the cache".to_owned()));
        };
        let all = self.tokens(tokens)?;
        for i in 0..tokens.len() as i64 {
            synchronize(self.checkpoint.device);
            let clock = Instant::now();
            let hidden = self.behind(&all.f_narrow(0, i, 1)?, &mut cache)?;
            self.checkpoint.logits(&hidden)?.f_argmax(-1, false)?.f_int64_value(&[0])?;
            synchronize(self.checkpoint.device);
            each(Seconds(clock.elapsed().as_secs_f64()));
        }
        self.cache = Some(cache);
        Ok(())
    }

    fn timed_decode(&mut self, tokens: &[u32]) -> Result<Seconds, ReplayError> {
        let mut times = Vec::with_capacity(tokens.len());
        self.decode_each(tokens, |seconds| times.push(seconds.0))?;
        Ok(Seconds(parts::median(&mut times)))
    }

    fn timed_parts(&mut self, tokens: &[u32]) -> Result<Vec<(Quantity, Seconds)>, ReplayError> {
        let clock = Clock::start(self.checkpoint.device);
        let mut tokens_timed = Vec::new();
        self.decode_each(tokens, |whole| tokens_timed.push(clock.token(whole)))?;
        Ok(parts::medians(&tokens_timed))
    }
}

impl Subject for Replay {
    fn score(&mut self, windows: &[Window<'_>]) -> Result<Vec<Scores>, SubjectError> {
        Ok(self.score_windows(windows)?)
    }

    fn attention(&mut self, tokens: &[u32], look: &Look) -> Result<Vec<LayerAttention>, SubjectError> {
        Ok(self.look(tokens, look)?)
    }

    fn prefill(&mut self, tokens: &[u32]) -> Result<Seconds, SubjectError> {
        Ok(self.timed_prefill(tokens)?)
    }

    fn decode(&mut self, tokens: &[u32]) -> Result<Seconds, SubjectError> {
        Ok(self.timed_decode(tokens)?)
    }

    fn parts(&mut self, tokens: &[u32]) -> Result<Vec<(Quantity, Seconds)>, SubjectError> {
        Ok(self.timed_parts(tokens)?)
    }
}
