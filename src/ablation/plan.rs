//! Which cell to measure next: the one that can still change what is blamed.

use crate::findings::{Axis, Ruling};
use crate::measurement::{Arm, Cell};

use super::{Evidence, diagnose, implementation};
use crate::scenario::Scenario;

/// How many cells of a list are measured in any case; the others only where they are needed.
#[must_use]
pub fn certain(scenario: &Scenario, wanted: &[Cell]) -> usize {
    if in_play(scenario) { wanted.iter().filter(|cell| is_certain(scenario, cell)).count() } else { wanted.len() }
}

/// Whether conditions are in play, so that the grid may turn out not to be needed.
fn in_play(scenario: &Scenario) -> bool {
    !scenario.conditions.is_empty()
}

/// References, the deployment, its timing, and the deployment with conditions reverted: every part of the damage is measured
/// against them.
fn is_certain(scenario: &Scenario, cell: &Cell) -> bool {
    let deployed = scenario.deployed_cell();
    cell.arm != Arm::Grid || *cell == Cell::unscaled() || *cell == deployed || cell.healthy() == deployed.healthy()
}

/// The next cell of the list to measure; nothing where no other one can change the causes.
///
/// Where no condition is in play, that is every one in turn. Else the references come first, then the deployment and its healthy
/// replay. Only if the healthy replay is worse than the reference too, method or factor have a part in the damage, and the grid
/// is measured until that part has a name: single switches first, then cells that switch both.
#[must_use]
pub fn next<'a>(evidence: &Evidence, wanted: &'a [Cell]) -> Option<&'a Cell> {
    let scenario = evidence.scenario;
    let left: Vec<&Cell> = wanted.iter().filter(|cell| evidence.outcome(cell).is_none()).collect();
    let first = left.first().copied();
    if !in_play(scenario) {
        return first;
    }
    if let Some(certain) = left.iter().copied().find(|cell| is_certain(scenario, cell)) {
        return Some(certain);
    }
    let open = is_open(evidence);
    let deployed = scenario.deployed_cell();
    let switches = |cell: &Cell| u8::from(cell.method != deployed.method) + u8::from(cell.factor != deployed.factor);
    left.into_iter().filter(|_| open).min_by_key(|cell| (cell.faults.len(), switches(cell)))
}

/// Whether the healthy replay of the deployment is worse than the reference on some question, and no axis is named for it yet.
fn is_open(evidence: &Evidence) -> bool {
    let scenario = Scenario { conditions: Vec::new(), ..evidence.scenario.clone() };
    let cells = implementation::healthy(evidence.cells);
    let findings = diagnose(&Evidence { scenario: &scenario, cells: &cells });
    findings.verdicts.iter().any(|verdict| {
        let first = findings.causes.iter().find(|cause| cause.question == verdict.question);
        verdict.ruling == Ruling::Worse
            && verdict.question != crate::findings::Question::Latency
            && first.is_none_or(|cause| cause.axis == Axis::Undecided)
    })
}
