//! `identification.json` as types: what an engine really runs.

use serde::{Deserialize, Serialize};

use super::agreement::Bin;
use super::anomalies::Anomaly;
use super::classify::Nearest;
use super::weights::WeightsCheck;
use crate::faults::AnyFault;
use crate::positions::AnyMethod;

/// Whether the engine runs what was meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// It does.
    #[serde(rename = "as declared")]
    AsDeclared,
    /// It runs something else, which is named.
    #[serde(rename = "other")]
    Other,
    /// The outputs do not say.
    #[serde(rename = "unknown")]
    Unknown,
}

/// How the declared configuration stands to the outputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Declared {
    /// The method's name.
    pub method: String,
    /// Its factor.
    pub factor: f64,
    /// Whether nothing but noise is left.
    pub agrees: bool,
    /// Root of the mean square of replayed minus observed, in nats.
    pub rms: f64,
    /// How many log-probabilities it rests on.
    pub n: usize,
}

/// The known configuration that agrees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Match {
    /// The method's name.
    pub method: String,
    /// Its factor.
    pub factor: f64,
    /// The method with its parameters.
    pub runs: AnyMethod,
    /// What the engine does otherwise than a healthy one; null where nothing.
    pub fault: Option<String>,
    /// The same as a scenario's conditions name it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<AnyFault>,
    /// Root of the mean square of replayed minus observed, in nats.
    pub rms: f64,
    /// Largest difference, in nats.
    pub max: f64,
    /// How many log-probabilities it rests on.
    pub n: usize,
    /// Other names of configurations that give the same answers to these requests.
    #[serde(default)]
    pub also: Vec<String>,
    /// Configurations that answer otherwise, and that these requests do not tell from this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undecided: Vec<Excluded>,
}

/// A recovered number with its 95 % interval.
///
/// Where the interval is wider than 1 % each way the number is not identifiable and the point is null; the ends are null too
/// where they lie more than a factor of 2 from each other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The number.
    pub point: Option<f64>,
    /// Lower end.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

/// Half-width of the intervals, relative, up to which a number counts as identified.
pub const IDENTIFIED: f64 = 0.01;
/// Half-width of the logarithm up to which an interval says anything.
const BOUNDED: f64 = std::f64::consts::LN_2 / 2.0;
/// Half-width of a recovered bias, in nats, up to which it counts as identified.
const IDENTIFIED_NATS: f64 = 0.05;
/// The normal distribution's quantile of a 95 % interval.
const QUANTILE: f64 = 1.959_964;

impl Interval {
    /// Of a number from its logarithm and that one's standard error.
    #[must_use]
    pub fn of_logarithm(value: f64, error: f64) -> Self {
        let half = QUANTILE * error;
        let ends = (half <= BOUNDED).then(|| ((value - half).exp(), (value + half).exp()));
        Self {
            point: (half <= IDENTIFIED).then(|| value.exp()),
            low: ends.map(|ends| ends.0),
            high: ends.map(|ends| ends.1),
        }
    }

    /// Of a bias in nats from its standard error.
    #[must_use]
    pub fn of_nats(value: f64, error: f64) -> Self {
        let half = QUANTILE * error;
        let known = half <= IDENTIFIED_NATS;
        Self { point: known.then_some(value), low: known.then_some(value - half), high: known.then_some(value + half) }
    }
}

/// What was recovered from the outputs alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recovered {
    /// Radians a token of each pair, fastest first as the checkpoint has them; empty where nothing rotates.
    #[serde(default)]
    pub inverse_frequencies: Vec<Interval>,
    /// What multiplies cosine and sine.
    pub attention_factor: Option<Interval>,
    /// ALiBi's slope of each head.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slopes: Vec<Interval>,
    /// Learned biases in nats relative to the first bucket, or a kernel's parameters, in the order of the weights.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Interval>,
    /// What multiplies all scores of a mechanism that does not rotate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<Interval>,
    /// The known spectrum that it is nearest to.
    pub nearest: Option<Nearest>,
    /// The longest beginning of a request that it explains, in tokens.
    pub length: usize,
    /// Root of the mean square of what is left, in nats.
    pub rms: f64,
    /// How many log-probabilities it rests on.
    pub n: usize,
}

/// A configuration that does not agree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Excluded {
    /// For people: `yarn x4`.
    pub label: String,
    /// Root of the mean square of replayed minus observed, in nats.
    pub rms: f64,
    /// How many log-probabilities excluded it.
    pub n: usize,
}

/// What an engine really runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identification {
    /// What the engine's arithmetic leaves of a replay, root of the mean square in nats.
    pub noise: f64,
    /// The configuration that was meant.
    pub declared: Declared,
    /// The known configuration that agrees; null where none does.
    #[serde(rename = "match")]
    pub matched: Option<Match>,
    /// What was recovered where none agrees.
    pub recovered: Option<Recovered>,
    /// What the best configuration leaves unexplained.
    pub anomalies: Vec<Anomaly>,
    /// Whether it is what was meant.
    pub verdict: Verdict,
    /// One sentence that a person can act on.
    pub sentence: String,
    /// Whether the engine serves these weights.
    pub weights: WeightsCheck,
    /// Agreement of the best configuration by position.
    pub agreement: Vec<Bin>,
    /// What was excluded, those that lasted longest first.
    pub excluded: Vec<Excluded>,
    /// Whether the time was up before everything had been asked.
    pub cut_short: bool,
}

impl Identification {
    /// The process's exit code: 0 as declared, 1 other, 2 unknown.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.verdict {
            Verdict::AsDeclared => 0,
            Verdict::Other => 1,
            Verdict::Unknown => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_to_a_percent_has_no_point() {
        let known = Interval::of_logarithm(0.5_f64.ln(), 0.001);
        assert!(known.point.is_some_and(|point| (point - 0.5).abs() < 1e-12));
        assert!(known.low.is_some_and(|low| (low - 0.5 * (-0.001_96_f64).exp()).abs() < 1e-6));
        let loose = Interval::of_logarithm(0.0, 0.1);
        assert!(loose.point.is_none() && loose.low.is_some());
        let unknown = Interval::of_logarithm(0.0, 1.0);
        assert_eq!(unknown, Interval { point: None, low: None, high: None });
    }
}
