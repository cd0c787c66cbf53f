//! Measuring cells: every finished one is on disk before the next begins; a failing one does not end the run.

use std::collections::HashMap;

use super::Progress;
use crate::ablation::{Evidence, plan};
use crate::baselines::{RunFolder, StoreError};
use crate::measurement::{Arm, Cell, CellId, Measurement, Outcome, Reading};
use crate::probes::latency::{self, Order};
use crate::probes::{self, Context, Plan, Session};
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

/// What cells are measured with.
pub(super) struct Bench<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) documents: &'a [Document],
    pub(super) engine: &'a dyn Engine,
    /// In which order cells and arms come.
    pub(super) order: Order,
    /// Whether every cell is measured, also those that can no longer change a cause.
    pub(super) exhaustive: bool,
    pub(super) progress: &'a Progress,
}

/// What an earlier run has left on disk.
pub(super) type Done = HashMap<CellId, Outcome>;

/// Measures every cell that is not among those done, and returns all of them in the scenario's order.
pub(super) fn measure_all(
    bench: &Bench<'_>,
    folder: &mut RunFolder,
    done: &mut Done,
) -> Result<Vec<(Cell, Outcome)>, StoreError> {
    let mut wanted = cells_of(bench.scenario);
    if bench.order == Order::Reversed {
        wanted.reverse();
    }
    let mut cells: Vec<(Cell, Outcome)> = Vec::new();
    loop {
        let next = if bench.exhaustive {
            wanted.get(cells.len())
        } else {
            plan::next(&Evidence { scenario: bench.scenario, cells: &cells }, &wanted)
        };
        let Some(cell) = next.cloned() else { break };
        let outcome = measure_one(bench, folder, done, &cell)?;
        cells.push((cell, outcome));
    }
    // Whatever the order of measuring, the report has the scenario's.
    let order = cells_of(bench.scenario);
    cells.sort_by_key(|(cell, _)| order.iter().position(|other| other == cell));
    Ok(cells)
}

/// Measures a cell, unless it is among those done; its rows are on disk when this returns.
pub(super) fn measure_one(
    bench: &Bench<'_>,
    folder: &mut RunFolder,
    done: &mut Done,
    cell: &Cell,
) -> Result<Outcome, StoreError> {
    if let Some(outcome) = done.remove(&cell.id()) {
        bench.progress.skip(cell);
        return Ok(outcome);
    }
    bench.progress.begin(cell);
    let outcome = measure(bench, cell);
    folder.save_cell(cell, &outcome)?;
    bench.progress.end(cell, &outcome);
    Ok(outcome)
}

fn measure(bench: &Bench<'_>, cell: &Cell) -> Outcome {
    let readings = match cell.arm {
        Arm::Latency => time(bench, cell),
        Arm::Grid | Arm::Truncated => read(bench, cell),
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
fn read(bench: &Bench<'_>, cell: &Cell) -> Result<Vec<Reading>, SubjectError> {
    let scenario = bench.scenario;
    let plan = Plan {
        probes: scenario.probes.clone(),
        sizes: scenario.sizes.clone(),
        trained: scenario.trained,
        context: if cell.arm == Arm::Truncated { Context::Truncated } else { Context::Whole },
    };
    let mut subject = bench.engine.subject(cell)?;
    let mut readings = Vec::new();
    for (index, document) in bench.documents.iter().enumerate() {
        let mut session = Session::new(subject.as_mut(), document, index as u32, &plan);
        readings.extend(probes::read(&mut session)?);
        bench.progress.document();
    }
    Ok(readings)
}

/// Times the cell of a timing against the unscaled model.
fn time(bench: &Bench<'_>, cell: &Cell) -> Result<Vec<Reading>, SubjectError> {
    let timed = Cell { arm: Arm::Grid, ..cell.clone() };
    let mut deployed = bench.engine.subject(&timed)?;
    let mut reference = bench.engine.subject(&Cell::unscaled())?;
    let stopwatch = bench.engine.stopwatch();
    let mut bare = stopwatch.map(crate::subject::Stopwatch::without_positions).transpose()?;
    let mut arms = latency::Arms {
        deployed: deployed.as_mut(),
        reference: reference.as_mut(),
        without_positions: bare.as_deref_mut().map(|bare| bare as &mut dyn crate::subject::Subject),
        stopwatch,
    };
    let tokens = bench.documents.first().map(|document| document.tokens.as_slice()).unwrap_or_default();
    latency::measure(&mut arms, tokens, &bench.scenario.sizes, bench.order, || bench.progress.document())
}
