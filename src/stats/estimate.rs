//! An estimate, and what its interval says against a tolerance.

use serde::{Deserialize, Serialize};

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

/// What the interval says against the tolerance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// The whole interval is worse than the tolerance.
    Worse,
    /// The whole interval is better than the tolerance.
    Better,
    /// The whole interval is inside the tolerance.
    WithinNoise,
    /// The interval touches a tolerance: more documents are needed.
    Undecided,
    /// There is nothing that it may be compared with.
    Incomparable,
}

impl Ruling {
    /// The words for people: `within noise`.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Worse => "worse",
            Self::Better => "better",
            Self::WithinNoise => "within noise",
            Self::Undecided => "undecided",
            Self::Incomparable => "incomparable",
        }
    }
}

impl Estimate {
    /// The same with the sign turned, so that what was more is less.
    #[must_use]
    pub fn negated(self) -> Self {
        Self { point: -self.point, low: -self.high, high: -self.low, ..self }
    }

    /// Each number through a rising function.
    #[must_use]
    pub fn map(self, rising: impl Fn(f64) -> f64) -> Self {
        Self { point: rising(self.point), low: rising(self.low), high: rising(self.high), ..self }
    }
}

/// The ruling on a change of which more is worse: worse or better only if the whole interval is beyond the tolerance,
/// within noise only if it is wholly inside (as criterion's `compare_to_threshold`).
#[must_use]
pub fn judge(change: Estimate, tolerance: f64) -> Ruling {
    if change.low > tolerance {
        Ruling::Worse
    } else if change.high < -tolerance {
        Ruling::Better
    } else if change.low >= -tolerance && change.high <= tolerance {
        Ruling::WithinNoise
    } else {
        Ruling::Undecided
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_interval_rules() {
        let change = |low, high| Estimate { point: 0.0, low, high, confidence: 0.95, n: 8 };
        assert_eq!(judge(change(0.03, 0.05), 0.02), Ruling::Worse);
        assert_eq!(judge(change(0.01, 0.05), 0.02), Ruling::Undecided);
        assert_eq!(judge(change(-0.01, 0.01), 0.02), Ruling::WithinNoise);
        assert_eq!(judge(change(-0.05, -0.03), 0.02), Ruling::Better);
        assert_eq!(judge(change(-0.05, 0.01), 0.02), Ruling::Undecided);
    }
}
