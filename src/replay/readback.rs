//! Inner numbers of the engine, read back through the code that serves requests: rotations, biases, temperatures.
//!
//! Queries and keys are made up (unit vectors, zeros, constants) and go through the very [`Positions`] and attention that
//! a request goes through; what comes out says what was applied.

use tch::{Kind, Tensor};

use super::ReplayError;
use super::attention::attend;
use super::engine::{Course, Layout, Step, Way};
use super::positions::{Positions, Prepared};
use super::rotation::Angles;
use super::serve::steps;
use super::subject::Replay;
use crate::positions::Pairing;
use crate::subject::{AppliedRotation, Gain, Route, Turned};

/// The score, in nats, that a query gives to its own key while temperatures are read.
const OWN_SCORE: f64 = 4.0;

impl Replay {
    /// The step in which a request of so many tokens reads the slot, and nothing but that slot of it.
    fn only(slot: usize, tokens: usize, route: Route) -> Step {
        let holder = steps(route, tokens).into_iter().find(|step| step.slots.contains(&slot));
        let (cached, way) = holder.map_or((0, Way::OneShot), |step| (step.cached, step.way));
        Step { slots: slot..slot + 1, cached, way }
    }

    /// Positions of one query of a request, all keys before it being there; the engine's memory stays as it was.
    fn at(&self, slot: usize, tokens: usize, route: Route) -> Result<Positions, ReplayError> {
        let layout = Layout::alone(0, tokens);
        let mut course = Course::new(vec![layout.clone()], &[]);
        let engine = self.engine();
        course.keys =
            vec![(0..slot).map(|key| engine.position(&layout, &Self::only(key, tokens, route), key)).collect()];
        engine.prepare(&mut course, &Self::only(slot, tokens, route), &mut self.memory.get())
    }

    fn filled(&self, shape: &[i64], value: f64) -> Result<Tensor, ReplayError> {
        Ok(Tensor::f_full(shape, value, (self.checkpoint.kind, self.checkpoint.device))?)
    }

    /// The rotation at each position; nothing where nothing rotates.
    pub(super) fn read_rotation(
        &self,
        positions: &[usize],
        route: Route,
    ) -> Result<Option<AppliedRotation>, ReplayError> {
        let _no_grad = tch::no_grad_guard();
        let tokens = positions.iter().max().map_or(1, |last| last + 1);
        let (mut queries, mut keys) = (Vec::new(), Vec::new());
        for &position in positions {
            let ready = self.at(position, tokens, route)?;
            let (query, key) = match &ready.prepared {
                Prepared::Rotate { queries, keys } => (queries, keys.as_ref().unwrap_or(queries)),
                // The last of all keys is the query's own.
                Prepared::RotateOnRead { queries, all_keys } => (queries, all_keys),
                Prepared::Group(groups) => (&groups.near_queries, &groups.near_keys),
                Prepared::Nothing | Prepared::Bias(_) | Prepared::Add(_) => return Ok(None),
            };
            queries.push(self.images(query)?);
            keys.push(self.images(key)?);
        }
        let pairing = self.injected.execution().queries.pairing.filter(|_| self.injected.execution().queries.permuted);
        let heads = &self.checkpoint.config.heads;
        let pairs = pairs(pairing.unwrap_or(heads.pairing), heads.rotary_dim / 2);
        Ok(Some(AppliedRotation { queries: turned(&queries, &pairs), keys: turned(&keys, &pairs) }))
    }

    /// The images of all unit vectors of a head under the last of some angles, `[unit][dimension]`.
    fn images(&self, angles: &Angles) -> Result<Vec<Vec<f64>>, ReplayError> {
        let width = self.checkpoint.config.heads.head_dim as i64;
        let last = angles.select(&Tensor::f_from_slice(&[angles.count() - 1])?)?;
        let units = Tensor::f_eye(width, (self.checkpoint.kind, self.checkpoint.device))?;
        let images = last.rotate_loaded(&units.f_view([1, 1, width, width])?)?;
        Ok(Vec::<Vec<f64>>::try_from(&images.f_view([width, width])?.f_to_kind(Kind::Double)?)?)
    }

    /// The attention weights of one query on chosen keys, `[heads][keys]`, as logarithms.
    fn weights_on(
        &self,
        ready: &Positions,
        q: &Tensor,
        k: &Tensor,
        keys: &[usize],
    ) -> Result<Vec<Vec<f64>>, ReplayError> {
        let width = self.checkpoint.config.heads.head_dim;
        let mut size = k.size();
        size[3] = width as i64;
        let heads = q.size()[1] as usize;
        let mut weights = vec![Vec::with_capacity(keys.len()); heads];
        // Values that are 1 at a key and 0 elsewhere make attention return that key's weight.
        for some in keys.chunks(width) {
            let v = self.filled(&size, 0.0)?;
            for (dimension, key) in some.iter().enumerate() {
                let _one = v.f_narrow(2, *key as i64, 1)?.f_narrow(3, dimension as i64, 1)?.f_fill_(1.0)?;
            }
            let attended = attend(q, k, &v, ready)?.f_view([heads as i64, width as i64])?.f_to_kind(Kind::Double)?;
            for (row, weights) in Vec::<Vec<f64>>::try_from(&attended)?.into_iter().zip(&mut weights) {
                weights.extend(row.into_iter().take(some.len()).map(f64::ln));
            }
        }
        Ok(weights)
    }

    /// The bias of each head between queries and keys, `[heads][queries][keys]`, in nats relative to the query's own key.
    pub(super) fn read_bias(
        &self,
        queries: &[usize],
        keys: &[usize],
        route: Route,
    ) -> Result<Vec<Vec<Vec<f64>>>, ReplayError> {
        let _no_grad = tch::no_grad_guard();
        let architecture = &self.checkpoint.config.architecture;
        let tokens = queries.iter().max().map_or(1, |last| last + 1);
        let mut read = vec![Vec::with_capacity(queries.len()); architecture.heads];
        for &query in queries {
            let ready = self.at(query, tokens, route)?;
            let q = self.filled(&[1, architecture.heads as i64, 1, architecture.head_dim as i64], 0.0)?;
            let count = query as i64 + 1;
            let k = self.filled(&[1, architecture.kv_heads as i64, count, architecture.head_dim as i64], 0.0)?;
            let there: Vec<usize> = keys.iter().copied().filter(|key| *key <= query).collect();
            let asked: Vec<usize> = there.iter().copied().chain([query, query.saturating_sub(1)]).collect();
            for (weights, read) in self.weights_on(&ready, &q, &k, &asked)?.into_iter().zip(&mut read) {
                let (own, before) = (weights[there.len()], weights[there.len() + 1]);
                // Where the own key is hidden the one before it has to do.
                let own = if own.is_finite() { own } else { before };
                let mut found = there.iter().zip(&weights);
                let value = |key: &usize| {
                    if *key > query {
                        f64::NEG_INFINITY
                    } else {
                        found.next().map_or(f64::NEG_INFINITY, |(_, w)| w - own)
                    }
                };
                read.push(keys.iter().map(value).collect::<Vec<f64>>());
            }
        }
        Ok(read)
    }

    /// What the score of a query with its own key is multiplied by, `[positions][heads]`.
    pub(super) fn read_temperature(&self, positions: &[usize]) -> Result<Vec<Vec<f64>>, ReplayError> {
        let _no_grad = tch::no_grad_guard();
        let architecture = &self.checkpoint.config.architecture;
        let (width, kind) = (architecture.head_dim as f64, self.checkpoint.kind);
        let tokens = positions.iter().max().map_or(1, |last| last + 1).max(2);
        // A constant vector whose product with itself, divided by the root of its width, is the score wanted.
        let value = (OWN_SCORE / width.sqrt()).sqrt();
        let mut read = Vec::with_capacity(positions.len());
        for position in positions.iter().map(|position| (*position).max(1)) {
            let ready = self.at(position, tokens, Route::OneShot)?;
            let rows = |heads: usize| self.filled(&[1, 1, heads as i64, architecture.head_dim as i64], value);
            let q = ready.queries(rows(architecture.heads)?)?.f_transpose(1, 2)?;
            let own = ready.keys(rows(architecture.kv_heads)?)?.f_transpose(1, 2)?;
            let count = position as i64;
            let others = Tensor::f_zeros(
                [1, architecture.kv_heads as i64, count, architecture.head_dim as i64],
                (kind, self.checkpoint.device),
            )?;
            let k = Tensor::f_cat(&[&others, &own], 2)?;
            let silent = Tensor::f_cat(&[&others, &own.f_zeros_like()?], 2)?;
            let compared = [position, position - 1];
            let with = self.weights_on(&ready, &q, &k, &compared)?;
            let without = self.weights_on(&ready, &q, &silent, &compared)?;
            let ratio =
                |(with, without): (&Vec<f64>, &Vec<f64>)| ((with[0] - with[1]) - (without[0] - without[1])) / OWN_SCORE;
            read.push(with.iter().zip(&without).map(ratio).collect());
        }
        Ok(read)
    }
}

/// The dimensions of each pair.
fn pairs(pairing: Pairing, count: usize) -> Vec<(usize, usize)> {
    match pairing {
        Pairing::HalfSplit => (0..count).map(|pair| (pair, pair + count)).collect(),
        Pairing::Interleaved => (0..count).map(|pair| (2 * pair, 2 * pair + 1)).collect(),
    }
}

/// Complex gains of pairs from the images of their unit vectors, position by position.
fn turned(positions: &[Vec<Vec<f64>>], pairs: &[(usize, usize)]) -> Turned {
    let mut mixing: f64 = 0.0;
    let gains = positions
        .iter()
        .map(|images| {
            pairs
                .iter()
                .map(|&(a, b)| {
                    let cosine = f64::midpoint(images[a][a], images[b][b]);
                    let sine = f64::midpoint(images[a][b], -images[b][a]);
                    let energy: f64 = images[a].iter().chain(&images[b]).map(|x| x * x).sum();
                    let explained = 2.0 * (cosine * cosine + sine * sine);
                    if energy > 0.0 {
                        mixing = mixing.max(((energy - explained).max(0.0) / energy).sqrt());
                    }
                    Gain { angle: sine.atan2(cosine), magnitude: cosine.hypot(sine) }
                })
                .collect()
        })
        .collect();
    Turned { gains, mixing }
}
