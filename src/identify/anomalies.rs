//! What the best configuration leaves unexplained: where, after what, and in whose company it appears.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::agreement::{bins, largest, rms};
use super::prompts::{Beginning, shared};
use crate::observed::{Observation, Phase};

/// The shape of something that the configuration does not explain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// At every position from the start.
    Constant,
    /// Larger and larger with the position, without an edge.
    Growing,
    /// From one position on: a table's end, a window, a cache's edge.
    Step,
    /// Only where tokens are decoded through the cache.
    CacheOnly,
    /// Only in batches of several requests.
    BatchOnly,
    /// Only after a longer request: something is remembered.
    OrderOnly,
    /// The same request gives different answers without a pattern.
    Unsteady,
}

/// Something that the configuration does not explain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Anomaly {
    /// Its shape.
    pub shape: Shape,
    /// The position in tokens at which it begins, where it has one.
    pub at: Option<usize>,
    /// One sentence with its numbers.
    pub evidence: String,
}

/// A residual beyond so many times the noise is no noise.
const BEYOND: f64 = 5.0;
/// A group of values is off where its residual is so many times the noise, and so many times that of the others.
const OFF: f64 = 3.0;

/// The shapes in repeated requests, and in the residuals of whole requests.
pub(super) fn find(
    observations: &[Observation],
    beginnings: &[Beginning],
    residuals: &[Vec<f64>],
    noise: f64,
    trained: usize,
) -> Vec<Anomaly> {
    let mut found = repeats(observations, noise);
    let left = left(observations, beginnings, residuals, noise, trained);
    found.extend(
        left.into_iter().filter(|anomaly| found.iter().all(|other| other.shape != anomaly.shape)).collect::<Vec<_>>(),
    );
    found
}

/// The shapes in the residuals of whole requests.
pub(super) fn left(
    observations: &[Observation],
    beginnings: &[Beginning],
    residuals: &[Vec<f64>],
    noise: f64,
    trained: usize,
) -> Vec<Anomaly> {
    let mut found = Vec::new();
    let rows: Vec<Row<'_>> = beginnings
        .iter()
        .zip(residuals)
        .map(|(beginning, values)| Row {
            phase: observations[beginning.request].phase(),
            shared: shared(observations, beginning.request),
            after_long: observations[..beginning.request]
                .iter()
                .any(|before| before.tokens.len() > trained.max(beginning.upto)),
            values,
        })
        .collect();
    let plain: Vec<&Row<'_>> =
        rows.iter().filter(|row| row.phase == Phase::Prefill && !row.shared && !row.after_long).collect();
    let base = of(&plain, noise);
    let groups: [(Shape, &str, Belongs<'_>); 3] = [
        (Shape::CacheOnly, "decoded token by token", &|row| row.phase == Phase::Decode && !row.shared),
        (Shape::BatchOnly, "served in a batch with others", &|row| row.shared),
        (Shape::OrderOnly, "served after a longer request", &|row| {
            row.after_long && row.phase == Phase::Prefill && !row.shared
        }),
    ];
    for (shape, words, belongs) in groups {
        let group: Vec<&Row<'_>> = rows.iter().filter(|row| belongs(row)).collect();
        // Without plain requests to compare with, the shape over positions is all that can be said.
        if plain.is_empty() || group.is_empty() {
            continue;
        }
        let level = of(&group, noise);
        if level.rms > OFF * noise.max(base.rms) {
            found.push(Anomaly {
                shape,
                at: level.onset,
                evidence: format!(
                    "requests {words} are off by {:.3} nats rms ({} values), plain ones by {:.3} ({} values)",
                    level.rms, level.n, base.rms, base.n
                ),
            });
        }
    }
    let over: Vec<&Row<'_>> = if plain.is_empty() { rows.iter().collect() } else { plain };
    found.extend(over_positions(&over, noise));
    found
}

/// Whether a row is one of a group.
type Belongs<'a> = &'a dyn Fn(&Row<'_>) -> bool;

struct Row<'a> {
    phase: Phase,
    shared: bool,
    after_long: bool,
    values: &'a [f64],
}

struct Level {
    rms: f64,
    n: usize,
    onset: Option<usize>,
}

fn of(rows: &[&Row<'_>], noise: f64) -> Level {
    let values: Vec<f64> = rows.iter().flat_map(|row| row.values).copied().collect();
    let onset = rows.iter().filter_map(|row| onset(row.values, noise)).min();
    Level { rms: rms(&values), n: values.len(), onset }
}

/// The first position from which on values are off: it is, and so are most of the next eight.
fn onset(values: &[f64], noise: f64) -> Option<usize> {
    let off = |value: &f64| value.abs() > BEYOND * noise;
    (0..values.len())
        .find(|&i| {
            let next = &values[i..values.len().min(i + 8)];
            off(&values[i]) && 2 * next.iter().filter(|value| off(value)).count() >= next.len()
        })
        .map(|i| i + 1)
}

/// What the position alone does: constant, growing, or a step.
fn over_positions(rows: &[&Row<'_>], noise: f64) -> Option<Anomaly> {
    let values: Vec<Vec<f64>> = rows.iter().map(|row| row.values.to_vec()).collect();
    let octaves = bins(&values);
    octaves.iter().find(|bin| bin.rms > OFF * noise && bin.n >= 2)?;
    let begins = rows.iter().filter_map(|row| onset(row.values, noise)).min();
    let pick = |from: usize, to: usize| -> Vec<f64> {
        values
            .iter()
            .flat_map(|row| row.iter().skip(from.saturating_sub(1)).take(to.saturating_sub(from)))
            .copied()
            .collect()
    };
    let words = octaves
        .iter()
        .map(|bin| format!("{:.3} at {} to {}", bin.rms, bin.from, bin.to))
        .collect::<Vec<_>>()
        .join(", ");
    let (shape, at) = match begins {
        Some(begin) if begin > 8 => {
            let (before, after) = (rms(&pick(begin / 2, begin)), rms(&pick(begin, begin + (begin / 4).max(8))));
            if after > 4.0 * before.max(noise) { (Shape::Step, Some(begin)) } else { (Shape::Growing, Some(begin)) }
        }
        _ => {
            let (first, last) = (octaves.first()?.rms, octaves.last()?.rms);
            if last > 2.0 * first.max(noise) { (Shape::Growing, begins) } else { (Shape::Constant, begins) }
        }
    };
    Some(Anomaly { shape, at, evidence: format!("off by so many nats rms by position: {words}; noise {noise:.1e}") })
}

/// What repeats of the same tokens say by themselves, without any replay.
pub(super) fn repeats(observations: &[Observation], noise: f64) -> Vec<Anomaly> {
    let mut first: HashMap<&[u32], usize> = HashMap::new();
    let mut found: Vec<Anomaly> = Vec::new();
    for (index, observation) in observations.iter().enumerate() {
        let Some(&before) = first.get(observation.tokens.as_slice()) else {
            first.insert(&observation.tokens, index);
            continue;
        };
        let other = &observations[before];
        let differences: Vec<f64> =
            (1..observation.tokens.len()).filter_map(|i| Some(observation.at(i)? - other.at(i)?)).collect();
        if largest(&differences) <= BEYOND * 1.5 * noise || rms(&differences) <= 2.0 * noise {
            continue;
        }
        let long =
            observations[before + 1..index].iter().any(|between| between.tokens.len() > observation.tokens.len());
        let shape = match () {
            () if observation.phase() != other.phase() => Shape::CacheOnly,
            () if shared(observations, index) != shared(observations, before) => Shape::BatchOnly,
            () if long => Shape::OrderOnly,
            () => Shape::Unsteady,
        };
        if found.iter().any(|anomaly| anomaly.shape == shape) {
            continue;
        }
        found.push(Anomaly {
            shape,
            at: onset(&differences, noise),
            evidence: format!(
                "request {} repeats the tokens of request {} and differs by up to {:.3} nats",
                index + 1,
                before + 1,
                largest(&differences)
            ),
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(length: usize, first: u32, phase: Phase, batch: Option<u64>, shift: f32) -> Observation {
        Observation {
            tokens: (0..length as u32).map(|i| first + i).collect(),
            logprobs: std::iter::once(None).chain((1..length).map(|_| Some(-2.0 + shift))).collect(),
            phase: Some(phase),
            batch,
            dtype: None,
        }
    }

    fn shapes(file: &[Observation], residuals: &[Vec<f64>]) -> Vec<(Shape, Option<usize>)> {
        let beginnings: Vec<Beginning> =
            file.iter().enumerate().map(|(request, o)| Beginning { request, upto: o.tokens.len() }).collect();
        find(file, &beginnings, residuals, 1e-3, 64).into_iter().map(|anomaly| (anomaly.shape, anomaly.at)).collect()
    }

    /// Noise with a bump from a position on.
    fn row(length: usize, from: usize, size: impl Fn(usize) -> f64) -> Vec<f64> {
        (1..length).map(|i| if i >= from { size(i) } else { 5e-4 } * if i % 2 == 0 { 1.0 } else { -1.0 }).collect()
    }

    #[test]
    fn the_shape_over_positions_is_named() {
        let file = [request(200, 0, Phase::Prefill, None, 0.0), request(30, 900, Phase::Prefill, None, 0.0)];
        let clean = || row(30, 99, |_| 0.0);
        assert_eq!(shapes(&file, &[row(200, 999, |_| 0.0), clean()]), []);
        assert_eq!(shapes(&file, &[row(200, 100, |_| 0.5), clean()]), [(Shape::Step, Some(100))]);
        let grows = |i: usize| 5e-4 * 1.04_f64.powi(i as i32);
        assert!(matches!(shapes(&file, &[row(200, 1, grows), clean()])[..], [(Shape::Growing, Some(_))]));
        assert_eq!(shapes(&file, &[row(200, 1, |_| 0.3), row(30, 1, |_| 0.3)]), [(Shape::Constant, Some(1))]);
    }

    #[test]
    fn company_and_order_are_named() {
        let plain = || request(30, 900, Phase::Prefill, None, 0.0);
        let good = || row(30, 999, |_| 0.0);
        let bad = || row(30, 10, |_| 0.4);
        let decode = [plain(), request(30, 300, Phase::Decode, None, 0.0)];
        assert_eq!(shapes(&decode, &[good(), bad()]), [(Shape::CacheOnly, Some(10))]);
        let batch =
            [plain(), request(30, 300, Phase::Prefill, Some(1), 0.0), request(40, 500, Phase::Prefill, Some(1), 0.0)];
        assert_eq!(shapes(&batch, &[good(), bad(), row(40, 999, |_| 0.0)]), [(Shape::BatchOnly, Some(10))]);
        let order =
            [plain(), request(100, 300, Phase::Prefill, None, 0.0), request(30, 500, Phase::Prefill, None, 0.0)];
        assert_eq!(shapes(&order, &[good(), row(100, 999, |_| 0.0), bad()]), [(Shape::OrderOnly, Some(10))]);
    }

    #[test]
    fn repeats_speak_without_a_replay() {
        let a = |shift| request(30, 0, Phase::Prefill, None, shift);
        let long = request(80, 300, Phase::Prefill, None, 0.0);
        let shape = |file: &[Observation]| repeats(file, 1e-3).iter().map(|found| found.shape).collect::<Vec<_>>();
        assert_eq!(shape(&[a(0.0), long.clone(), a(0.0)]), []);
        assert_eq!(shape(&[a(0.0), long, a(0.1)]), [Shape::OrderOnly]);
        assert_eq!(shape(&[a(0.0), a(0.1)]), [Shape::Unsteady]);
        assert_eq!(shape(&[a(0.0), request(30, 0, Phase::Decode, None, 0.1)]), [Shape::CacheOnly]);
    }
}
