//! The paired bootstrap: whole documents are drawn again, and every cell keeps the same draw.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::random::Random;
use super::{Estimate, mean};

/// How often the documents are drawn again.
pub const RESAMPLES: usize = 10_000;

/// The confidence of an interval where nothing else is said.
pub const CONFIDENCE: f64 = 0.95;

/// Student's tail beside the bootstrap-t is this many times as large: 0.035 for a 95 % interval.
const LIGHTER: f64 = 1.4;

/// The standard error of a draw is at least this share of that of all documents.
const SHARPEST: f64 = 0.25;

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

    /// The documents of each draw, by their places.
    pub(super) fn picks(&self) -> impl Iterator<Item = &[u32]> {
        self.picks.chunks_exact(self.n)
    }

    /// The mean over the documents of each draw; nothing unless there is one value a document.
    #[must_use]
    pub fn means(&self, values: &[f64]) -> Option<Vec<f64>> {
        if values.len() != self.n {
            return None;
        }
        let mean_of = |pick: &[u32]| pick.iter().filter_map(|&i| values.get(i as usize)).sum::<f64>() / self.n as f64;
        Some(self.picks().map(mean_of).collect())
    }

    /// The mean of one value a document, with its interval; nothing where a value is not finite.
    ///
    /// Each end lies as far out as the farther of two rules puts it. The bootstrap-t (Efron; Hesterberg, arXiv 1411.5279,
    /// section 3.2) follows skewed values and is short where tails are heavy; Student's t is the reverse, and is taken
    /// with a tail `LIGHTER` times as large. In simulations with 6 to 50 documents, normal, uniform, Laplace, gamma and
    /// binomial, 95 % intervals covered 93 to 97.5 % so, and neither rule did alone.
    ///
    /// All documents lie on one side of the truth with probability `2^(1-n)`; where that exceeds `1 - confidence` (below 6
    /// documents at 95 %) resamples say too little, and the interval is Student's.
    #[must_use]
    pub fn mean(&self, values: &[f64], confidence: f64) -> Option<Estimate> {
        let tail = (1.0 - confidence) / 2.0;
        let n = self.n as f64;
        let Sample { point, error } = self.sample(values)?;
        let student = |tail: f64| student_quantile(1.0 - tail, n - 1.0);
        let (below, above) = if 2_f64.powf(1.0 - n) > 1.0 - confidence {
            let t = student(tail)?;
            (t, t)
        } else {
            let mut draws = self.studentised(values, point, error);
            draws.sort_unstable_by(f64::total_cmp);
            let t = student(LIGHTER * tail)?;
            (quantile(&draws, 1.0 - tail)?.max(t), (-quantile(&draws, tail)?).max(t))
        };
        let (low, high) = (point - below * error, point + above * error);
        Some(Estimate { point, low, high, confidence, n: self.n })
    }

    /// The p-value of a mean above `bound`: below 0.05 exactly where the 95 % interval of [`Resamples::mean`] lies above it, so
    /// that a gate over several questions rules as one over a single question does.
    ///
    /// It is twice the probability of a mean this far above `bound` if the true mean were `bound`. The simple probability
    /// would let skewed effects past: over four questions it raised 7.6 % false alarms after Holm where 5 % are promised.
    ///
    /// Nothing where a value is not finite.
    #[must_use]
    pub fn p_above(&self, values: &[f64], bound: f64) -> Option<f64> {
        let Sample { point, error } = self.sample(values)?;
        if error <= 0.0 {
            return Some(if point > bound { 0.0 } else { 1.0 });
        }
        let reached = (point - bound) / error;
        let student = StudentsT::new(0.0, 1.0, self.n as f64 - 1.0).ok()?.sf(reached);
        let tail = if 2_f64.powf(1.0 - self.n as f64) > 1.0 - CONFIDENCE {
            student
        } else {
            let draws = self.studentised(values, point, error);
            let as_far = draws.iter().filter(|draw| **draw >= reached).count();
            // The sample itself counts as one draw, so that no probability is 0.
            let drawn = (as_far + 1) as f64 / (draws.len() + 1) as f64;
            drawn.max(student / LIGHTER)
        };
        Some((2.0 * tail).min(1.0))
    }

    /// The mean and its standard error; nothing unless there is one finite value a document.
    fn sample(&self, values: &[f64]) -> Option<Sample> {
        if values.len() != self.n || values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let point = mean(values)?;
        let squares: f64 = values.iter().map(|value| (value - point).powi(2)).sum();
        let n = self.n as f64;
        Some(Sample { point, error: (squares / (n * (n - 1.0))).sqrt() })
    }

    /// How many of its own standard errors the mean of each draw lies above the mean of all documents.
    ///
    /// A draw of few different documents seems sharper than it is: its error is at least [`SHARPEST`] of the whole's.
    fn studentised(&self, values: &[f64], point: f64, error: f64) -> Vec<f64> {
        if error <= 0.0 {
            return vec![0.0; self.picks.len() / self.n];
        }
        let centred: Vec<f64> = values.iter().map(|value| value - point).collect();
        let n = self.n as f64;
        let of_draw = |pick: &[u32]| {
            let (sum, squares) = pick
                .iter()
                .filter_map(|&i| centred.get(i as usize))
                .fold((0.0, 0.0), |(sum, squares), value| (sum + value, squares + value * value));
            let drawn = (squares - sum * sum / n).max(0.0) / (n * (n - 1.0));
            sum / n / drawn.sqrt().max(SHARPEST * error)
        };
        self.picks().map(of_draw).collect()
    }
}

/// The mean of a sample and its standard error.
struct Sample {
    point: f64,
    error: f64,
}

/// The quantile of Student's t; nothing outside of 0 < p < 1 or for no degrees of freedom.
pub(super) fn student_quantile(p: f64, freedom: f64) -> Option<f64> {
    if !(p > 0.0 && p < 1.0) {
        return None;
    }
    StudentsT::new(0.0, 1.0, freedom).ok().map(|student| student.inverse_cdf(p))
}

/// The quantile of sorted values, between neighbours on a line (type 7 of Hyndman and Fan, NumPy's default).
pub(super) fn quantile(sorted: &[f64], p: f64) -> Option<f64> {
    let place = p.clamp(0.0, 1.0) * (sorted.len().checked_sub(1)?) as f64;
    let below = *sorted.get(place.floor() as usize)?;
    let above = *sorted.get(place.ceil() as usize)?;
    Some(below + (above - below) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, expected: f64, tolerance: f64) {
        assert!((got - expected).abs() <= tolerance, "{got} is not {expected} +- {tolerance}");
    }

    #[test]
    fn few_documents_have_students_interval() {
        // scipy 1.17.1: stats.t.interval(0.95, 3, loc=mean(x), scale=sem(x)), of x below.
        let x = [0.9, 1.1, 1.3, 1.0];
        let estimate = Resamples::new(4).unwrap().mean(&x, 0.95).unwrap();
        near(estimate.low, 0.803_246_911_620_398_4, 1e-9);
        near(estimate.high, 1.346_753_088_379_601_5, 1e-9);
        // stats.ttest_1samp(x, 0.8, alternative="greater").pvalue
        near(Resamples::new(4).unwrap().p_above(&x, 0.8).unwrap(), 2.0 * 0.024_283_428_279_900_526, 1e-9);
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

    #[test]
    fn the_probability_and_the_interval_agree() {
        let mut random = Random::new(4);
        for n in [8, 12, 20] {
            let resamples = Resamples::new(n).unwrap();
            for _ in 0..40 {
                let values: Vec<f64> = (0..n).map(|_| random.normal().powi(2)).collect();
                let estimate = resamples.mean(&values, 0.95).unwrap();
                let step = 0.05 * (estimate.high - estimate.low);
                assert!(resamples.p_above(&values, estimate.low - step).unwrap() < 0.05);
                assert!(resamples.p_above(&values, estimate.low + step).unwrap() > 0.05);
            }
        }
    }

    #[test]
    fn equal_values_leave_no_doubt() {
        let resamples = Resamples::new(7).unwrap();
        let estimate = resamples.mean(&[0.5; 7], 0.95).unwrap();
        assert_eq!((estimate.low, estimate.high), (0.5, 0.5));
        assert_eq!(resamples.p_above(&[0.5; 7], 0.4), Some(0.0));
        assert_eq!(resamples.p_above(&[0.5; 7], 0.5), Some(1.0));
    }
}
