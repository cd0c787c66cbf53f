//! Intervals by the paired bootstrap over documents, honest at the small numbers of documents that a run affords.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use super::Estimate;
use super::random::Random;

/// Confidence of every reported interval.
pub const CONFIDENCE: f64 = 0.95;

/// Resamples of the bootstrap.
const RESAMPLES: usize = 10_000;

/// Seed of the resamples: the same rows give the same interval.
const SEED: u64 = 0x6779_726F;

/// Below so many values a bootstrap has too few distinct resamples, and Student's interval is taken.
const FEWEST_TO_RESAMPLE: usize = 6;

/// The mean; nothing of nothing.
#[must_use]
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Documents drawn with replacement, the same draws for every quantity, so that all comparisons stay paired.
pub struct Resamples {
    n: usize,
    draws: Vec<u32>,
}

impl Resamples {
    /// 10,000 draws of `n` documents; nothing below 2 documents.
    #[must_use]
    pub fn new(n: usize) -> Option<Self> {
        if n < 2 {
            return None;
        }
        let mut random = Random::new(SEED);
        let draws = (0..RESAMPLES * n).map(|_| random.below(n) as u32).collect();
        Some(Self { n, draws })
    }

    /// A statistic of every resample; it is given the indices of the documents drawn.
    pub fn map<T>(&self, statistic: impl FnMut(&[u32]) -> T) -> Vec<T> {
        self.draws.chunks_exact(self.n).map(statistic).collect()
    }

    /// The interval of a statistic from its values over the resamples; nothing where one is not finite.
    ///
    /// The percentiles are expanded so that for a mean they match Student's interval: `Phi(-sqrt(n/(n-1)) t)` in
    /// place of `alpha/2`.
    ///
    /// # Source
    /// Hesterberg, "What Teachers Should Know About the Bootstrap", arXiv 1411.5279, section 3.3.
    #[must_use]
    pub fn interval(&self, point: f64, mut values: Vec<f64>, confidence: f64) -> Option<Estimate> {
        if !point.is_finite() || values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        values.sort_by(f64::total_cmp);
        let n = self.n as f64;
        let t = student_quantile(self.n - 1, confidence)?;
        let tail = Normal::standard().cdf(-(n / (n - 1.0)).sqrt() * t);
        let at = |share: f64| {
            let place = share * (values.len() - 1) as f64;
            let (below, above) = (place.floor() as usize, place.ceil() as usize);
            let weight = place - place.floor();
            Some(values.get(below)? * (1.0 - weight) + values.get(above)? * weight)
        };
        Some(Estimate { point, low: at(tail)?, high: at(1.0 - tail)?, confidence, n: self.n })
    }
}

/// The two-sided quantile of Student's distribution, for example 2.365 for 7 degrees of freedom at 0.95.
fn student_quantile(freedom: usize, confidence: f64) -> Option<f64> {
    let distribution = StudentsT::new(0.0, 1.0, freedom as f64).ok()?;
    Some(distribution.inverse_cdf(0.5 + confidence / 2.0))
}

/// The mean of independent values with its 95% interval; nothing below 2 values, or where one is not finite.
#[must_use]
pub fn mean_estimate(values: &[f64]) -> Option<Estimate> {
    mean_with_confidence(values, CONFIDENCE)
}

/// The mean of independent values with an interval of that confidence.
#[must_use]
pub fn mean_with_confidence(values: &[f64], confidence: f64) -> Option<Estimate> {
    let n = values.len();
    let point = mean(values)?;
    if n < FEWEST_TO_RESAMPLE {
        if n < 2 || !point.is_finite() {
            return None;
        }
        let squares: f64 = values.iter().map(|value| (value - point).powi(2)).sum();
        let half = student_quantile(n - 1, confidence)? * (squares / (n - 1) as f64 / n as f64).sqrt();
        return Some(Estimate { point, low: point - half, high: point + half, confidence, n });
    }
    let resamples = Resamples::new(n)?;
    let means = resamples.map(|drawn| {
        drawn.iter().filter_map(|&i| values.get(i as usize)).sum::<f64>() / drawn.len() as f64
    });
    resamples.interval(point, means, confidence)
}

/// The mean of `after - before`, paired in order; nothing where the lengths differ.
#[must_use]
pub fn paired_difference(after: &[f64], before: &[f64]) -> Option<Estimate> {
    if after.len() != before.len() {
        return None;
    }
    let differences: Vec<f64> = after.iter().zip(before).map(|(after, before)| after - before).collect();
    mean_estimate(&differences)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Share of 95% intervals that cover the true mean, over 2,000 simulated runs.
    fn coverage(n: usize, draw: impl Fn(&mut Random) -> f64, truth: f64) -> f64 {
        let mut random = Random::new(3);
        let runs = 2000;
        let covered = (0..runs)
            .filter(|_| {
                let values: Vec<f64> = (0..n).map(|_| draw(&mut random)).collect();
                mean_estimate(&values).is_some_and(|e| e.low <= truth && truth <= e.high)
            })
            .count();
        covered as f64 / f64::from(runs)
    }

    #[test]
    fn intervals_cover_the_truth_as_often_as_they_say() {
        for n in [4, 8, 16] {
            let normal = coverage(n, Random::normal, 0.0);
            assert!((0.93..=0.97).contains(&normal), "normal, n = {n}: {normal}");
        }
        // Mildly skewed: the mean of four exponentials, skewness 1.
        let gamma = |random: &mut Random| (0..4).map(|_| -(1.0 - random.uniform()).ln()).sum::<f64>() / 4.0;
        for n in [8, 16] {
            let skewed = coverage(n, gamma, 1.0);
            assert!((0.92..=0.97).contains(&skewed), "skewed, n = {n}: {skewed}");
        }
    }

    #[test]
    fn one_value_has_no_interval() {
        assert_eq!(mean_estimate(&[1.0]), None);
        assert_eq!(mean_estimate(&[1.0, f64::NAN, 2.0]), None);
        assert_eq!(paired_difference(&[1.0, 2.0], &[1.0]), None);
    }

    #[test]
    fn the_same_values_give_the_same_interval() {
        let values = [0.3, 0.1, 0.25, 0.4, 0.2, 0.33, 0.28];
        assert_eq!(mean_estimate(&values), mean_estimate(&values));
    }
}
