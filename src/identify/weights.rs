//! The engine's noise, and whether it serves these weights at all.
//!
//! The log-probability of a request's second token has one token before it. A softmax over one key is 1 whatever the
//! positions, so there the replay must agree to the engine's rounding under every configuration: what is left is the
//! noise, or other weights.

use serde::{Deserialize, Serialize};

use super::agreement::rms;
use super::prompts::Beginning;
use crate::observed::{Observation, Precision};

/// What the tokens behind a single one say of the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weights {
    /// They are those of the checkpoint.
    Same,
    /// They are near those of the checkpoint, as after quantisation.
    Close,
    /// They are others, or the tokens are another tokenizer's.
    Other,
    /// The log-probabilities stand beside other requests' tokens, or beside other tokens of the same request.
    Misplaced,
}

/// The check of the weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WeightsCheck {
    /// What it says.
    pub weights: Weights,
    /// Root of the mean square of replayed minus observed behind a single token, in nats.
    pub rms: f64,
    /// Their correlation.
    pub correlation: f64,
    /// How many different pairs of tokens it rests on.
    pub n: usize,
}

/// The most that rounding moves a log-probability, root of the mean square in nats: beyond it the weights differ.
fn most(precision: Option<Precision>) -> f64 {
    match precision {
        // Kernels differ by a few 1e-6; weights that were rounded to 16 bits before use are other weights.
        Some(Precision::Float32) => 1e-3,
        Some(Precision::Float16) => 2e-2,
        Some(Precision::Bfloat16) | None => 0.1,
    }
}

/// Less noise than this is not believed of a format: later positions round more often than the first.
fn least(precision: Option<Precision>) -> f64 {
    match precision {
        Some(Precision::Float32) | None => 2e-5,
        Some(Precision::Float16) => 5e-4,
        Some(Precision::Bfloat16) => 4e-3,
    }
}

/// Correlation above which other weights are called near.
const NEAR: f64 = 0.9;

/// The coarsest format that the requests name; nothing where one names none.
#[must_use]
pub fn precision(observations: &[Observation]) -> Option<Precision> {
    let all: Option<Vec<Precision>> = observations.iter().map(Observation::precision).collect();
    all?.into_iter().max_by_key(|precision| match precision {
        Precision::Float32 => 0,
        Precision::Float16 => 1,
        Precision::Bfloat16 => 2,
    })
}

/// Checks the weights by residuals of beginnings, whose first values stand behind a single token; and the noise in nats.
pub(super) fn check(
    observations: &[Observation],
    beginnings: &[Beginning],
    residuals: &[Vec<f64>],
) -> (WeightsCheck, f64) {
    let format = precision(observations);
    let mut seen = std::collections::HashSet::new();
    let (mut left, mut observed) = (Vec::new(), Vec::new());
    for (beginning, row) in beginnings.iter().zip(residuals) {
        let observation = &observations[beginning.request];
        let fresh = seen.insert((observation.tokens.first(), observation.tokens.get(1)));
        if let (true, Some(&residual), Some(value)) = (fresh, row.first(), observation.at(1)) {
            left.push(residual);
            observed.push(value);
        }
    }
    let replayed: Vec<f64> = observed.iter().zip(&left).map(|(value, residual)| value + residual).collect();
    let (spread, correlation) = (rms(&left), correlation(&observed, &replayed));
    let weights = if spread <= most(format) {
        Weights::Same
    } else if misplaced(observations, beginnings, residuals) {
        Weights::Misplaced
    } else if correlation > NEAR {
        Weights::Close
    } else {
        Weights::Other
    };
    // Few values say little of their spread: a chi-square of 5 values falls below a third once in a hundred.
    let allowance = if left.len() < 8 { 2.0 } else { 1.3 };
    (WeightsCheck { weights, rms: spread, correlation, n: left.len() }, (spread * allowance).max(least(format)))
}

/// Pearson's correlation; 0 where one side does not vary.
fn correlation(x: &[f64], y: &[f64]) -> f64 {
    let n = x.len() as f64;
    let (mx, my) = (x.iter().sum::<f64>() / n, y.iter().sum::<f64>() / n);
    let sum = |f: &dyn Fn(f64, f64) -> f64| x.iter().zip(y).map(|(x, y)| f(x - mx, y - my)).sum::<f64>();
    let (xx, yy, xy) = (sum(&|x, _| x * x), sum(&|_, y| y * y), sum(&|x, y| x * y));
    if xx * yy > 0.0 { xy / (xx * yy).sqrt() } else { 0.0 }
}

/// Whether the observed values fit other requests, or the neighbouring tokens, far better than those they stand beside.
fn misplaced(observations: &[Observation], beginnings: &[Beginning], residuals: &[Vec<f64>]) -> bool {
    let rows: Vec<(Vec<f64>, Vec<f64>)> = beginnings
        .iter()
        .zip(residuals)
        .filter(|(_, row)| row.len() > 2)
        .map(|(beginning, row)| {
            let observed: Vec<f64> =
                (0..row.len()).map(|i| observations[beginning.request].at(i + 1).unwrap_or(f64::NAN)).collect();
            let replayed = observed.iter().zip(row).map(|(observed, residual)| observed + residual).collect();
            (observed, replayed)
        })
        .collect();
    let apart = |one: &[f64], other: &[f64]| rms(&one.iter().zip(other).map(|(a, b)| a - b).collect::<Vec<_>>());
    let found = rows
        .iter()
        .enumerate()
        .filter(|(index, (observed, replayed))| {
            let own = apart(observed, replayed);
            let others = rows.iter().enumerate().filter(|(other, row)| other != index && row.1.len() == observed.len());
            let nearest = others.map(|(_, row)| apart(observed, &row.1)).fold(f64::INFINITY, f64::min);
            let shifted = apart(&observed[1..], replayed).min(apart(observed, &replayed[1..]));
            nearest.min(shifted) < own / 4.0
        })
        .count();
    2 * found > rows.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::random::Random;

    /// Requests of 8 tokens, what a replay says of them, and what was observed.
    fn case(observed: impl Fn(usize, usize, f64) -> f64, dtype: &str) -> (WeightsCheck, f64) {
        let mut random = Random::new(5);
        let replayed: Vec<Vec<f64>> = (0..20).map(|_| (0..7).map(|_| -8.0 * random.uniform()).collect()).collect();
        let observations: Vec<Observation> = (0..20)
            .map(|i| Observation {
                tokens: (0..8).map(|k| (i * 8 + k) as u32).collect(),
                logprobs: std::iter::once(None)
                    .chain((0..7).map(|k| Some(observed(i, k, replayed[i][k]) as f32)))
                    .collect(),
                phase: None,
                batch: None,
                dtype: Some(dtype.to_owned()),
            })
            .collect();
        let beginnings: Vec<Beginning> = (0..20).map(|request| Beginning { request, upto: 8 }).collect();
        let residuals: Vec<Vec<f64>> = replayed
            .iter()
            .zip(&observations)
            .map(|(row, o)| row.iter().enumerate().map(|(k, value)| value - o.at(k + 1).unwrap_or(f64::NAN)).collect())
            .collect();
        check(&observations, &beginnings, &residuals)
    }

    #[test]
    fn the_same_weights_leave_their_rounding_as_noise() {
        let (check, noise) = case(|i, k, value| value + 1e-4 * ((i * 7 + k * 3) % 5) as f64 - 2e-4, "float32");
        assert_eq!((check.weights, check.n), (Weights::Same, 20));
        assert!(noise > 1e-4 && noise < 3e-4, "{noise}");
    }

    #[test]
    fn small_and_large_changes_of_the_weights_are_told_apart() {
        let near = case(|i, k, value| value + 0.1 * f64::from(u8::from((i + k) % 2 == 0)), "float32").0;
        assert_eq!(near.weights, Weights::Close);
        // As an engine in bfloat16 half of that would be rounding.
        assert_eq!(
            case(|i, k, value| value + 0.05 * f64::from(u8::from((i + k) % 2 == 0)), "bfloat16").0.weights,
            Weights::Same
        );
        let other = case(|i, k, _| -(((i * 31 + k * 17) % 11) as f64), "float32").0;
        assert_eq!(other.weights, Weights::Other);
    }

    #[test]
    fn values_beside_the_wrong_tokens_are_noticed() {
        let mut random = Random::new(5);
        let replayed: Vec<Vec<f64>> = (0..20).map(|_| (0..7).map(|_| -8.0 * random.uniform()).collect()).collect();
        let rows = replayed.clone();
        assert_eq!(case(move |i, k, _| rows[19 - i][k], "float32").0.weights, Weights::Misplaced);
        assert_eq!(case(move |i, k, _| replayed[i][(k + 1) % 7], "float32").0.weights, Weights::Misplaced);
    }
}
