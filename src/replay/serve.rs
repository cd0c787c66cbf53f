//! Serving: a request of one or several rows goes through the engine step by step, and every token is scored.

use std::ops::Range;

use tch::Tensor;

use super::engine::{Course, Layout, Step, Way};
use super::subject::Replay;
use super::{ReplayError, loss};
use crate::subject::{Padding, Request, Route, Row, Scores};

/// Keys and values that a request leaves behind, layer by layer, and the positions of those keys.
pub(super) struct LeftOver {
    pub(super) layers: Vec<(Tensor, Tensor)>,
    pub(super) positions: Vec<usize>,
}

/// The steps of a request of so many slots.
pub(super) fn steps(route: Route, slots: usize) -> Vec<Step> {
    let step = |slots: Range<usize>, way: Way| Step { cached: slots.start, slots, way };
    let singly = |from: usize| (from..slots).map(move |slot| step(slot..slot + 1, Way::Decode));
    match route {
        Route::OneShot => vec![step(0..slots, Way::OneShot)],
        Route::Chunked(size) => {
            let size = size.max(1);
            (0..slots).step_by(size).map(|start| step(start..slots.min(start + size), Way::Prompt)).collect()
        }
        Route::Decode { prompt } => {
            let prompt = prompt.min(slots);
            let read = (prompt > 0).then(|| step(0..prompt, Way::Prompt));
            read.into_iter().chain(singly(prompt)).collect()
        }
    }
}

/// Where the rows of a request lie in the slots of its batch.
pub(super) fn layouts(request: &Request) -> Result<Vec<Layout>, ReplayError> {
    let longest = request.rows.iter().map(|row| row.tokens.len()).max().unwrap_or_default();
    let decoded = match request.route {
        Route::Decode { prompt } => longest.saturating_sub(prompt),
        Route::OneShot | Route::Chunked(_) => 0,
    };
    let layout = |row: &Row| {
        let (tokens, missing) = (row.tokens.len(), longest - row.tokens.len());
        let start = match request.padding {
            _ if missing == 0 => 0,
            Padding::None => {
                return Err(ReplayError::Request(format!(
                    "rows of {tokens} and {longest} tokens in one batch\nhint: name a side to fill them up on"
                )));
            }
            Padding::Left => 0,
            Padding::Right if tokens > decoded => tokens - decoded,
            Padding::Right => {
                return Err(ReplayError::Request(format!(
                    "a row of {tokens} tokens, of which {decoded} are to be decoded\nhint: leave it a prompt"
                )));
            }
        };
        Ok(Layout { first: row.first_position, tokens, padding: start..start + missing })
    };
    request.rows.iter().map(layout).collect()
}

impl Replay {
    /// Serves a request and scores each row's tokens after the first.
    ///
    /// # Errors
    /// [`ReplayError`] when the rows do not fit together, a token is foreign, memory runs out, or libtorch fails.
    pub fn serve_request(&self, request: &Request) -> Result<Vec<Scores>, ReplayError> {
        let _no_grad = tch::no_grad_guard();
        let layouts = layouts(request)?;
        let batch: Vec<Tensor> = request.rows.iter().map(|row| self.tokens(&row.tokens)).collect::<Result<_, _>>()?;
        let mut scores = vec![Scores::default(); batch.len()];
        // What the last slot's tokens would predict is not asked.
        let slots = request.rows.iter().map(|row| row.tokens.len()).max().unwrap_or_default().saturating_sub(1);
        if slots == 0 {
            return Ok(scores);
        }
        let left_over = self.left_over.borrow_mut().take();
        let mut course = Course::new(layouts, left_over.as_ref().map_or(&[], |left| left.positions.as_slice()));
        let keeps = self.injected.execution().cache.left_over;
        let mut cache = None;
        if request.route != Route::OneShot || keeps > 0 {
            let mut new = self.new_cache(batch.len(), course.left_over + slots)?;
            left_over.iter().try_for_each(|left| new.begin_with(&left.layers))?;
            cache = Some(new);
        }
        let fed = self.fed(&request.rows, &course, slots)?;
        for step in steps(request.route, slots) {
            let positions = self.prepare(&mut course, &step)?;
            let tokens = fed.f_narrow(1, step.slots.start as i64, step.slots.len() as i64)?;
            let hidden = self.checkpoint.hidden(&tokens, &positions, cache.as_mut(), None)?;
            for (row, (tokens, scores)) in batch.iter().zip(&mut scores).enumerate() {
                let part = self.score_step(&hidden.f_select(0, row as i64)?, tokens, &course.layouts[row], &step)?;
                scores.log_probability.extend(part.log_probability);
                scores.is_top.extend(part.is_top);
            }
        }
        if let Some(cache) = cache.filter(|_| keeps > 0) {
            let keys = course.keys.first().map(Vec::as_slice).unwrap_or_default();
            let positions = keys[keys.len() - keeps.min(keys.len())..].to_vec();
            *self.left_over.borrow_mut() = Some(LeftOver { layers: cache.last(keeps)?, positions });
        }
        Ok(scores)
    }

    /// The tokens in the slots of a batch, as the engine feeds them, `[batch, slots]`; padding is token 0.
    fn fed(&self, rows: &[Row], course: &Course, slots: usize) -> Result<Tensor, ReplayError> {
        let loses_first = self.injected.execution().first_token_lost;
        let mut fed = Vec::with_capacity(rows.len() * slots);
        for (row, layout) in rows.iter().zip(&course.layouts) {
            fed.extend((0..slots).map(|slot| {
                let token = layout.token(slot);
                let is_empty = layout.is_padding(slot) || loses_first && token == 0;
                if is_empty { 0 } else { row.tokens.get(token).copied().map_or(0, i64::from) }
            }));
        }
        let fed = Tensor::f_from_slice(&fed)?.f_view([rows.len() as i64, slots as i64])?;
        Ok(fed.f_to_device(self.checkpoint.device)?)
    }

    /// Scores what a row's slots of a step predict, from their hidden states, `[slots, width]`.
    fn score_step(
        &self,
        hidden: &Tensor,
        tokens: &Tensor,
        layout: &Layout,
        step: &Step,
    ) -> Result<Scores, ReplayError> {
        let asked = |slot: &usize| !layout.is_padding(*slot) && layout.token(*slot) + 1 < layout.tokens;
        let slots: Vec<usize> = step.slots.clone().filter(asked).collect();
        let Some(first) = slots.first() else { return Ok(Scores::default()) };
        let next = tokens.f_narrow(0, layout.token(*first) as i64 + 1, slots.len() as i64)?;
        if slots.len() == step.slots.len() {
            return loss::score(&self.checkpoint, hidden, &next);
        }
        let at: Vec<i64> = slots.iter().map(|slot| (slot - step.slots.start) as i64).collect();
        let at = Tensor::f_from_slice(&at)?.f_to_device(hidden.device())?;
        loss::score(&self.checkpoint, &hidden.f_index_select(0, &at)?, &next)
    }
}
