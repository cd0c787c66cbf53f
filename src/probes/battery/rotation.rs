//! Applied rotation: effective inverse frequencies, phases, magnitudes and mixing of what is done to queries and keys.
//!
//! A rotation that queries and keys share changes no score, so every angle is taken relative to what is done to the key at
//! the first position, and compared with the same of the healthy replay.

use std::collections::BTreeSet;
use std::f64::consts::{PI, TAU};

use super::Check;
use super::compare::reading;
use super::witness::{BEYOND, SHORT};
use crate::measurement::{Place, Quantity, Reading};
use crate::subject::{AppliedRotation, Route, Turned};

/// The check.
pub(super) struct Rotation;

impl Check for Rotation {
    fn name(&self) -> &'static str {
        "rotation"
    }

    fn summary(&self) -> &'static str {
        "the rotation of queries and keys as applied: effective frequencies, phases by position, magnitudes, mixing"
    }
}

/// Positions that are asked for in one run, ascending, and the route.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Run {
    pub(super) probe: &'static str,
    pub(super) positions: Vec<usize>,
    pub(super) route: Route,
}

/// Frequencies are read from the first so many positions, all of which are asked for.
pub(super) const DENSE: usize = 64;

/// About how many positions are asked for beyond them.
const SPREAD: usize = 4096;

/// In one forward up to the target; decoding; in chunks; and in chunks across the trained length.
pub(super) fn runs(trained: usize, target: usize) -> Vec<Run> {
    let long = target.max(trained + BEYOND);
    let around = |middle: usize| middle.saturating_sub(2)..=middle + 2;
    let mut positions: BTreeSet<usize> = (0..=DENSE).chain((0..long).step_by(long.div_ceil(SPREAD))).collect();
    positions.extend((1..=long.ilog2()).flat_map(|power| around(1 << power)));
    positions.extend((1..=long / trained.max(1)).flat_map(|k| around(k * trained)));
    positions.retain(|&position| position < long);
    let short: Vec<usize> = (0..SHORT).collect();
    let across: Vec<usize> = (0..SHORT).chain(trained - trained.min(8)..trained + SHORT / 3).collect();
    vec![
        Run { probe: "rotation", positions: positions.into_iter().collect(), route: Route::OneShot },
        Run { probe: "rotation_decoded", positions: short.clone(), route: Route::Decode { prompt: 2 * SHORT / 3 } },
        Run { probe: "rotation_chunked", positions: short, route: Route::Chunked(SHORT / 3) },
        Run { probe: "rotation_across", positions: across, route: Route::Chunked(trained.max(1)) },
    ]
}

/// Positions worth a row of their own.
fn is_shown(position: usize) -> bool {
    position.is_power_of_two() || (position + 1).is_power_of_two()
}

/// An angle between minus pi and pi.
pub(super) fn wrapped(angle: f64) -> f64 {
    let turns = (angle + PI).rem_euclid(TAU) - PI;
    if turns <= -PI { turns + TAU } else { turns }
}

/// By how much the angle of a pair at a position of the run differs from the healthy one, relative to the first key.
pub(super) fn error(
    ours: (&Turned, &AppliedRotation),
    theirs: (&Turned, &AppliedRotation),
    at: usize,
    pair: usize,
) -> Option<f64> {
    let angle = |turned: &Turned, at: usize| Some(turned.gains.get(at)?.get(pair)?.angle);
    let own = angle(ours.0, at)? - angle(&ours.1.keys, 0)?;
    let healthy = angle(theirs.0, at)? - angle(&theirs.1.keys, 0)?;
    Some(wrapped(own - healthy))
}

/// The effective inverse frequency over the declared one, from errors of the angle at the positions 1 to n.
///
/// The error at position 1 is unambiguous; each doubling then refines the estimate without losing a turn.
#[must_use]
pub fn unwrapped_ratio(errors: &[f64], declared: f64) -> Option<f64> {
    let mut difference = *errors.first()?;
    let mut position = 2;
    while let Some(error) = errors.get(position - 1) {
        difference += wrapped(error - difference * position as f64) / position as f64;
        position *= 2;
    }
    Some(1.0 + difference / declared)
}

/// The radians per position that a pair turns by, from the angles at its first positions.
pub(super) fn frequency(turned: &Turned, pair: usize) -> Option<f64> {
    let first = turned.gains.first()?.get(pair)?.angle;
    let angles: Vec<f64> = turned
        .gains
        .iter()
        .take(DENSE + 1)
        .skip(1)
        .filter_map(|gains| Some(wrapped(gains.get(pair)?.angle - first)))
        .collect();
    Some(unwrapped_ratio(&angles, 1.0)? - 1.0)
}

pub(super) fn compare(run: &Run, ours: &AppliedRotation, theirs: &AppliedRotation) -> Vec<Reading> {
    let mut readings = Vec::new();
    let sides = [(&ours.queries, &theirs.queries), (&ours.keys, &theirs.keys)];
    let pairs = theirs.keys.gains.first().map_or(0, Vec::len);
    for (side, (own, healthy)) in sides.into_iter().enumerate() {
        let row =
            |quantity, at, value| Reading { repeat: side as u32, ..reading(run.probe, quantity, 0, at, value, 1) };
        readings.push(row(Quantity::Mixing, Place::default(), (own.mixing - healthy.mixing).max(0.0)));
        for (index, &position) in run.positions.iter().enumerate() {
            // Short runs are shown by their worst pair alone.
            let errors: Vec<f64> =
                (0..pairs).filter_map(|pair| error((own, ours), (healthy, theirs), index, pair)).collect();
            let here = |pair| Place { from: Some(position as u32), pair, ..Place::default() };
            if run.route == Route::OneShot && is_shown(position) {
                let all = errors.iter().enumerate();
                readings.extend(all.map(|(pair, error)| row(Quantity::PhaseError, here(Some(pair as u32)), *error)));
            }
            let worst = errors.iter().enumerate().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
            if let (Some((pair, error)), true) = (worst, run.route != Route::OneShot) {
                readings.push(row(Quantity::PhaseError, here(Some(pair as u32)), *error));
            }
            let gain = |turned: &Turned| {
                let gains = turned.gains.get(index)?;
                crate::stats::mean(&gains.iter().map(|gain| gain.magnitude).collect::<Vec<_>>())
            };
            if let (Some(own), Some(healthy), true) = (gain(own), gain(healthy), is_shown(position)) {
                readings.push(row(Quantity::Gain, here(None), own / healthy));
            }
        }
    }
    if run.route == Route::OneShot {
        readings.extend(frequencies(run, ours, theirs, pairs));
    }
    readings
}

/// One row a pair: effective over declared inverse frequency, read from the keys.
fn frequencies<'a>(
    run: &'a Run,
    ours: &'a AppliedRotation,
    theirs: &'a AppliedRotation,
    pairs: usize,
) -> impl Iterator<Item = Reading> + use<'a> {
    (0..pairs).filter_map(move |pair| {
        let declared = frequency(&theirs.keys, pair).filter(|declared| *declared != 0.0)?;
        let errors: Vec<f64> =
            (1..=DENSE).filter_map(|at| error((&ours.keys, ours), (&theirs.keys, theirs), at, pair)).collect();
        let ratio = unwrapped_ratio(&errors, declared)?;
        let at = Place { pair: Some(pair as u32), ..Place::default() };
        Some(reading(run.probe, Quantity::FrequencyRatio, 0, at, ratio, errors.len() as u32))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frequency_is_read_without_losing_a_turn() {
        for (declared, effective) in [(1.0, 0.25), (0.5, 1.0), (0.001, 0.0011), (0.3, 0.3)] {
            let errors: Vec<f64> = (1..=64).map(|p| wrapped(f64::from(p) * (effective - declared))).collect();
            let ratio = unwrapped_ratio(&errors, declared).unwrap();
            assert!((ratio - effective / declared).abs() < 1e-9, "{ratio} for {effective} / {declared}");
        }
        assert_eq!(unwrapped_ratio(&[], 1.0), None);
    }

    #[test]
    fn angles_are_wrapped_to_half_a_turn() {
        assert!((wrapped(3.0 * PI) - PI).abs() < 1e-12);
        assert!((wrapped(-0.5) + 0.5).abs() < 1e-12);
    }
}
