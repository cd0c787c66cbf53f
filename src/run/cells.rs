//! Measuring cells: every finished one is on disk before the next begins; a failing one does not end the run.

use std::collections::HashMap;

use super::Progress;
use crate::ablation::{Evidence, plan};
use crate::baselines::{RunFolder, StoreError};
use crate::measurement::{Arm, Cell, CellId, Measurement, Outcome, Reading};
use crate::probes::{self, Context, Plan, Session, latency};
use crate::scenario::{ProbeName, Scenario};
use crate::subject::{Engine, SubjectError};
use crate::text::Document;

/// The cells of a scenario, the timing last.
pub(super) fn cells_of(scenario: &Scenario) -> Vec<Cell> {
    let mut cells = scenario.cells();
    if scenario.probes.contains(&ProbeName::Latency) {
        cells.push(scenario.deployed_cell().latency());
    }
    cells
}

/// Measures every cell that is not among those done, and returns all of them in the scenario's order.
pub(super) fn measure_all(
    scenario: &Scenario,
    documents: &[Document],
    engine: &dyn Engine,
    folder: &mut RunFolder,
    done: Vec<(CellId, Outcome)>,
    (exhaustive, progress): (bool, &Progress),
) -> Result<Vec<(Cell, Outcome)>, StoreError> {
    let mut done: HashMap<CellId, Outcome> = done.into_iter().collect();
    let mut cells: Vec<(Cell, Outcome)> = Vec::new();
    let wanted = cells_of(scenario);
    loop {
        let next = if exhaustive {
            wanted.get(cells.len())
        } else {
            plan::next(&Evidence { scenario, cells: &cells }, &wanted)
        };
        let Some(cell) = next.cloned() else { break };
        let outcome = if let Some(outcome) = done.remove(&cell.id()) {
            progress.skip(&cell);
            outcome
        } else {
            progress.begin(&cell);
            let outcome = measure(scenario, documents, engine, &cell, progress);
            folder.save_cell(&cell, &outcome)?;
            progress.end(&cell, &outcome);
            outcome
        };
        cells.push((cell, outcome));
    }
    // Whatever the order of measuring, the report has the scenario's.
    cells.sort_by_key(|(cell, _)| wanted.iter().position(|other| other == cell));
    Ok(cells)
}

fn measure(
    scenario: &Scenario,
    documents: &[Document],
    engine: &dyn Engine,
    cell: &Cell,
    progress: &Progress,
) -> Outcome {
    let readings = match cell.arm {
        Arm::Latency => time(scenario, documents, engine, progress),
        Arm::Grid | Arm::Truncated => read(scenario, documents, engine, cell, progress),
        Arm::Parity | Arm::Hypothesis => Err(SubjectError::Engine(format!(
            "{} is part of an examination, which measures all of its cells together",
            cell.label()
        ))),
    };
    let id = cell.id();
    match readings {
        Ok(readings) => {
            Outcome::Measured(readings.into_iter().map(|reading| Measurement { cell: id.clone(), reading }).collect())
        }
        Err(error) => Outcome::Failed { reason: error.to_string() },
    }
}

/// Reads every document under one cell.
fn read(
    scenario: &Scenario,
    documents: &[Document],
    engine: &dyn Engine,
    cell: &Cell,
    progress: &Progress,
) -> Result<Vec<Reading>, SubjectError> {
    let plan = Plan {
        probes: scenario.probes.clone(),
        sizes: scenario.sizes.clone(),
        trained: scenario.trained,
        context: if cell.arm == Arm::Truncated { Context::Truncated } else { Context::Whole },
    };
    let mut subject = engine.subject(cell)?;
    let mut readings = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        let mut session = Session::new(subject.as_mut(), document, index as u32, &plan);
        readings.extend(probes::read(&mut session)?);
        progress.document();
    }
    Ok(readings)
}

/// Times the deployed cell against the unscaled model.
fn time(
    scenario: &Scenario,
    documents: &[Document],
    engine: &dyn Engine,
    progress: &Progress,
) -> Result<Vec<Reading>, SubjectError> {
    let (deployed, reference) = (scenario.deployed_cell(), Cell::unscaled());
    let mut deployed = engine.subject(&deployed)?;
    let mut reference = engine.subject(&reference)?;
    let tokens = documents.first().map(|document| document.tokens.as_slice()).unwrap_or_default();
    latency::measure(deployed.as_mut(), reference.as_mut(), tokens, &scenario.sizes, || progress.document())
}
