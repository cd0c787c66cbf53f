//! A checkpoint under one positional configuration, as a [`Subject`].

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use tch::{Device, Tensor};

use super::cache::Cache;
use super::device::synchronize;
use super::engine::{Course, Engine, Layout, Memory, Step, Way};
use super::parts::{self, Clock, timed};
use super::positions::{Positions, Run};
use super::serve::LeftOver;
use super::{Checkpoint, ReplayError, statistics};
use crate::faults::{AnyFault, CachedKeys, Caching, Execution, Injected, Setting};
use crate::measurement::Quantity;
use crate::positions::{AnyMethod, Mechanism};
use crate::subject::{
    AppliedRotation, LayerAttention, Look, Padding, Request, Route, Row, Scores, Subject, SubjectError, Window,
};
use crate::units::{Seconds, Stretch};

/// How a sequence goes through the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// In chunks of so many tokens through the cache; nothing means one shot.
    Prefill(Option<usize>),
    /// Token by token through the cache.
    Decode,
}

/// One checkpoint with one method and factor, in an engine that may have faults.
pub struct Replay {
    pub(super) checkpoint: Rc<Checkpoint>,
    pub(super) injected: Injected,
    pub(super) memory: Cell<Memory>,
    pub(super) left_over: RefCell<Option<LeftOver>>,
    timed: Option<(Course, Cache)>,
    /// The weights run without any positional work, as a control of what that costs.
    without_positions: bool,
}

/// Room behind a prompt for the tokens that [`Subject::decode`] and [`Subject::parts`] add.
const DECODE_ROOM: usize = 256 + 16;

impl Replay {
    /// Puts a method under a checkpoint's weights, in an engine that does what transformers does.
    ///
    /// That is a healthy engine but for one thing: a rotation that changes with the length leaves cached keys as they were.
    ///
    /// # Errors
    /// [`ReplayError::Method`] when the method does not fit the heads.
    pub fn new(checkpoint: Rc<Checkpoint>, method: AnyMethod, factor: Stretch) -> Result<Self, ReplayError> {
        let healthy = Self::under(checkpoint, method, factor, &[])?;
        let cache = Caching { keys: CachedKeys::AsTheyCame, ..Caching::default() };
        let execution = Execution { cache, ..healthy.injected.execution().clone() };
        Ok(Self { injected: healthy.injected.executed(execution), ..healthy })
    }

    /// Puts a method under a checkpoint's weights, in an engine with faults; without any it is healthy.
    ///
    /// # Errors
    /// [`ReplayError::Fault`] when the method does not fit the heads, or a fault's parameter is out of its range.
    pub fn under(
        checkpoint: Rc<Checkpoint>,
        method: AnyMethod,
        factor: Stretch,
        faults: &[AnyFault],
    ) -> Result<Self, ReplayError> {
        let (heads, window) = (checkpoint.config.heads.clone(), checkpoint.config.architecture.window);
        let injected = Injected::new(Setting { method, factor, heads, window }, faults)?;
        Ok(Self {
            checkpoint,
            injected,
            memory: Cell::default(),
            left_over: RefCell::default(),
            timed: None,
            without_positions: false,
        })
    }

    /// The weights without any positional work: only to be timed.
    pub(super) fn without_positions(checkpoint: Rc<Checkpoint>) -> Result<Self, ReplayError> {
        let unscaled = Self::under(checkpoint, AnyMethod::unscaled(), Stretch::ONE, &[])?;
        Ok(Self { without_positions: true, ..unscaled })
    }

    pub(super) fn engine(&self) -> Engine<'_> {
        Engine { checkpoint: &self.checkpoint, injected: &self.injected }
    }

    /// Makes the mechanism ready for a step of a request.
    pub(super) fn prepare(&self, course: &mut Course, step: &Step) -> Result<Positions, ReplayError> {
        if self.without_positions {
            let run = Run::alone(step.slots.start, step.slots.len());
            return Positions::new(&Mechanism::Nothing, run, None, self.checkpoint.kind, self.checkpoint.device);
        }
        let mut memory = self.memory.get();
        let positions = timed(Quantity::PositionTable, || self.engine().prepare(course, step, &mut memory))?;
        self.memory.set(memory);
        Ok(positions)
    }

    pub(super) fn tokens(&self, tokens: &[u32]) -> Result<Tensor, ReplayError> {
        let vocabulary = self.checkpoint.config.architecture.vocabulary;
        if let Some(&token) = tokens.iter().find(|&&token| token as usize >= vocabulary) {
            return Err(ReplayError::Token { token, vocabulary });
        }
        let wide: Vec<i64> = tokens.iter().map(|&token| i64::from(token)).collect();
        Ok(Tensor::f_from_slice(&wide)?.f_to_device(self.checkpoint.device)?)
    }

    pub(super) fn new_cache(&self, batch: usize, capacity: usize) -> Result<Cache, ReplayError> {
        let checkpoint = &self.checkpoint;
        Cache::new(&checkpoint.config.architecture, batch, capacity, checkpoint.kind, checkpoint.device)
    }

    fn serve_row(&self, tokens: &[u32], first_position: usize, route: Route) -> Result<Scores, ReplayError> {
        let row = Row { tokens: tokens.to_vec(), first_position };
        let request = Request { rows: vec![row], route, padding: Padding::None };
        Ok(self.serve_request(&request)?.pop().unwrap_or_default())
    }

    /// Scores one sequence, one shot, chunked or token by token.
    ///
    /// # Errors
    /// [`ReplayError`] when a token is foreign, memory runs out, or libtorch fails.
    pub fn score_phase(&self, tokens: &[u32], phase: Phase) -> Result<Scores, ReplayError> {
        let route = match phase {
            Phase::Prefill(None) => Route::OneShot,
            Phase::Prefill(Some(chunk)) => Route::Chunked(chunk),
            Phase::Decode => Route::Decode { prompt: 0 },
        };
        self.serve_row(tokens, 0, route)
    }

    /// The whole of one sequence in one forward, for full logits and statistics.
    fn whole(&self, tokens: &[u32]) -> Result<(Tensor, Positions), ReplayError> {
        let mut course = Course::new(vec![Layout::alone(0, tokens.len())], &[]);
        let step = Step { slots: 0..tokens.len(), cached: 0, way: Way::OneShot };
        Ok((self.tokens(tokens)?.f_unsqueeze(0)?, self.prepare(&mut course, &step)?))
    }

    /// Full logits after chosen tokens of one sequence, `[at, vocabulary]`; for parity tests, not for long use.
    ///
    /// # Errors
    /// [`ReplayError`] when a token is foreign, memory runs out, or libtorch fails.
    pub fn logits_at(&self, tokens: &[u32], at: &[usize]) -> Result<Vec<Vec<f32>>, ReplayError> {
        let _no_grad = tch::no_grad_guard();
        let (tokens, positions) = self.whole(tokens)?;
        let hidden = self.checkpoint.hidden(&tokens, &positions, None, None)?;
        let at: Vec<i64> = at.iter().map(|&at| at as i64).collect();
        let at = Tensor::f_from_slice(&at)?.f_to_device(self.checkpoint.device)?;
        let logits = self.checkpoint.logits(&hidden.f_squeeze_dim(0)?.f_index_select(0, &at)?)?;
        Ok(Vec::<Vec<f32>>::try_from(&logits.f_to_device(Device::Cpu)?)?)
    }

    fn look(&self, tokens: &[u32], look: &Look) -> Result<Vec<LayerAttention>, ReplayError> {
        let _no_grad = tch::no_grad_guard();
        let (tokens, positions) = self.whole(tokens)?;
        let mut layers = Vec::new();
        let mut visit = |heads: &super::decoder::Heads, attended: Tensor| -> Result<Tensor, ReplayError> {
            layers.push(statistics::look_at(heads, &positions, look)?);
            Ok(attended)
        };
        let _hidden = self.checkpoint.hidden(&tokens, &positions, None, Some(&mut visit))?;
        Ok(layers)
    }

    /// One step of a timed request; returns the most likely next token, as a server needs it.
    fn timed_step(&self, tokens: &Tensor, (course, cache): &mut (Course, Cache), way: Way) -> Result<i64, ReplayError> {
        let (cached, count) = (cache.length(), tokens.size()[0]);
        let step = Step { slots: cached..cached + count as usize, cached, way };
        let positions = self.prepare(course, &step)?;
        let hidden = self.checkpoint.hidden(&tokens.f_unsqueeze(0)?, &positions, Some(cache), None)?;
        // A server needs the logits after the last token of a prompt, and only those.
        let last = self.checkpoint.logits(&hidden.f_squeeze_dim(0)?.f_narrow(0, count - 1, 1)?)?;
        Ok(last.f_argmax(-1, false)?.f_int64_value(&[0])?)
    }

    fn timed_prefill(&mut self, tokens: &[u32]) -> Result<Seconds, ReplayError> {
        let _no_grad = tch::no_grad_guard();
        let all = self.tokens(tokens)?;
        let room = tokens.len() + DECODE_ROOM;
        let mut timed = (Course::new(vec![Layout::alone(0, room)], &[]), self.new_cache(1, room)?);
        synchronize(self.checkpoint.device);
        let clock = Instant::now();
        self.timed_step(&all, &mut timed, Way::Prompt)?;
        synchronize(self.checkpoint.device);
        let seconds = Seconds(clock.elapsed().as_secs_f64());
        self.timed = Some(timed);
        Ok(seconds)
    }

    /// Decodes each token behind the cache, and hands the clock's time of each to `each`.
    fn decode_each(&mut self, tokens: &[u32], mut each: impl FnMut(Seconds)) -> Result<(), ReplayError> {
        let _no_grad = tch::no_grad_guard();
        let Some(mut timed) = self.timed.take() else {
            return Err(ReplayError::Request("decode needs a prompt in the cache".to_owned()));
        };
        let all = self.tokens(tokens)?;
        for i in 0..tokens.len() as i64 {
            synchronize(self.checkpoint.device);
            let clock = Instant::now();
            self.timed_step(&all.f_narrow(0, i, 1)?, &mut timed, Way::Decode)?;
            synchronize(self.checkpoint.device);
            each(Seconds(clock.elapsed().as_secs_f64()));
        }
        self.timed = Some(timed);
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
        let score = |window: &Window<'_>| self.serve_row(window.tokens, window.first_position.0, Route::OneShot);
        Ok(windows.iter().map(score).collect::<Result<_, _>>()?)
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

    fn serve(&mut self, request: &Request) -> Result<Vec<Scores>, SubjectError> {
        Ok(self.serve_request(request)?)
    }

    fn restart(&mut self) {
        self.memory.set(Memory::default());
        self.left_over.replace(None);
        self.timed = None;
    }

    fn applied_rotation(&mut self, positions: &[usize], route: Route) -> Result<Option<AppliedRotation>, SubjectError> {
        Ok(self.read_rotation(positions, route)?)
    }

    fn applied_bias(
        &mut self,
        queries: &[usize],
        keys: &[usize],
        route: Route,
    ) -> Result<Option<Vec<Vec<Vec<f64>>>>, SubjectError> {
        Ok(Some(self.read_bias(queries, keys, route)?))
    }

    fn temperature(&mut self, positions: &[usize]) -> Result<Option<Vec<Vec<f64>>>, SubjectError> {
        Ok(Some(self.read_temperature(positions)?))
    }

    fn parts(&mut self, tokens: &[u32]) -> Result<Vec<(Quantity, Seconds)>, SubjectError> {
        Ok(self.timed_parts(tokens)?)
    }
}
