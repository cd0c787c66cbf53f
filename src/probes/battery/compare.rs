//! Recorded answers, compared: readings by position.

use std::collections::BTreeSet;

use super::witness::{Answer, Answers, Record};
use crate::measurement::{Place, Quantity, Reading};

/// How answers are compared; rows of another protocol are never mixed with these.
pub(super) const PROTOCOL: &str = "parity/1";

/// Bins of positions are this wide, finer near 0 and around multiples of the trained length.
const BIN: usize = 64;

/// What a reading of the battery says of where it was taken.
pub(super) fn reading(probe: &str, quantity: Quantity, document: u32, at: Place, value: f64, count: u32) -> Reading {
    let (probe, protocol) = (probe.to_owned(), PROTOCOL.to_owned());
    Reading { quantity, probe, protocol, document, repeat: 0, at, value, count }
}

/// The deployment's answers against the healthy replay's, and against its own to equivalent requests.
///
/// A witness that the healthy replay refuses says nothing. One that only the deployment refuses has no number either, and its
/// reading is infinite.
#[must_use]
pub fn divergences(deployed: &Record, healthy: &Record, trained: usize, document: u32) -> Vec<Reading> {
    let mut readings = Vec::new();
    for ((witness, ours), (_, theirs)) in deployed.iter().zip(healthy) {
        let Some(theirs) = theirs else { continue };
        let Some(ours) = ours else {
            let at = Place { from: Some(0), ..Place::default() };
            readings.push(reading(witness.name, Quantity::Divergence, document, at, f64::INFINITY, 1));
            continue;
        };
        // What the healthy replay's own equivalent answers differ by (a base that follows the length) is no fault.
        let pairs = [
            (Quantity::Divergence, 0, &ours.read, &theirs.read),
            (Quantity::Inconsistency, 0, &ours.read, &ours.alike),
            (Quantity::Inconsistency, 1, &theirs.read, &theirs.alike),
        ];
        for (quantity, repeat, answers, others) in pairs {
            for (answer, other) in answers.iter().zip(others) {
                readings.extend(binned(answer, other, trained).into_iter().map(|bin| {
                    let at = Place { from: Some(bin.from), to: Some(bin.to), ..Place::default() };
                    Reading { repeat, ..reading(witness.name, quantity, document, at, bin.mean, bin.count) }
                }));
            }
        }
        let first = ours.read.iter().zip(&theirs.read).find_map(|(own, healthy)| first_difference(own, healthy));
        readings.extend(first.map(|position| {
            reading(witness.name, Quantity::FirstDifference, document, Place::default(), position as f64, 1)
        }));
        for (repeat, answers) in [ours, theirs].into_iter().enumerate() {
            readings.extend(loss(witness.name, answers, document, repeat as u32));
        }
    }
    readings
}

/// A hypothesis's answers to one witness against the deployment's: the mean over tokens (repeat 0), and the worst bin (repeat 1).
#[must_use]
pub fn disagreements(
    name: &str,
    hypothesis: &Answers,
    deployed: &Answers,
    trained: usize,
    document: u32,
) -> Vec<Reading> {
    let bins: Vec<Bin> =
        hypothesis.read.iter().zip(&deployed.read).flat_map(|(ours, theirs)| binned(ours, theirs, trained)).collect();
    let count: u32 = bins.iter().map(|bin| bin.count).sum();
    if count == 0 {
        return Vec::new();
    }
    let mean = bins.iter().map(|bin| bin.mean * f64::from(bin.count)).sum::<f64>() / f64::from(count);
    let mut readings = vec![reading(name, Quantity::Disagreement, document, Place::default(), mean, count)];
    if let Some(worst) = bins.iter().max_by(|a, b| a.mean.total_cmp(&b.mean)) {
        let at = Place { from: Some(worst.from), to: Some(worst.to), ..Place::default() };
        let worst = reading(name, Quantity::Disagreement, document, at, worst.mean, worst.count);
        readings.push(Reading { repeat: 1, ..worst });
    }
    readings
}

/// Mean loss over all tokens of a witness: of the deployment (repeat 0) and of the healthy replay (repeat 1).
fn loss(name: &str, answers: &Answers, document: u32, repeat: u32) -> Option<Reading> {
    let all: Vec<f64> = answers.read.iter().flat_map(|answer| &answer.log_probability).map(|&x| f64::from(x)).collect();
    let mean = crate::stats::mean(&all)?;
    Some(Reading { repeat, ..reading(name, Quantity::Nll, document, Place::default(), -mean, all.len() as u32) })
}

/// Log-probabilities of one token that differ by less are the same, nats.
const SAME: f64 = 1e-3;

/// The position of the first query whose next token has another log-probability.
fn first_difference(ours: &Answer, theirs: &Answer) -> Option<usize> {
    let mut both = ours.log_probability.iter().zip(&theirs.log_probability);
    let differ = |(ours, theirs): (&f32, &f32)| {
        let distance = (ours - theirs).abs();
        distance.is_nan() || distance > SAME as f32
    };
    both.position(differ).map(|index| ours.first + index)
}

/// The mean distance of two answers in a range of positions.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bin {
    from: u32,
    to: u32,
    mean: f64,
    count: u32,
}

/// The first positions of the bins between two positions.
fn edges(from: usize, to: usize, trained: usize) -> Vec<usize> {
    let doubling = (0..=BIN.ilog2()).map(|power| 1 << power);
    let regular = (from / BIN..=to / BIN).map(|bin| bin * BIN);
    let around = (1..=to / trained.max(1) + 1).flat_map(|k| {
        let middle = k * trained;
        [middle.saturating_sub(8), middle.saturating_sub(1), middle, middle + 1, middle + 8]
    });
    let inside = doubling.chain(regular).chain(around).filter(|edge| (from + 1..to).contains(edge));
    let all: BTreeSet<usize> = inside.chain([from, to]).collect();
    all.into_iter().collect()
}

fn binned(ours: &Answer, theirs: &Answer, trained: usize) -> Vec<Bin> {
    let count = ours.log_probability.len().min(theirs.log_probability.len());
    let differences: Vec<f64> = ours
        .log_probability
        .iter()
        .zip(&theirs.log_probability)
        .map(|(ours, theirs)| (f64::from(*ours) - f64::from(*theirs)).abs())
        .collect();
    edges(ours.first, ours.first + count, trained)
        .windows(2)
        .filter_map(|edge| {
            let [from, to] = *edge else { return None };
            let inside = differences.get(from - ours.first..to - ours.first)?;
            let mean = crate::stats::mean(inside)?;
            // A log-probability that is no number is farther than any.
            let mean = if mean.is_nan() { f64::INFINITY } else { mean };
            Some(Bin { from: from as u32, to: to as u32, mean, count: inside.len() as u32 })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_fine_where_faults_begin() {
        assert_eq!(edges(0, 130, 100), [0, 1, 2, 4, 8, 16, 32, 64, 92, 99, 100, 101, 108, 128, 130]);
        assert_eq!(edges(90, 96, 100), [90, 92, 96]);
    }

    #[test]
    fn what_is_no_number_is_farther_than_any() {
        let answer = |values: &[f32]| Answer { first: 0, log_probability: values.to_vec() };
        let bins = binned(&answer(&[-1.0, f32::NAN]), &answer(&[-1.5, -1.0]), 8);
        assert_eq!(bins.iter().map(|bin| bin.mean).collect::<Vec<_>>(), [0.5, f64::INFINITY]);
    }
}
