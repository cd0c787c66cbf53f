//! How well a hypothesis agrees with what was observed, in nats.

use serde::{Deserialize, Serialize};

/// Agreement at the positions from `from` up to but not including `to`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// First position.
    pub from: usize,
    /// First position beyond.
    pub to: usize,
    /// Root of the mean square of replayed minus observed, in nats.
    pub rms: f64,
    /// Largest difference, in nats.
    pub max: f64,
    /// How many log-probabilities.
    pub n: usize,
}

/// Ends of the bins: octaves from the second token on.
fn ends() -> impl Iterator<Item = (usize, usize)> {
    std::iter::once((1, 8)).chain((3..40).map(|power| (1 << power, 2 << power)))
}

/// The agreement by position; residuals begin at the second token of each request.
pub(super) fn bins(residuals: &[Vec<f64>]) -> Vec<Bin> {
    let longest = residuals.iter().map(Vec::len).max().unwrap_or_default();
    ends()
        .take_while(|(from, _)| *from <= longest)
        .filter_map(|(from, to)| {
            let values: Vec<f64> =
                residuals.iter().flat_map(|row| row.iter().skip(from - 1).take(to - from)).copied().collect();
            (!values.is_empty()).then(|| Bin { from, to, rms: rms(&values), max: largest(&values), n: values.len() })
        })
        .collect()
}

/// Root of the mean square; 0 for nothing.
pub(super) fn rms(values: &[f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    (values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64).sqrt()
}

/// The largest absolute value.
pub(super) fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most, value| most.max(value.abs()))
}

/// Student's statistic for `one` having smaller squares than `other`, value by value; large where it surely has.
pub(super) fn smaller(one: &[f64], other: &[f64]) -> f64 {
    let differences: Vec<f64> = one.iter().zip(other).map(|(one, other)| other * other - one * one).collect();
    let n = differences.len() as f64;
    if n < 2.0 {
        return 0.0;
    }
    let mean = differences.iter().sum::<f64>() / n;
    let variance = differences.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / (n - 1.0);
    if variance == 0.0 { 0.0 } else { mean / (variance / n).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::random::Random;

    #[test]
    fn bins_are_octaves_of_the_token_that_is_predicted() {
        let bins = bins(&[vec![1.0; 20], vec![2.0; 7]]);
        let ends: Vec<_> = bins.iter().map(|bin| (bin.from, bin.to, bin.n)).collect();
        assert_eq!(ends, [(1, 8, 14), (8, 16, 8), (16, 32, 5)]);
        assert!((bins[0].rms - 2.5_f64.sqrt()).abs() < 1e-12 && bins[0].max == 2.0);
    }

    #[test]
    fn smaller_squares_are_told_from_equal_ones() {
        let mut random = Random::new(3);
        let noise: Vec<f64> = (0..400).map(|_| random.normal()).collect();
        let shifted: Vec<f64> = noise.iter().map(|x| x + 0.5).collect();
        let other: Vec<f64> = (0..400).map(|_| random.normal()).collect();
        assert!(smaller(&noise, &shifted) > 4.0);
        assert!(smaller(&noise, &other).abs() < 3.0);
        assert!(smaller(&shifted, &noise) < -4.0);
    }
}
