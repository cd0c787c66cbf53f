//! How large tolerances must be for the same state, measured again and again, to stay silent.

use super::compare::{Test, compare};
use super::side::Side;
use crate::findings::{Question, Ruling};
use crate::scenario::Tolerance;
use crate::units::Tokens;

/// What repeated measurements of one state say of its tolerances.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// How often the state was measured.
    pub repeats: usize,
    /// Ordered pairs of measurements that were compared.
    pub pairs: usize,
    /// Pairs that fire under the scenario's own tolerances, each a false alarm.
    pub fired: usize,
    /// The smallest tolerances under which no pair fires, rounded up to two digits.
    pub proposed: Tolerance,
}

/// Compares every measurement with every other one.
#[must_use]
pub fn calibrate(runs: &[Side<'_>], trained: Tokens, tolerance: &Tolerance) -> Calibration {
    const NONE: Tolerance = Tolerance { short_range: 0.0, long_range: 0.0, retrieval: 0.0, latency: 1.0 };
    let mut found = Calibration { repeats: runs.len(), pairs: 0, fired: 0, proposed: NONE };
    for (i, before) in runs.iter().enumerate() {
        for (_, now) in runs.iter().enumerate().filter(|(j, _)| *j != i) {
            found.pairs += 1;
            let tests = compare("a repeat", *before, *now, trained, tolerance);
            found.fired += usize::from(tests.iter().any(|test| test.verdict.ruling == Ruling::Worse));
            for test in compare("a repeat", *before, *now, trained, &NONE) {
                let slot = match test.verdict.question {
                    Question::ShortRange => &mut found.proposed.short_range,
                    Question::LongRange => &mut found.proposed.long_range,
                    Question::Retrieval => &mut found.proposed.retrieval,
                    Question::Latency => &mut found.proposed.latency,
                };
                *slot = slot.max(silent_at(&test));
            }
        }
    }
    let proposed = &mut found.proposed;
    for value in [&mut proposed.short_range, &mut proposed.long_range, &mut proposed.retrieval] {
        *value = rounded_up(*value);
    }
    proposed.latency = 1.0 + rounded_up(proposed.latency - 1.0);
    found
}

/// The smallest tolerance under which the test does not say worse: the near end of the damage's interval.
fn silent_at(test: &Test) -> f64 {
    let least = if test.verdict.question == Question::Latency { 1.0 } else { 0.0 };
    let near = |change: crate::stats::Estimate| match test.verdict.question {
        Question::Retrieval => -change.high,
        _ => change.low,
    };
    test.verdict.change.map_or(least, near).max(least)
}

/// Up to two significant digits; 0 stays 0.
fn rounded_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 0.0;
    }
    let unit = 10_f64.powf(value.log10().floor() - 1.0);
    // A value that has two digits already must not be pushed up by its own rounding error.
    let steps = (value / unit - 1e-9).ceil();
    steps * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tolerances_are_rounded_up_to_two_digits() {
        for (value, expected) in [(0.0, 0.0), (0.0121, 0.013), (0.012, 0.012), (3.41e-7, 3.5e-7), (0.099_1, 0.1)] {
            assert!(
                (rounded_up(value) - expected).abs() < 1e-12 * expected.max(1e-9),
                "{value}: {}",
                rounded_up(value)
            );
        }
    }
}
