//! Precision: what is left of the phases when the effective frequencies are taken out.
//!
//! Rounding of frequencies, positions, phases or tables leaves an error that stays small beside the phase itself; a table
//! that ends, wraps or is another one beyond some position leaves one as large as the phase. The first position where
//! something is left is where a table, or a rounded position, begins to be wrong.

use super::Check;
use super::compare::reading;
use super::rotation::{DENSE, Run, error, frequency, unwrapped_ratio, wrapped};
use crate::measurement::{Place, Quantity, Reading};
use crate::subject::{AppliedRotation, Turned};

/// The check.
pub(super) struct Precision;

impl Check for Precision {
    fn name(&self) -> &'static str {
        "precision"
    }

    fn summary(&self) -> &'static str {
        "phases that the effective frequencies do not explain: from which position on, and how large beside the phase"
    }
}

/// Phases of single precision are off by up to this many radians at position 0, and by [`DRIFT`] more for each position.
const SINGLE: f64 = 1e-4;
const DRIFT: f64 = 5e-8;

/// Whether an error of a phase is more than single precision at that position.
pub(super) fn is_off(error: f64, position: usize) -> bool {
    // An angle that is no number is off, too.
    error.is_nan() || error.abs() > SINGLE + DRIFT * position as f64
}

/// One side of the rotation, of the deployment and of the healthy replay.
struct Side<'a> {
    own: (&'a Turned, &'a AppliedRotation),
    healthy: (&'a Turned, &'a AppliedRotation),
}

pub(super) fn compare(run: &Run, ours: &AppliedRotation, theirs: &AppliedRotation) -> Vec<Reading> {
    let pairs = theirs.keys.gains.first().map_or(0, Vec::len);
    let sides = [
        Side { own: (&ours.queries, ours), healthy: (&theirs.queries, theirs) },
        Side { own: (&ours.keys, ours), healthy: (&theirs.keys, theirs) },
    ];
    let mut first: Option<(usize, f64)> = None;
    let mut largest = 0.0_f64;
    for pair in 0..pairs {
        let Some(declared) = frequency(&theirs.keys, pair).filter(|declared| *declared != 0.0) else { continue };
        for side in &sides {
            let errors: Vec<f64> =
                (0..run.positions.len()).filter_map(|at| error(side.own, side.healthy, at, pair)).collect();
            let Some(ratio) = errors.get(1..=DENSE).and_then(|near| unwrapped_ratio(near, declared)) else { continue };
            for (index, (error, &position)) in errors.iter().zip(&run.positions).enumerate() {
                let left = wrapped(error - (ratio - 1.0) * declared * position as f64);
                if !is_off(left, position) {
                    continue;
                }
                let phase = (ratio * declared * position as f64).abs();
                largest = largest.max(left.abs() / phase.max(1.0));
                if first.is_none_or(|(before, _)| index < before) {
                    first = Some((index, left));
                }
            }
        }
    }
    let Some((index, left)) = first else { return Vec::new() };
    let position = |index: usize| run.positions.get(index).map(|&position| position as u32);
    // It begins somewhere behind the last position that was still right.
    let from = index.checked_sub(1).and_then(position).map_or(Some(0), |before| Some(before + 1));
    let at = Place { from, to: position(index).map(|position| position + 1), ..Place::default() };
    let count = run.positions.len() as u32;
    vec![
        reading("precision", Quantity::PhaseError, 0, at.clone(), left, count),
        reading("precision", Quantity::RelativeError, 0, at, largest, count),
    ]
}
