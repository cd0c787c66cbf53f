//! The examination of a scenario's deployment as cells of the run: the battery, and the hypotheses that are worth keeping.

use super::Progress;
use super::examine::{Deployment, Opaque, Timing, Workshop};
use crate::ablation::condition::{Replayed, Trial, catalogue, signature};
use crate::checkpoint::Config;
use crate::faults::Setting;
use crate::measurement::{Cell, Measurement, Outcome, Quantity, Reading};
use crate::scenario::{ProbeName, Scenario};
use crate::subject::Engine;
use crate::text::Document;

/// Texts of an examination; intervals of onsets need two.
const TEXTS: usize = 2;

/// Hypotheses that are kept beside those that agree throughout: the closest ones.
const KEPT: usize = 8;

/// Examines the deployment; the reasoning sees an engine that answers, and never the scenario's list of its faults.
///
/// # Errors
/// Where the checkpoint's configuration cannot be read.
pub(super) fn cells(
    scenario: &Scenario,
    documents: &[Document],
    engine: &dyn Engine,
    progress: &Progress,
) -> anyhow::Result<Vec<(Cell, Outcome)>> {
    let deployed = scenario.deployed_cell();
    let declared = deployed.healthy();
    let setting = Setting {
        method: declared.method.clone(),
        factor: declared.factor,
        heads: Config::read(scenario.weights_of(&declared.method))?.heads,
        window: None,
    };
    let texts = documents.iter().take(TEXTS).map(|document| document.tokens.clone()).collect();
    let timing = scenario.probes.contains(&ProbeName::Latency).then(|| Timing::usual(scenario.trained));
    let workshop = Workshop::new(engine, texts, (scenario.trained, scenario.target), timing);
    let opaque = Opaque { replay: engine, faults: scenario.conditions.clone() };
    let parity = deployed.parity();
    progress.begin(&parity);
    let deployment = Deployment { engine: &opaque, declared: &declared, setting: &setting };
    let found = match workshop.examine(&deployment, &catalogue()) {
        Ok(found) => found,
        Err(error) => {
            let failed = Outcome::Failed { reason: error.to_string() };
            progress.end(&parity, &failed);
            return Ok(vec![(parity, failed)]);
        }
    };
    let outcome = rows(&parity, found.readings.clone());
    progress.end(&parity, &outcome);
    let mut cells = vec![(parity, outcome)];
    for replayed in kept(&found.readings, found.replayed) {
        let faults = replayed.candidates.into_iter().map(|candidate| candidate.fault).collect();
        let cell = declared.hypothesis(faults);
        let outcome = rows(&cell, replayed.readings);
        cells.push((cell, outcome));
    }
    Ok(cells)
}

fn rows(cell: &Cell, readings: Vec<Reading>) -> Outcome {
    let id = cell.id();
    Outcome::Measured(readings.into_iter().map(|reading| Measurement { cell: id.clone(), reading }).collect())
}

/// The hypotheses that agree, the closest of the others, and everything that was timed.
fn kept(battery: &[Reading], replayed: Vec<Replayed>) -> Vec<Replayed> {
    let signature = signature(battery);
    let trial = |one: &Replayed| Trial::of(one.candidates.clone(), &one.readings, &signature);
    let (timed, mut answered): (Vec<Replayed>, Vec<Replayed>) =
        replayed.into_iter().partition(|one| one.readings.iter().any(|row| row.quantity == Quantity::Decode));
    // A stable sort keeps the order of the search among equals.
    answered.sort_by(|a, b| {
        let (a, b) = (trial(a), trial(b));
        b.exact.cmp(&a.exact).then(b.explained(&signature).total_cmp(&a.explained(&signature)))
    });
    answered.truncate(KEPT);
    answered.extend(timed);
    answered.retain(|one| !one.readings.is_empty());
    answered
}
