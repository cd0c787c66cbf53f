//! A run against its baseline: compared, and where something looks worse, measured again before it is flagged.

use std::path::{Path, PathBuf};

use super::cells::{Bench, measure_all};
use super::observed::UNIDENTIFIED;
use super::{Finished, Found, Progress, Request, fingerprint};
use crate::baselines::{self, Baseline, CellChanges, GATE, Gate, Resume, RunFolder, Side, StoreError};
use crate::findings::Question;
use crate::measurement::{Cell, CellId, Outcome, with_latency};
use crate::probes::latency::Order;
use crate::provenance::Provenance;
use crate::scenario::Scenario;

/// The baseline to compare with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Against {
    /// The folder of all baselines.
    pub root: PathBuf,
    /// Its name.
    pub name: String,
    /// Whether a run without it is an error; else there is just no comparison.
    pub required: bool,
}

impl Against {
    /// The baseline of a scenario, before hours are spent on what it would be compared with.
    pub(super) fn load(&self, scenario: &Scenario) -> Result<Option<Baseline>, StoreError> {
        match baselines::show(&self.root, &scenario.name, &self.name) {
            Err(StoreError::NoBaseline { .. }) if !self.required => Ok(None),
            found => found.map(Some),
        }
    }
}

/// One side of a comparison, from a run's cells with the timing shared out and from where its numbers come.
#[must_use]
pub fn side_of<'a>(
    cells: &'a [(Cell, Outcome)],
    deployed: &'a CellId,
    provenance: &'a Provenance,
    machine: &'a str,
) -> Side<'a> {
    Side { cells, deployed, text: &provenance.text_hash, machine }
}

/// The comparison of a run's cells, one of them deployed, with a baseline; `only` leaves out all other questions, and the
/// cells of the grid. What is asked for alone must be decided.
///
/// # Errors
/// [`StoreError::Damaged`] where the baseline's provenance cannot be read.
pub fn gate(
    scenario: &Scenario,
    baseline: &Baseline,
    (cells, deployed): (&[(Cell, Outcome)], &CellId),
    provenance: &Provenance,
    only: Option<&[Question]>,
) -> Result<Gate, StoreError> {
    let (before, old) = (with_latency(baseline.cells.clone()), baseline.provenance()?);
    let (then, now) = (old.machine_words(), provenance.machine_words());
    let mut tests = baselines::compare(
        &baseline.record.name,
        side_of(&before, &baseline.record.deployed, &old, &then),
        side_of(cells, deployed, provenance, &now),
        scenario.trained,
        &scenario.tolerance,
    );
    if let Some(questions) = only {
        tests.retain(|test| questions.contains(&test.verdict.question));
    }
    let mut changes = if only.is_some() { CellChanges::default() } else { baselines::cell_changes(&before, cells) };
    if scenario.only.is_some() {
        // A run of one cell leaves the others out because it was asked to.
        changes.missing.clear();
    }
    Ok(Gate {
        schema: GATE,
        scenario: scenario.name.clone(),
        baseline: baseline.record.name.clone(),
        saved: baseline.record.saved.clone(),
        tests,
        cells: changes,
        differences: provenance.differences(&old),
        decide: only.map_or_else(|| scenario.decide.clone(), <[Question]>::to_vec),
    })
}

impl Finished {
    /// The comparison of a finished run with a baseline, from files alone: nothing is measured again.
    ///
    /// # Errors
    /// Where the run has no deployed cell, or the baseline's provenance cannot be read.
    pub fn compared(&self, scenario: &Scenario, baseline: &Baseline) -> anyhow::Result<Gate> {
        // Not the scenario's: an engine that was observed may run something else than what was meant.
        let deployed = self.deployed()?;
        let mut gate = gate(scenario, baseline, (&self.cells, &deployed), &self.provenance, None)?;
        if let Some(why) = self.findings.notes.iter().find(|note| note.starts_with(UNIDENTIFIED)) {
            gate.leave_incomparable(why);
        }
        Ok(gate)
    }
}

/// As [`gate`]; what looks worse is measured again, in reversed order, into `again/` below the run's folder. An engine of
/// which nobody knows what it runs is compared in nothing.
pub(super) fn judge(
    bench: &Bench<'_>,
    dir: &Path,
    baseline: &Baseline,
    (first, provenance): (&[(Cell, Outcome)], &Provenance),
    request: &Request,
) -> anyhow::Result<Gate> {
    let scenario = bench.scenario;
    let deployed = scenario.deployed_cell().id();
    let mut gate = gate(scenario, baseline, (first, &deployed), provenance, request.questions.as_deref())?;
    if let Some(why) = request.found.as_ref().and_then(Found::unidentified) {
        gate.leave_incomparable(&why);
    }
    let suspects = gate.suspects();
    if suspects.is_empty() {
        return Ok(gate);
    }
    let words: Vec<&str> = suspects.iter().map(|question| question.words()).collect();
    eprintln!("worse than baseline `{}` in {}: measured again", gate.baseline, words.join(", "));
    let narrowed = scenario.clone().narrowed(&suspects);
    let identity = fingerprint::Identity::of(&narrowed, &provenance.device, provenance.threads)?;
    let (mut folder, done) = RunFolder::open(&dir.join("again"), &identity.fingerprint(), Resume::Automatic)?;
    let progress = Progress::new(&narrowed, &done, folder.notes());
    let again = Bench { scenario: &narrowed, order: Order::Reversed, progress: &progress, ..*bench };
    let cells = measure_all(&again, &mut folder, &mut done.into_iter().collect())?;
    progress.finish();
    folder.finish(&cells)?;
    let cells = with_latency(cells);
    let second = self::gate(&narrowed, baseline, (&cells, &deployed), provenance, Some(&suspects))?;
    let machine = provenance.machine_words();
    let side = |cells| side_of(cells, &deployed, provenance, &machine);
    gate.confirm(&second.tests, |question| {
        baselines::null_control(side(first), side(&cells), scenario.trained, &scenario.tolerance, question)
    });
    Ok(gate)
}
