//! The best candidates are timed too: what goes out must not be chosen by its losses alone.

use super::findings;
use crate::checkpoint::Config;
use crate::findings::Recommendation;
use crate::measurement::{Arm, Cell, Outcome, with_latency};
use crate::memo::{Dossier, best};
use crate::provenance::Provenance;
use crate::reports::Run;
use crate::scenario::{ProbeName, Scenario};

/// The timing of the best candidate that was not timed yet; nothing where the scenario's number of them, and the recommended
/// cell, are timed.
///
/// A candidate that turns out to be slow steps back, and the next one takes its place.
pub(super) fn next(scenario: &Scenario, provenance: &Provenance, cells: &[(Cell, Outcome)]) -> Option<Cell> {
    let wanted = count(scenario);
    if wanted == 0 {
        return None;
    }
    let config = Config::parse(provenance.checkpoint_config.as_deref()?).ok()?;
    let shared = with_latency(cells.to_vec());
    let findings = findings(scenario, cells, &shared);
    let run =
        Run { findings: &findings, cells: &shared, trained: scenario.trained, target: scenario.target, provenance };
    let mut candidates = best(&Dossier { scenario, config: &config, run: &run }, wanted);
    // The report weighs measured times only, so that a cell may stand first in it that the memo's arithmetic has refused.
    let advised = findings.recommendation.as_ref().map(Recommendation::label);
    let grid = shared.iter().map(|(cell, _)| cell).filter(|cell| cell.arm == Arm::Grid);
    candidates.extend(grid.filter(|cell| advised == Some(cell.label())).cloned());
    let timings = candidates.iter().map(Cell::latency);
    // The unscaled model is what everything is timed against, and a timing that failed is not tried twice.
    timings
        .into_iter()
        .find(|timing| *timing != Cell::unscaled().latency() && !cells.iter().any(|(cell, _)| cell == timing))
}

/// How many candidates are to be timed.
pub(super) fn count(scenario: &Scenario) -> usize {
    if scenario.probes.contains(&ProbeName::Latency) { scenario.sizes.latency_candidates } else { 0 }
}
