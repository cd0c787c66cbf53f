//! How large tolerances must be for the same state, measured again and again, to stay silent.

use super::compare::{Comparison, compare};
use super::side::Side;
use super::{quality, speed};
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
    /// The smallest tolerances from which on no test of any pair looks worse by itself, rounded up to two digits.
    pub proposed: Tolerance,
    /// Pairs whose timings stay undecided under the proposed tolerance, since the null control fires or the device was
    /// held back.
    pub unsteady: usize,
}

/// Compares every measurement with every other one.
#[must_use]
pub fn calibrate(runs: &[Side<'_>], trained: Tokens, tolerance: &Tolerance) -> Calibration {
    let mut proposed = Tolerance { short_range: 0.0, long_range: 0.0, retrieval: 0.0, latency: 1.0 };
    let (mut fired, mut judged_from) = (0, Vec::new());
    for (i, before) in runs.iter().enumerate() {
        for (_, now) in runs.iter().enumerate().filter(|(j, _)| *j != i) {
            let tests = compare("a repeat", *before, *now, trained, tolerance);
            fired += usize::from(tests.iter().any(|test| test.verdict.ruling == Ruling::Worse));
            let pair = Comparison { against: "a repeat", baseline: *before, run: *now, trained, tolerance };
            for (question, slot) in [
                (Question::ShortRange, &mut proposed.short_range),
                (Question::LongRange, &mut proposed.long_range),
                (Question::Retrieval, &mut proposed.retrieval),
            ] {
                *slot = slot.max(least_damage(&pair, question));
            }
            let silence = speed::silence(&pair);
            proposed.latency = proposed.latency.max(silence.from);
            judged_from.push(silence.judged_from);
        }
    }
    for value in [&mut proposed.short_range, &mut proposed.long_range, &mut proposed.retrieval] {
        *value = rounded_up(*value);
    }
    proposed.latency = 1.0 + rounded_up(proposed.latency - 1.0);
    let unsteady = judged_from.iter().filter(|from| **from > proposed.latency).count();
    Calibration { repeats: runs.len(), pairs: judged_from.len(), fired, proposed, unsteady }
}

/// The near end of a damage's interval: the smallest tolerance that the test does not lie beyond.
fn least_damage(pair: &Comparison<'_>, question: Question) -> f64 {
    let change = quality::test(pair, question).and_then(|test| test.verdict.change);
    let damage = change.map(|change| if question == Question::Retrieval { change.negated() } else { change });
    damage.map_or(0.0, |damage| damage.low.max(0.0))
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
