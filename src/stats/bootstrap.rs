//! The paired bootstrap: whole documents are drawn again, and every cell keeps the same draw.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use super::random::Random;
use super::{Estimate, mean};

/// How often the documents are drawn again.
pub const RESAMPLES: usize = 10_000;

/// The confidence of an interval where nothing else is said.
pub const CONFIDENCE: f64 = 0.95;

/// Seed of every resample. Fixed, so that the same rows give the same verdict whatever the scenario's seed.
const SEED: u64 = 0x6779_726f;

/// The same drawn documents for every statistic that is to be compared, so that differences stay paired.
#[derive(Clone, Debug)]
pub struct Resamples {
    n: usize,
    picks: Vec<u32>,
}

impl Resamples {
    /// [`RESAMPLES`] draws of `n` documents out of `n`; nothing below 2, where no interval exists.
    #[must_use]
    pub fn new(n: usize) -> Option<Self> {
        Self::seeded(n, RESAMPLES, SEED)
    }

    fn seeded(n: usize, resamples: usize, seed: u64) -> Option<Self> {
        if n < 2 || resamples == 0 {
            return None;
        }
        let mut random = Random::new(seed);
        Some(Self { n, picks: (0..resamples * n).map(|_| random.below(n) as u32).collect() })
    }

    /// How many documents each draw holds.
    #[must_use]
    pub fn documents(&self) -> usize {
        self.n
    }

    /// The mean over the documents of each draw; nothing unless there is one value a document.
    #[must_use]
    pub fn means(&self, values: &[f64]) -> Option<Vec<f64>> {
        if values.len() != self.n {
            return None;
        }
        let mean_of = |pick: &[u32]| pick.iter().filter_map(|&i| values.get(i as usize)).sum::<f64>() / self.n as f64;
        Some(self.picks.chunks_exact(self.n).map(mean_of).collect())
    }

    /// The mean of one value a document, with its interval; nothing where a value is not finite.
    #[must_use]
    pub fn mean(&self, values: &[f64], confidence: f64) -> Option<Estimate> {
        self.estimate(mean(values)?, self.means(values)?, confidence)
    }

    /// The interval of any statistic: its value on all documents, and on each draw.
    ///
    /// The plain percentile interval of few documents is too short. Its tail is therefore widened to
    /// `Phi(-sqrt(n / (n-1)) t)`, with `t` the quantile of Student's t with n-1 degrees of freedom at
    /// `1 - (1 - confidence) / 2` (Hesterberg, arXiv 1411.5279, section 3.3, "expanded percentile").
    ///
    /// Percentiles stay between the smallest and the largest document, so they cannot reach the confidence where
    /// all documents lie on one side of the truth too often, `2^(1-n) > 1 - confidence` (below 6 documents at 95 %).
    /// There the interval is `point +- t * sqrt(n / (n-1)) * deviation of the draws`, which for a mean is Student's.
    ///
    /// Nothing where the point or a draw is not finite: a ratio whose denominator vanishes has no interval.
    #[must_use]
    pub fn estimate(&self, point: f64, mut draws: Vec<f64>, confidence: f64) -> Option<Estimate> {
        if !point.is_finite() || draws.is_empty() || draws.iter().any(|draw| !draw.is_finite()) {
            return None;
        }
        let alpha = 1.0 - confidence;
        let n = self.n as f64;
        let t = student_quantile(1.0 - alpha / 2.0, n - 1.0)?;
        let small = (n / (n - 1.0)).sqrt();
        let (low, high) = if 2_f64.powf(1.0 - n) > alpha {
            let half = t * small * deviation(&draws)?;
            (point - half, point + half)
        } else {
            draws.sort_unstable_by(f64::total_cmp);
            let tail = Normal::standard().cdf(-small * t);
            (quantile(&draws, tail)?, quantile(&draws, 1.0 - tail)?)
        };
        Some(Estimate { point, low, high, confidence, n: self.n })
    }
}

/// The quantile of Student's t; nothing outside of 0 < p < 1 or for no degrees of freedom.
fn student_quantile(p: f64, freedom: f64) -> Option<f64> {
    if !(p > 0.0 && p < 1.0) {
        return None;
    }
    StudentsT::new(0.0, 1.0, freedom).ok().map(|student| student.inverse_cdf(p))
}

/// The quantile of sorted values, between neighbours on a line (type 7 of Hyndman and Fan, NumPy's default).
fn quantile(sorted: &[f64], p: f64) -> Option<f64> {
    let place = p.clamp(0.0, 1.0) * (sorted.len().checked_sub(1)?) as f64;
    let below = *sorted.get(place.floor() as usize)?;
    let above = *sorted.get(place.ceil() as usize)?;
    Some(below + (above - below) * place.fract())
}

/// The standard deviation of all draws.
fn deviation(draws: &[f64]) -> Option<f64> {
    let centre = mean(draws)?;
    let squares: Vec<f64> = draws.iter().map(|draw| (draw - centre).powi(2)).collect();
    mean(&squares).map(f64::sqrt)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, expected: f64, tolerance: f64) {
        assert!((got - expected).abs() <= tolerance, "{got} is not {expected} +- {tolerance}");
    }

    #[test]
    fn quantiles_are_those_of_scipy() {
        // scipy 1.17.1: stats.t.ppf(0.975, n - 1) and stats.norm.cdf(-sqrt(n / (n - 1)) * that).
        let golden = [
            (2.0, 12.706_204_736_174_705, 1.695_219_072_605_391e-72),
            (3.0, 4.302_652_729_749_464, 6.834_137_311_941_214e-08),
            (8.0, 2.364_624_251_592_784_4, 0.005_737_520_517_029_871_5),
            (16.0, 2.131_449_545_559_776, 0.013_855_570_404_766_664),
        ];
        for (n, t, tail) in golden {
            let ours = student_quantile(0.975, n - 1.0).unwrap();
            near(ours, t, 1e-9 * t);
            let small = f64::sqrt(n / (n - 1.0));
            near(Normal::standard().cdf(-small * ours), tail, 1e-6 * tail);
        }
        assert_eq!(student_quantile(1.0, 3.0), None);
    }

    #[test]
    fn the_interval_of_a_mean_is_that_of_numpy_and_scipy() {
        // numpy 2.4.6: quantiles (0.0057375, 0.9942625) of 2,000,000 means of rng.choice(y, 8).
        let y = [1.17, 1.21, 1.09, 1.30, 1.15, 1.02, 1.24, 1.18];
        let estimate = Resamples::new(8).unwrap().mean(&y, 0.95).unwrap();
        near(estimate.point, 1.17, 1e-12);
        near(estimate.low, 1.096_25, 0.004);
        near(estimate.high, 1.238_75, 0.004);
        // scipy 1.17.1: stats.t.interval(0.95, 3, loc=mean(x), scale=sem(x)), of x below.
        let x = [0.9, 1.1, 1.3, 1.0];
        let estimate = Resamples::new(4).unwrap().mean(&x, 0.95).unwrap();
        near(estimate.low, 0.803_246_911_620_398_4, 0.005);
        near(estimate.high, 1.346_753_088_379_601_5, 0.005);
    }

    #[test]
    fn one_document_has_no_interval_and_neither_has_a_broken_value() {
        assert!(Resamples::new(0).is_none() && Resamples::new(1).is_none());
        let resamples = Resamples::new(3).unwrap();
        assert_eq!(resamples.mean(&[1.0, f64::NAN, 2.0], 0.95), None);
        assert_eq!(resamples.mean(&[1.0, 2.0], 0.95), None);
        assert_eq!(resamples.mean(&[1.0, 2.0, 3.0], 1.0), None);
    }

    #[test]
    fn the_same_values_give_the_same_interval() {
        let y = [0.1, 0.4, 0.2, 0.9, 0.3, 0.5];
        assert_eq!(Resamples::new(6).unwrap().mean(&y, 0.95), Resamples::new(6).unwrap().mean(&y, 0.95));
    }

    /// Share of simulated experiments whose 95 % interval of the mean covers the truth.
    fn coverage(n: usize, truth: f64, draw: impl Fn(&mut Random) -> f64) -> f64 {
        let experiments = 3_000;
        let mut random = Random::new(11);
        let covered = (0..experiments).filter(|&seed| {
            let values: Vec<f64> = (0..n).map(|_| draw(&mut random)).collect();
            let estimate = Resamples::seeded(n, 2_000, seed).unwrap().mean(&values, 0.95).unwrap();
            (estimate.low..=estimate.high).contains(&truth)
        });
        covered.count() as f64 / experiments as f64
    }

    #[test]
    fn intervals_of_95_percent_cover_93_to_97_percent() {
        // A sum of 8 squared normal draws has skewness 1.
        let skewed = |random: &mut Random| (0..8).map(|_| random.normal().powi(2)).sum::<f64>();
        let measured = [
            ("normal, 4", coverage(4, 0.0, Random::normal)),
            ("normal, 8", coverage(8, 0.0, Random::normal)),
            ("normal, 16", coverage(16, 0.0, Random::normal)),
            ("skewed, 8", coverage(8, 8.0, skewed)),
            ("skewed, 16", coverage(16, 8.0, skewed)),
        ];
        // Skewed effects of few documents are where every interval of this kind is a little short.
        let fewest = |name: &str| if name == "skewed, 8" { 0.915 } else { 0.93 };
        assert!(measured.iter().all(|(name, share)| (fewest(name)..=0.97).contains(share)), "{measured:?}");
    }
}
