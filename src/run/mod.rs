//! The pipeline, as one page of straight code: scenario, documents, cells, rows, findings, pages.

#[cfg(feature = "libtorch")]
mod card;
mod cells;
mod documents;
mod examination;
pub mod examine;
mod fingerprint;
#[cfg(feature = "libtorch")]
pub mod logprobs;
mod machine;
mod phase;
mod progress;
pub mod score;

use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use anyhow::Context;

use crate::ablation::{self, Evidence};
use crate::baselines::{self, Resume, RunFolder};
use crate::findings::Findings;
use crate::measurement::{Cell, Outcome, with_latency};
use crate::reports::{self, Page, Provenance};
use crate::scenario::{self, Scenario};
use crate::subject::Engine;
use crate::units::Seconds;

#[cfg(feature = "libtorch")]
pub use card::card;
pub use documents::documents;
pub use phase::PhaseArgument;
pub use progress::Progress;
#[cfg(feature = "libtorch")]
pub use progress::training_bar;

/// What the user asked of `gyro diagnose`.
#[derive(Clone, Debug)]
pub struct Request {
    /// The scenario's file.
    pub scenario: PathBuf,
    /// The run's folder; absent: `reports/<scenario name>`.
    pub out: Option<PathBuf>,
    /// The device's name, for provenance.
    pub device: String,
    /// Threads of one tensor operation, for provenance.
    pub threads: usize,
    /// Whether the quick form is wanted.
    pub quick: bool,
    /// What to do with an unfinished run.
    pub resume: Resume,
    /// Whether every cell is measured, also those that can no longer change a cause.
    pub exhaustive: bool,
    /// A baseline to compare with, beside the reference.
    pub baseline: Option<String>,
}

/// A finished run.
#[derive(Debug)]
pub struct Finished {
    /// Where its files are.
    pub folder: PathBuf,
    /// What was found.
    pub findings: Findings,
    /// Every cell with its rows.
    pub cells: Vec<(Cell, Outcome)>,
    /// Where the numbers come from.
    pub provenance: Provenance,
}

impl Finished {
    /// What a page may use of it.
    #[must_use]
    pub fn run(&self) -> reports::Run<'_> {
        reports::Run {
            findings: &self.findings,
            cells: &self.cells,
            trained: self.provenance.trained,
            target: self.provenance.target,
            provenance: &self.provenance,
        }
    }
}

/// Runs a scenario from its file to its pages; cells that are already on disk are not run again.
///
/// `load` makes the engine from the scenario's checkpoints, once the scenario is known to be sound.
///
/// # Errors
/// Whatever keeps the run from ending; every finished cell stays on disk.
pub fn diagnose<E: Engine>(
    request: &Request,
    load: impl FnOnce(&Scenario) -> anyhow::Result<E>,
) -> anyhow::Result<Finished> {
    let clock = Instant::now();
    let started = baselines::rfc3339(SystemTime::now());
    let mut scenario = scenario::load(&request.scenario)?;
    if request.quick {
        scenario = scenario.quick();
    }
    let identity = fingerprint::Identity::of(&scenario, &request.device, request.threads)?;
    let dir = folder_of(&scenario, request.out.as_deref());
    let (mut folder, done) = RunFolder::open(&dir, &identity.fingerprint(), request.resume)?;
    let documents = documents(&scenario)?;
    let engine = load(&scenario)?;
    let progress = Progress::new(&scenario, &done, folder.notes());
    progress.cost(&scenario, request.exhaustive);
    let mut cells =
        cells::measure_all(&scenario, &documents, &engine, &mut folder, done, (request.exhaustive, &progress))?;
    if !scenario.conditions.is_empty() {
        for (cell, outcome) in examination::cells(&scenario, &documents, &engine, &progress)? {
            folder.save_cell(&cell, &outcome)?;
            cells.push((cell, outcome));
        }
    }
    progress.finish();
    let provenance =
        machine::provenance(&scenario, request, &identity, started, Seconds(clock.elapsed().as_secs_f64()));
    let findings = findings(&scenario, &cells, &provenance, request.baseline.as_deref())?;
    let finished = Finished { folder: dir, findings, cells: with_latency(cells.clone()), provenance };
    for page in pages(&finished)? {
        folder.write(&page.path, &page.bytes)?;
    }
    folder.finish(&cells)?;
    Ok(finished)
}

/// A finished run from its files alone.
///
/// # Errors
/// Where a file is missing or damaged.
pub fn load(dir: &Path) -> anyhow::Result<Finished> {
    let read = |name: &str| -> anyhow::Result<String> {
        let path = dir.join(name);
        std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}\n  hint: is this the folder of a finished run?", path.display()))
    };
    let cells = with_latency(baselines::read_run(dir)?);
    let provenance: Provenance = serde_json::from_str(&read("run.json")?).context("run.json is damaged")?;
    let findings: Findings = serde_json::from_str(&read("findings.json")?).context("findings.json is damaged")?;
    Ok(Finished { folder: dir.to_owned(), findings, cells, provenance })
}

/// Rebuilds every page of a run from its files alone.
///
/// # Errors
/// Where a file is missing or damaged, or a page cannot be written.
pub fn report(dir: &Path) -> anyhow::Result<Finished> {
    let finished = load(dir)?;
    for page in pages(&finished)? {
        baselines::write_page(dir, &page.path, &page.bytes)?;
    }
    Ok(finished)
}

/// Where a run's files go: the folder asked for, or `reports/<scenario name>`.
#[must_use]
pub fn folder_of(scenario: &Scenario, out: Option<&Path>) -> PathBuf {
    out.map_or_else(|| Path::new("reports").join(&scenario.name), Path::to_owned)
}

/// What the rows say, against the reference and, where one is named, against a baseline.
fn findings(
    scenario: &Scenario,
    cells: &[(Cell, Outcome)],
    provenance: &Provenance,
    baseline: Option<&str>,
) -> anyhow::Result<Findings> {
    let shared = with_latency(cells.to_vec());
    let mut findings = ablation::diagnose(&Evidence { scenario, cells: &shared });
    for (cell, outcome) in cells {
        if let (crate::measurement::Arm::Latency, Outcome::Failed { reason }) = (cell.arm, outcome) {
            findings.notes.push(format!("{} failed: {reason}", cell.label()));
        }
    }
    if let Some(name) = baseline {
        let against = baselines::show(Path::new("baselines"), &scenario.name, name)?;
        findings.verdicts.extend(compare(scenario, &against, &shared, provenance));
    }
    Ok(findings)
}

/// The verdicts of a run against a baseline.
#[must_use]
pub fn compare(
    scenario: &Scenario,
    baseline: &baselines::Baseline,
    cells: &[(Cell, Outcome)],
    provenance: &Provenance,
) -> Vec<crate::findings::Verdict> {
    let text =
        |run: &serde_json::Value| run.get("text_hash").and_then(|hash| hash.as_str()).unwrap_or_default().to_owned();
    let before_cells = with_latency(baseline.cells.clone());
    let (before, now) = (text(&baseline.run), provenance.text_hash.clone());
    let deployed = scenario.deployed_cell().id();
    baselines::compare(
        &baseline.record.name,
        baselines::Side { cells: &before_cells, deployed: &baseline.record.deployed, text: &before },
        baselines::Side { cells, deployed: &deployed, text: &now },
        scenario.trained,
        &scenario.tolerance,
        crate::stats::paired_difference,
        |change, tolerance| ablation::ruling(&change, tolerance),
    )
}

/// Every page of a run, `run.json` included.
fn pages(finished: &Finished) -> anyhow::Result<Vec<Page>> {
    let mut pages = reports::pages(&finished.run())?;
    let json = serde_json::to_vec_pretty(&finished.provenance).context("cannot write run.json")?;
    pages.push(Page { path: "run.json".into(), bytes: json });
    Ok(pages)
}
