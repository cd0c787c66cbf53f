//! Pure statistics: estimates with intervals, paired by document.

pub mod random;

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
