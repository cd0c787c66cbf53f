//! The pipeline, as one page of straight code: scenario, documents, cells, rows, findings, pages.

mod audit;
#[cfg(feature = "libtorch")]
mod card;
mod cells;
mod documents;
mod examination;
pub mod examine;
mod finalists;
mod fingerprint;
mod gate;
mod identify;
#[cfg(feature = "libtorch")]
pub mod logprobs;
mod machine;
mod nightly;
mod observed;
mod partial;
mod progress;
mod remaining;
mod repeats;
pub mod score;

use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use anyhow::Context;

use crate::ablation::{self, Evidence};
use crate::baselines::{self, Gate, Resume, RunFolder};
use crate::checkpoint::Config;
use crate::findings::{Findings, Question};
use crate::measurement::{Cell, CellId, Outcome, with_latency};
use crate::memo::{self, Dossier, Memo};
use crate::probes::latency::Order;
use crate::provenance::Provenance;
use crate::reports::{self, Comparison, Page};
use crate::scenario::{self, Scenario};
use crate::subject::Engine;
use crate::units::Seconds;

#[cfg(feature = "libtorch")]
pub use card::card;
pub use documents::documents;
pub use gate::{Against, gate, side_of};
pub use identify::{Inquiry, identify};
pub use nightly::{NightRequest, nightly, scenarios_in, summary};
pub use observed::{Found, identified};
pub use progress::Progress;
#[cfg(feature = "libtorch")]
pub use progress::training_bar;
pub use repeats::repeats;

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
    /// The label of the one cell to measure beside the deployed one and the references; absent: the whole grid.
    pub only: Option<String>,
    /// What to do with an unfinished run.
    pub resume: Resume,
    /// Whether every cell is measured, also those that can no longer change a cause.
    pub exhaustive: bool,
    /// A baseline to compare with, beside the reference.
    pub baseline: Option<Against>,
    /// Measure the deployed cell and its references alone, for these questions; absent: everything.
    pub questions: Option<Vec<Question>>,
    /// What the engine was found to run, where the scenario has its outputs.
    pub found: Option<Found>,
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
    /// The name of its pages without their ending: `report`, or `partial` while it is going on.
    pub page: &'static str,
    /// The comparison with a baseline, where there was one.
    pub gate: Option<Gate>,
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

    /// The cell that was deployed: what was meant, or what the engine was found to run.
    ///
    /// # Errors
    /// Where no cell of the run has the label that the findings give.
    pub fn deployed(&self) -> anyhow::Result<CellId> {
        let label = &self.findings.deployed;
        let cell = self.cells.iter().map(|(cell, _)| cell).find(|cell| cell.label() == *label);
        let absent = || {
            let folder = self.folder.display();
            format!("the run in {folder} has no cell of its deployed `{label}`\n  hint: run `gyro diagnose` again")
        };
        Ok(cell.with_context(absent)?.id())
    }

    /// The process's exit code: what the findings say, and where they are content what the comparison with a baseline says.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.findings.exit_code() {
            0 => self.gate.as_ref().map_or(0, Gate::exit_code),
            code => code,
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
    let meant = scenario_of(request)?;
    let audit = audit::of(&meant)?;
    let scenario = request.found.as_ref().map_or_else(|| meant.clone(), |found| found.applied(meant.clone()));
    let baseline = request.baseline.as_ref().map(|against| against.load(&scenario)).transpose()?.flatten();
    let identity = fingerprint::Identity::of(&scenario, &request.device, request.threads)?;
    let dir = folder_of(&scenario, request.out.as_deref());
    let (mut folder, done) = RunFolder::open(&dir, &identity.fingerprint(), request.resume)?;
    let begun = machine::provenance(&scenario, request, &identity, started.clone(), Seconds(0.0));
    folder.describe(&serde_json::to_vec_pretty(&begun).context("cannot write run.json")?)?;
    let documents = documents(&scenario)?;
    let engine = load(&scenario)?;
    let progress = Progress::new(&scenario, &done, folder.notes());
    progress.cost(&scenario, request.exhaustive);
    let bench = cells::Bench {
        scenario: &scenario,
        documents: &documents,
        engine: &engine,
        order: Order::Forward,
        exhaustive: request.exhaustive,
        progress: &progress,
    };
    let mut done = done.into_iter().collect();
    let mut cells = cells::measure_all(&bench, &mut folder, &mut done)?;
    while let Some(timing) = finalists::next(&scenario, &begun, &cells) {
        let outcome = cells::measure_one(&bench, &mut folder, &mut done, &timing)?;
        cells.push((timing, outcome));
    }
    // A gate compares a deployment with what it was; what an engine does wrong is asked by a whole diagnosis alone.
    if !scenario.conditions.is_empty() && request.questions.is_none() {
        for (cell, outcome) in examination::cells(&scenario, &documents, &engine, &progress)? {
            folder.save_cell(&cell, &outcome)?;
            cells.push((cell, outcome));
        }
    }
    progress.finish();
    let provenance =
        machine::provenance(&scenario, request, &identity, started, Seconds(clock.elapsed().as_secs_f64()));
    let shared = with_latency(cells.clone());
    let mut findings = Findings { audit, ..findings(&scenario, &cells, &shared) };
    if let Some(found) = &request.found {
        found.tell(&mut findings, &meant, &cells);
    }
    let gate =
        baseline.map(|baseline| gate::judge(&bench, &dir, &baseline, (&shared, &provenance), request)).transpose()?;
    findings.verdicts.extend(gate.iter().flat_map(Gate::verdicts));
    findings.notes.extend(gate.iter().flat_map(Gate::notes));
    let finished = Finished { folder: dir, findings, cells: shared, provenance, page: "report", gate };
    for page in pages(&finished)? {
        folder.write(&page.path, &page.bytes)?;
    }
    folder.finish(&cells)?;
    Ok(finished)
}

/// The scenario of a request, in the form that was asked for.
fn scenario_of(request: &Request) -> anyhow::Result<Scenario> {
    let mut scenario = scenario::load(&request.scenario)?;
    if request.quick {
        scenario = scenario.quick();
    }
    if let Some(label) = &request.only {
        scenario = scenario.only(label)?;
    }
    if let Some(questions) = &request.questions {
        scenario = scenario.narrowed(questions);
    }
    Ok(scenario)
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
    let gate = if dir.join("gate.json").exists() {
        Some(serde_json::from_str(&read("gate.json")?).context("gate.json is damaged")?)
    } else {
        None
    };
    Ok(Finished { folder: dir.to_owned(), findings, cells, provenance, page: "report", gate })
}

/// Diagnoses a run's rows again and rebuilds its pages; of one that is still going on, `partial.html` and `partial.md`.
///
/// A folder may hold a finished run and a later one in progress: then both are made, and the finished one is returned.
///
/// # Errors
/// Where a file is missing or damaged, or a page cannot be written.
pub fn report(dir: &Path) -> anyhow::Result<Finished> {
    if let Some(partial) = partial::partial(dir)? {
        for page in partial::pages(&partial)? {
            baselines::write_page(dir, &page.path, &page.bytes)?;
        }
        if !dir.join("findings.json").exists() {
            return Ok(partial);
        }
    }
    let mut finished = load(dir)?;
    if let Some(findings) = diagnosed_again(&finished)? {
        finished.findings = findings;
    }
    for page in pages(&finished)? {
        baselines::write_page(dir, &page.path, &page.bytes)?;
    }
    Ok(finished)
}

/// What a run's rows say today.
///
/// Nothing where more than its rows stands behind its findings (a second measurement against a baseline, an identification),
/// or where the scenario's files are out of reach: what was found then stays.
fn diagnosed_again(finished: &Finished) -> anyhow::Result<Option<Findings>> {
    let scenario = partial::scenario(&finished.provenance);
    let Some(scenario) = scenario.ok().filter(|scenario| finished.gate.is_none() && scenario.observed.is_none()) else {
        return Ok(None);
    };
    let cells = baselines::read_run(&finished.folder)?;
    let shared = with_latency(cells.clone());
    let audit = finished.findings.audit.clone();
    Ok(Some(Findings { audit, ..findings(&scenario, &cells, &shared) }))
}

/// Writes the decision memo of a run beside its report, from its files and its checkpoint's configuration.
///
/// # Errors
/// Where a file is missing or damaged, the scenario's files have moved, or nothing can be recommended.
pub fn memo(dir: &Path) -> anyhow::Result<(Finished, Memo)> {
    let mut finished = load(dir)?;
    let scenario = partial::scenario(&finished.provenance)?;
    let provenance = &mut finished.provenance;
    if provenance.checkpoint_config.is_none() {
        let config = scenario.checkpoint.join("config.json");
        let text = std::fs::read_to_string(&config).with_context(|| format!("cannot read {}", config.display()))?;
        provenance.checkpoint_config = Some(text);
    }
    let config = Config::parse(provenance.checkpoint_config.as_deref().unwrap_or_default())?;
    let run = finished.run();
    let memo = memo::memo(&Dossier { scenario: &scenario, config: &config, run: &run })?;
    for page in memo::pages(&memo, &run)? {
        baselines::write_page(dir, &page.path, &page.bytes)?;
    }
    Ok((finished, memo))
}

/// Compares two finished runs, and writes the page beside the second one's report.
///
/// # Errors
/// Where a file of either is missing or damaged, or the page cannot be written.
pub fn compare_runs(before: &Path, after: &Path) -> anyhow::Result<Comparison> {
    let (old, new) = (load(before)?, load(after)?);
    let [old_name, new_name] = [before, after].map(|dir| dir.display().to_string());
    let comparison = reports::compare((&old_name, &old.run()), (&new_name, &new.run()));
    let document = comparison.document();
    let pages =
        [("comparison.html", reports::html::page(&document)), ("comparison.md", reports::markdown::page(&document))];
    for (path, text) in pages {
        baselines::write_page(after, Path::new(path), text.as_bytes())?;
    }
    Ok(comparison)
}

/// Where a run's files go: the folder asked for, or `reports/<scenario name>`; a run of one cell gets a folder of its own.
#[must_use]
pub fn folder_of(scenario: &Scenario, out: Option<&Path>) -> PathBuf {
    let name = match &scenario.only {
        None => scenario.name.clone(),
        Some(label) => {
            let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
            format!("{}.{}", scenario.name, label.chars().map(plain).collect::<String>())
        }
    };
    out.map_or_else(|| Path::new("reports").join(name), Path::to_owned)
}

/// What the rows say, against the reference; `shared` are the cells with the timing shared out.
fn findings(scenario: &Scenario, cells: &[(Cell, Outcome)], shared: &[(Cell, Outcome)]) -> Findings {
    let mut findings = ablation::diagnose(&Evidence { scenario, cells: shared });
    for (cell, outcome) in cells {
        if let (crate::measurement::Arm::Latency, Outcome::Failed { reason }) = (cell.arm, outcome) {
            findings.notes.push(format!("{} failed: {reason}", cell.label()));
        }
    }
    findings
}

/// Every page of a run, `run.json` included.
fn pages(finished: &Finished) -> anyhow::Result<Vec<Page>> {
    let mut pages = reports::pages(&finished.run())?;
    let json = serde_json::to_vec_pretty(&finished.provenance).context("cannot write run.json")?;
    pages.push(Page { path: "run.json".into(), bytes: json });
    match &finished.gate {
        Some(gate) => {
            let json = serde_json::to_vec_pretty(gate).context("cannot write gate.json")?;
            pages.push(Page { path: "gate.json".into(), bytes: json });
        }
        // One that lies there is of an earlier run.
        None => drop(std::fs::remove_file(finished.folder.join("gate.json"))),
    }
    Ok(pages)
}
