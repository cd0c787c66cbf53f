//! The engine around the decoder: what a step of a request believes of positions, lengths and masks, faults included.

use std::ops::Range;

use tch::{Device, Tensor};

use super::positions::{Numbers, Positions, Prepared};
use super::tables::Tables;
use super::view::{PlacedBias, View, table};
use super::{Checkpoint, ReplayError};
use crate::faults::{Beyond, Burden, CachedKeys, Chunks, Execution, Format, Injected, Length, Mask};
use crate::positions::Mechanism;
use crate::units::Tokens;

/// Where a row's tokens lie in the slots of its batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// The position of its first token.
    pub(super) first: usize,
    /// Its tokens.
    pub(super) tokens: usize,
    /// Slots that are padding.
    pub(super) padding: Range<usize>,
}

impl Layout {
    /// One row without padding.
    pub(super) fn alone(first: usize, tokens: usize) -> Self {
        Self { first, tokens, padding: 0..0 }
    }

    pub(super) fn is_padding(&self, slot: usize) -> bool {
        self.padding.contains(&slot)
    }

    /// The number of the token in a slot; in padding that of the next token.
    pub(super) fn token(&self, slot: usize) -> usize {
        slot - (slot.min(self.padding.end) - slot.min(self.padding.start))
    }
}

/// How a step came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// The whole request in one forward.
    OneShot,
    /// A part of the prompt, through the cache.
    Prompt,
    /// A decoded token.
    Decode,
}

/// A run of slots that goes through the decoder at once.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) slots: Range<usize>,
    /// Slots that were in the cache when the step began.
    pub(super) cached: usize,
    pub(super) way: Way,
}

/// What an engine remembers from one request to the next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Memory {
    longest: usize,
    is_regrown: bool,
}

/// A request on its way: its rows, and the numbers of all keys so far.
pub(super) struct Course {
    pub(super) layouts: Vec<Layout>,
    /// The positions that keys got, row by row, those left over from the request before first.
    pub(super) keys: Vec<Vec<usize>>,
    /// How many are left over.
    pub(super) left_over: usize,
}

impl Course {
    pub(super) fn new(layouts: Vec<Layout>, left_over: &[usize]) -> Self {
        let keys = vec![left_over.to_vec(); layouts.len()];
        Self { layouts, keys, left_over: left_over.len() }
    }

    fn is_padded(&self) -> bool {
        self.layouts.iter().any(|layout| !layout.padding.is_empty())
    }

    /// Whether one row stands for all.
    fn is_uniform(&self) -> bool {
        self.layouts.windows(2).all(|pair| pair[0] == pair[1])
    }
}

/// A checkpoint served by an engine with its faults.
pub(super) struct Engine<'a> {
    pub(super) checkpoint: &'a Checkpoint,
    pub(super) injected: &'a Injected,
}

impl Engine<'_> {
    fn execution(&self) -> &Execution {
        self.injected.execution()
    }

    /// The position that the engine gives to a slot of a row.
    pub(super) fn position(&self, layout: &Layout, step: &Step, slot: usize) -> usize {
        let offsets = &self.execution().offsets;
        let is_decoded = step.way == Way::Decode;
        let counts = is_decoded && self.execution().padding.counts_in_decode;
        let token = if counts { slot } else { layout.token(slot) };
        let before = layout.token(step.cached).min(token);
        let token = match offsets.chunks {
            _ if step.way == Way::OneShot => token,
            Chunks::Once => token,
            Chunks::Twice => token + before,
            Chunks::Ignored => token - before,
        };
        let token = if is_decoded && offsets.decode_ignored { 0 } else { token };
        layout.first + token + offsets.all + if is_decoded { offsets.decode } else { 0 }
    }

    /// Tokens of a row that are known at a step: what a method that follows the length should go by.
    fn known(layout: &Layout, step: &Step) -> usize {
        let tokens = if step.way == Way::OneShot { layout.tokens } else { layout.token(step.slots.end) };
        layout.first + tokens
    }

    /// The length that each row's method is told.
    fn lengths(&self, course: &Course, step: &Step, memory: &mut Memory) -> Vec<Tokens> {
        let own: Vec<usize> = course.layouts.iter().map(|layout| Self::known(layout, step)).collect();
        let longest = own.iter().max().copied().unwrap_or_default();
        memory.longest = memory.longest.max(longest);
        let told = |own: usize| match self.execution().length {
            Length::Current => own,
            Length::LongestEver => memory.longest,
            Length::LongestRow => longest,
            Length::Trained => self.injected.setting().heads.trained.0,
            Length::OneMore => own + 1,
        };
        own.into_iter().map(|own| Tokens(told(own))).collect()
    }

    /// Makes the mechanism ready for a step, and adds its keys to the course.
    pub(super) fn prepare(
        &self,
        course: &mut Course,
        step: &Step,
        memory: &mut Memory,
    ) -> Result<Positions, ReplayError> {
        let rows = if course.is_uniform() { 1 } else { course.layouts.len() };
        let queries: Vec<Vec<usize>> = course
            .layouts
            .iter()
            .map(|layout| step.slots.clone().map(|slot| self.position(layout, step, slot)).collect())
            .collect();
        for (keys, own) in course.keys.iter_mut().zip(&queries) {
            keys.extend(own);
        }
        let lengths = self.lengths(course, step, memory);
        let mechanisms =
            lengths.iter().take(rows).map(|length| self.injected.mechanism(*length)).collect::<Result<Vec<_>, _>>()?;
        self.ready(mechanisms, course, step, &queries, memory)
    }

    fn ready(
        &self,
        mut mechanisms: Vec<Mechanism>,
        course: &Course,
        step: &Step,
        queries: &[Vec<usize>],
        memory: &mut Memory,
    ) -> Result<Positions, ReplayError> {
        let execution = self.execution();
        let rows = mechanisms.len();
        let mut scale = execution.temperature.scale;
        if execution.temperature.holds_factor {
            let factor = mechanisms.first().and_then(Mechanism::rotation).map_or(1.0, |r| r.attention_factor);
            scale *= factor * factor;
            mechanisms.iter_mut().filter_map(Mechanism::rotation_mut).for_each(|r| r.attention_factor = 1.0);
        }
        let tables = self.tables(queries, memory)?;
        let (queries, keys) = (&queries[..rows], &course.keys[..rows]);
        let numbers = Numbers { queries, keys, reads_keys: self.reads_keys(step) };
        let learned = self.checkpoint.weights.positions.as_ref();
        let prepared = Prepared::new(&mechanisms, numbers, &tables, learned)?;
        let behind_cache = step.cached > 0 && step.way != Way::OneShot;
        let prepared = self.biased(prepared, behind_cache)?;
        let (prepared, view) = self.view(prepared, course, step, numbers)?;
        let burden = (execution.burden != Burden::default()).then(|| execution.burden.clone());
        Ok(Positions { prepared, view, scale, cached: execution.formats.cached, burden })
    }

    /// The tables, made again where a position lies beyond them.
    fn tables(&self, queries: &[Vec<usize>], memory: &mut Memory) -> Result<Tables, ReplayError> {
        let table = &self.execution().table;
        let regrows = table.beyond == Beyond::RegrowUnscaled;
        let is_beyond = |position: &usize| table.rows.is_some_and(|rows| *position >= rows);
        memory.is_regrown |= regrows && queries.iter().flatten().any(is_beyond);
        let mixes = regrows || table.scaled_from > 0;
        Ok(Tables {
            execution: self.execution().clone(),
            unscaled: if mixes { self.injected.unscaled()?.rotation().cloned() } else { None },
            is_regrown: memory.is_regrown,
            kind: self.checkpoint.kind,
            device: self.checkpoint.device,
        })
    }

    /// Whether keys are cached unrotated and rotated when they are read.
    fn reads_keys(&self, step: &Step) -> bool {
        step.way != Way::OneShot
            && match self.execution().cache.keys {
                CachedKeys::Current => self.injected.follows_length(),
                CachedKeys::AsTheyCame => false,
                CachedKeys::RotatedOnRead => true,
            }
    }

    /// The bias as the engine adds it: missing, or that of other heads.
    fn biased(&self, prepared: Prepared, behind_cache: bool) -> Result<Prepared, ReplayError> {
        let care = &self.execution().bias;
        let is_missing = if behind_cache { care.missing_behind_cache } else { care.missing_in_prompts };
        match prepared {
            Prepared::Bias(_) if is_missing => Ok(Prepared::Nothing),
            Prepared::Bias(profile) if care.heads_moved > 0 => {
                Ok(Prepared::Bias(profile.f_roll([-(care.heads_moved as i64)], [0])?))
            }
            other => Ok(other),
        }
    }

    /// What queries see, where the causal edge is not all; a bias then goes by position numbers.
    fn view(
        &self,
        prepared: Prepared,
        course: &Course,
        step: &Step,
        numbers: Numbers<'_>,
    ) -> Result<(Prepared, Option<View>), ReplayError> {
        let execution = self.execution();
        let is_evicting = execution.cache.evicted.filter(|_| step.way != Way::OneShot);
        let is_plain = execution.mask == Mask::default()
            && is_evicting.is_none()
            && !course.is_padded()
            && course.left_over == 0
            && !execution.burden.dense_scores;
        let is_bias = matches!(prepared, Prepared::Bias(_));
        if is_plain && !(is_bias && self.places_bias()) {
            return Ok((prepared, None));
        }
        let device = self.checkpoint.device;
        let (prepared, bias) = match prepared {
            Prepared::Bias(profile) => (Prepared::Nothing, Some(self.placed(profile, numbers)?)),
            other => (other, None),
        };
        let left_over = course.left_over as i64;
        let key_count = course.keys.first().map_or(0, Vec::len) as i64;
        let first =
            if step.way == Way::OneShot && course.left_over == 0 { step.slots.end as i64 - key_count } else { 0 };
        let key_slots: Vec<i64> = (0..key_count).map(|key| first + key - left_over).collect();
        let query_slots: Vec<i64> = step.slots.clone().map(|slot| slot as i64).collect();
        let padded = course.is_padded() && !execution.padding.is_seen;
        Ok((
            prepared,
            Some(View {
                query_tokens: token_numbers(course, &query_slots, device)?,
                key_tokens: token_numbers(course, &key_slots, device)?,
                padding: if padded { Some(padding(course, &key_slots, device)?) } else { None },
                query_slots: Tensor::f_from_slice(&query_slots)?.f_to_device(device)?,
                key_slots: Tensor::f_from_slice(&key_slots)?.f_to_device(device)?,
                window: execution.mask.window,
                hidden_near: execution.mask.hidden_near,
                evicted: is_evicting,
                bias,
                is_dense: execution.burden.dense_scores,
                kind: self.checkpoint.kind,
            }),
        ))
    }

    /// Whether the distances of a bias are no longer differences of slots.
    fn places_bias(&self) -> bool {
        let execution = self.execution();
        let offsets = &execution.offsets;
        offsets.decode > 0
            || offsets.decode_ignored
            || offsets.chunks != Chunks::Once
            || execution.bias.by_key
            || execution.formats.bias != Format::Exact
    }

    fn placed(&self, profile: Tensor, numbers: Numbers<'_>) -> Result<PlacedBias, ReplayError> {
        let device = self.checkpoint.device;
        let whole = |rows: &[Vec<usize>]| -> Result<Tensor, ReplayError> {
            table(&rows.iter().map(|row| row.iter().map(|at| *at as i64).collect()).collect::<Vec<_>>(), device)
        };
        let execution = self.execution();
        let by_key =
            if execution.bias.by_key && profile.size()[1] > 1 { Some(profile.f_select(1, 1)?.f_neg()?) } else { None };
        Ok(PlacedBias {
            queries: whole(numbers.queries)?,
            keys: whole(numbers.keys)?,
            profile,
            by_key,
            format: execution.formats.bias,
        })
    }
}

/// The numbers of the tokens in slots, row by row; slots below 0 count backwards.
fn token_numbers(course: &Course, slots: &[i64], device: Device) -> Result<Tensor, ReplayError> {
    let number = |layout: &Layout, slot: i64| usize::try_from(slot).map_or(slot, |slot| layout.token(slot) as i64);
    let rows: Vec<Vec<i64>> =
        course.layouts.iter().map(|layout| slots.iter().map(|slot| number(layout, *slot)).collect()).collect();
    table(&rows, device)
}

/// Which slots are padding, `[batch, 1, slots]`.
fn padding(course: &Course, slots: &[i64], device: Device) -> Result<Tensor, ReplayError> {
    let is_padding = |layout: &Layout, slot: i64| usize::try_from(slot).is_ok_and(|slot| layout.is_padding(slot));
    let flags: Vec<bool> =
        course.layouts.iter().flat_map(|layout| slots.iter().map(|slot| is_padding(layout, *slot))).collect();
    Ok(Tensor::f_from_slice(&flags)?.f_view([course.layouts.len() as i64, 1, -1])?.f_to_device(device)?)
}
