//! Pure statistics: estimates with intervals, paired by document.

mod bootstrap;
mod course;
mod effects;
mod gate;
mod levels;
mod proportion;
pub mod random;
mod ratio;

use serde::{Deserialize, Serialize};

pub use bootstrap::{CONFIDENCE, RESAMPLES, Resamples};
pub use course::{Bin, Course, Profile, Setting, Shape};
pub use effects::{TwoWay, shapley, two_way};
pub use gate::{benjamini_hochberg, holm, mcnemar};
pub use levels::{LevelChange, MAX_P, WINDOW, level_changes};
pub use proportion::proportion;
pub use ratio::ratio;

/// A number with its interval; never a bare point.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The best single value.
    pub point: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Probability that such intervals cover the truth, for example 0.95.
    pub confidence: f64,
    /// How many independent units (documents, blocks) it rests on.
    pub n: usize,
}

impl Estimate {
    /// The estimate on another scale, for a function that never falls (an exponential, a positive multiple).
    #[must_use]
    pub fn rescaled(self, rising: impl Fn(f64) -> f64) -> Self {
        Self { point: rising(self.point), low: rising(self.low), high: rising(self.high), ..self }
    }

    /// The estimate with its interval cut to what is possible at all; an interval that covers still does.
    #[must_use]
    pub fn within(self, least: f64, most: f64) -> Self {
        Self { low: self.low.clamp(least, most), high: self.high.clamp(least, most), ..self }
    }

    /// The estimate of the opposite: 0.2 [0.1, 0.4] becomes -0.2 [-0.4, -0.1].
    #[must_use]
    pub fn negated(self) -> Self {
        Self { point: -self.point, low: -self.high, high: -self.low, ..self }
    }
}

/// Where a whole interval lies against a tolerance around zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Wholly above the tolerance.
    Above,
    /// Wholly below minus the tolerance.
    Below,
    /// Wholly inside the tolerance, its ends included.
    Inside,
    /// Across an end of the tolerance: the interval does not say.
    Across,
}

/// Where the interval of a difference lies against its tolerance (the rule of the criterion benchmark crate).
#[must_use]
pub fn standing(difference: &Estimate, tolerance: f64) -> Standing {
    if difference.low > tolerance {
        Standing::Above
    } else if difference.high < -tolerance {
        Standing::Below
    } else if difference.low >= -tolerance && difference.high <= tolerance {
        Standing::Inside
    } else {
        Standing::Across
    }
}

/// The arithmetic mean; nothing for no values.
#[must_use]
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The mean of independent values with its interval; nothing below 2 values, or where one is not finite.
#[must_use]
pub fn mean_estimate(values: &[f64]) -> Option<Estimate> {
    Resamples::new(values.len())?.mean(values, CONFIDENCE)
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

    fn between(low: f64, high: f64) -> Estimate {
        Estimate { point: f64::midpoint(low, high), low, high, confidence: 0.95, n: 8 }
    }

    #[test]
    fn only_a_whole_interval_decides() {
        assert_eq!(standing(&between(0.021, 0.3), 0.02), Standing::Above);
        assert_eq!(standing(&between(0.019, 0.3), 0.02), Standing::Across);
        assert_eq!(standing(&between(-0.3, -0.021), 0.02), Standing::Below);
        assert_eq!(standing(&between(-0.02, 0.02), 0.02), Standing::Inside);
        assert_eq!(standing(&between(-0.3, 0.3), 0.02), Standing::Across);
        assert_eq!(standing(&between(f64::NAN, f64::NAN), 0.02), Standing::Across);
    }

    #[test]
    fn an_interval_ends_where_the_possible_does() {
        assert_eq!(between(-1.4, -0.2).within(-1.0, 1.0).low, -1.0);
        assert_eq!(between(-0.4, 0.2).within(-1.0, 1.0), between(-0.4, 0.2));
        assert!(between(f64::NAN, f64::NAN).within(-1.0, 1.0).low.is_nan(), "what is unknown stays unknown");
    }

    #[test]
    fn the_mean_of_nothing_is_nothing() {
        assert_eq!(mean(&[]), None);
        assert_eq!(mean(&[1.0, 4.0]), Some(2.5));
    }

    #[test]
    fn negating_swaps_the_ends() {
        let negated = between(0.1, 0.4).negated();
        assert_eq!((negated.low, negated.high), (-0.4, -0.1));
    }
}
