//! The nightly run: every scenario in full, each against its baseline, a history, and one summary.
//!
//! `out/night.json` says which night is in progress, `out/<night>/<scenario>/` holds its runs, `out/history/` every night's
//! numbers. A killed night goes on: runs resume by themselves, finished ones are not run again, a history holds each once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::gate::{Against, side_of};
use super::{Finished, Found, Request, diagnose, fingerprint, load as load_run};
use crate::baselines::{self, Entry, Lock, Resume, is_finished, write_page};
use crate::reports::nightly::{Night, NightRun, Outcome};
use crate::scenario::Scenario;
use crate::subject::Engine;

/// What the user asked of `gyro nightly`.
#[derive(Clone, Debug)]
pub struct NightRequest {
    /// The scenarios' files.
    pub scenarios: Vec<PathBuf>,
    /// Where nights, history and summary go.
    pub out: PathBuf,
    /// The device's name, for provenance.
    pub device: String,
    /// Threads of one tensor operation, for provenance.
    pub threads: usize,
    /// Whether the quick form is wanted.
    pub quick: bool,
    /// The baselines; a scenario without one cannot be judged, and is run all the same.
    pub baseline: Against,
}

/// `night.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    format: u64,
    /// When it began, as a folder's name: `20260301T090500Z`.
    night: String,
    /// When it began: RFC 3339.
    started: String,
    quick: bool,
    device: String,
    threads: usize,
    scenarios: Vec<PathBuf>,
    /// The hash of the program; another one goes on with nothing that this one found.
    #[serde(default)]
    program: String,
    /// The baselines' name.
    #[serde(default)]
    baseline: String,
    /// The folder of the baselines.
    #[serde(default)]
    baselines: PathBuf,
    finished: bool,
}

/// The version of `night.json`.
const FORMAT: u64 = 1;
const STATE: &str = "night.json";
/// What is said of a scenario that a night in progress, or one that was killed, has not come to.
const UNFINISHED: &str =
    "the night is still going on, or was cut off; `gyro nightly` with the same options goes on with it";
/// Why a scenario came to no report, in its run's folder.
const ERROR: &str = "error.txt";

/// Runs every scenario that this night has not finished, and writes the summary; the night's exit code comes with it.
/// `identify` says what the engine of a scenario runs where its outputs are at hand.
///
/// # Errors
/// [`baselines::StoreError::Locked`] where another night is in progress in `out`; two scenarios of one name; whatever keeps
/// files from being written. A scenario that fails is part of the summary.
pub fn nightly<E: Engine>(
    request: &NightRequest,
    load: impl Fn(&Scenario) -> anyhow::Result<E>,
    identify: impl Fn(&Path) -> anyhow::Result<Option<Found>>,
) -> anyhow::Result<Night> {
    refuse_namesakes(&request.scenarios)?;
    std::fs::create_dir_all(&request.out).with_context(|| format!("cannot make {}", request.out.display()))?;
    let _lock = Lock::take(&request.out.join(".lock"), &request.out)?;
    let mut state = begin(request)?;
    for path in &state.scenarios {
        let name = name_of(path);
        let dir = request.out.join(&state.night).join(&name);
        eprintln!("{name}:");
        let ran = identify(path).and_then(|found| one(request, path, &dir, found, &load));
        match ran.and_then(|finished| entries(&state, &name, &finished)) {
            Ok(entries) => {
                let _ = std::fs::remove_file(dir.join(ERROR));
                let line = line_of(&state, &name);
                baselines::append(&request.out.join("history"), &state.night, &line, &entries)?;
            }
            Err(error) => {
                eprintln!("error: {error:#}");
                write_page(&dir, Path::new(ERROR), format!("{error:#}\n").as_bytes())?;
            }
        }
    }
    let night = summary(&request.out)?;
    state.finished = true;
    write_state(&request.out, &state)?;
    Ok(night)
}

/// Writes the summary of the last night in `out` again, from files alone.
///
/// # Errors
/// Where there is no night, a file is damaged, or a page cannot be written.
pub fn summary(out: &Path) -> anyhow::Result<Night> {
    let state = read_state(out)?.with_context(|| format!("no night in {}\nhint: run `gyro nightly`", out.display()))?;
    let mut runs = Vec::new();
    for path in &state.scenarios {
        let name = name_of(path);
        let folder = format!("{}/{name}", state.night);
        let dir = out.join(&folder);
        let outcome = match std::fs::read_to_string(dir.join(ERROR)) {
            Ok(error) => Outcome::Failed(error.trim().to_owned()),
            Err(_) if !dir.join("findings.json").exists() => Outcome::Failed(UNFINISHED.to_owned()),
            Err(_) => match load_run(&dir) {
                Ok(Finished { findings, provenance, gate, .. }) => Outcome::Ended {
                    findings: Box::new(findings),
                    provenance: Box::new(provenance),
                    gate: gate.map(Box::new),
                },
                Err(error) => Outcome::Failed(format!("{error:#}")),
            },
        };
        runs.push(NightRun { scenario: name, folder, outcome });
    }
    let history = baselines::history(&out.join("history"))?;
    let night = Night { started: state.started, runs, history };
    for page in crate::reports::nightly::pages(&night)? {
        write_page(out, &page.path, &page.bytes)?;
    }
    Ok(night)
}

/// One scenario of the night: its finished run from disk, or run now.
fn one<E: Engine>(
    request: &NightRequest,
    path: &Path,
    dir: &Path,
    found: Option<Found>,
    load: impl Fn(&Scenario) -> anyhow::Result<E>,
) -> anyhow::Result<Finished> {
    let asked = Request {
        scenario: path.to_owned(),
        out: Some(dir.to_owned()),
        device: request.device.clone(),
        threads: request.threads,
        quick: request.quick,
        resume: Resume::Automatic,
        baseline: Some(request.baseline.clone()),
        only: None,
        exhaustive: false,
        questions: None,
        found,
    };
    let scenario = super::scenario_of(&asked)?;
    let identity = fingerprint::Identity::of(&scenario, &request.device, request.threads)?;
    if is_finished(dir, &identity.fingerprint()) {
        eprintln!("on disk already");
        return load_run(dir);
    }
    diagnose(&asked, load)
}

/// The unfinished night of the same kind, or a new one.
fn begin(request: &NightRequest) -> anyhow::Result<State> {
    let started = baselines::rfc3339(SystemTime::now());
    let fresh = State {
        format: FORMAT,
        night: unused(&request.out, &started.replace(['-', ':'], "")),
        started,
        quick: request.quick,
        device: request.device.clone(),
        threads: request.threads,
        scenarios: request.scenarios.clone(),
        program: fingerprint::program()?,
        baseline: request.baseline.name.clone(),
        baselines: request.baseline.root.clone(),
        finished: false,
    };
    if let Some(old) = read_state(&request.out)?.filter(|old| !old.finished) {
        let same = State { night: old.night.clone(), started: old.started.clone(), ..fresh.clone() };
        if old == same {
            eprintln!("going on with the night of {}", old.started);
            return Ok(old);
        }
        eprintln!("the night of {} was begun by another program, or with other options: a new one begins", old.started);
    }
    write_state(&request.out, &fresh)?;
    Ok(fresh)
}

/// A folder's name that no earlier night has: two may begin within one second.
fn unused(out: &Path, name: &str) -> String {
    let free = |name: &String| !out.join(name).exists();
    let numbered = (2_u32..).map(|n| format!("{name}-{n}"));
    std::iter::once(name.to_owned()).chain(numbered).find(free).unwrap_or_default()
}

fn read_state(out: &Path) -> anyhow::Result<Option<State>> {
    let path = out.join(STATE);
    match std::fs::read(&path) {
        Err(_) if !path.exists() => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        Ok(bytes) => {
            let damaged = || format!("{} is damaged\nhint: remove it to begin a new night", path.display());
            serde_json::from_slice(&bytes).map(Some).with_context(damaged)
        }
    }
}

fn write_state(out: &Path, state: &State) -> anyhow::Result<()> {
    let json = serde_json::to_vec_pretty(state).context("cannot write night.json")?;
    Ok(write_page(out, Path::new(STATE), &json)?)
}

fn name_of(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Scenarios of one name would write into one folder and into one line of the history.
fn refuse_namesakes(scenarios: &[PathBuf]) -> anyhow::Result<()> {
    let mut seen: BTreeMap<String, &PathBuf> = BTreeMap::new();
    for path in scenarios {
        let name = name_of(path);
        if let Some(other) = seen.insert(name.clone(), path) {
            bail!(
                "two scenarios of the night are named `{name}`: {} and {}\n  hint: rename one of them, or give it a night of its \
                 own with --out",
                other.display(),
                path.display()
            );
        }
    }
    Ok(())
}

/// What a scenario is called in the history: the quick form measures less, so its numbers are a line of their own.
fn line_of(state: &State, name: &str) -> String {
    if state.quick { format!("{name}.quick") } else { name.to_owned() }
}

/// What the history keeps of a run.
fn entries(state: &State, name: &str, finished: &Finished) -> anyhow::Result<Vec<Entry>> {
    let rows_path = finished.folder.join("measurements.parquet");
    let bytes = std::fs::read(&rows_path).with_context(|| format!("cannot read {}", rows_path.display()))?;
    let rows = blake3::hash(&bytes).to_hex().to_string();
    let provenance = &finished.provenance;
    let machine = provenance.machine_words();
    let deployed = finished.deployed()?;
    let side = side_of(&finished.cells, &deployed, provenance, &machine);
    let tests = finished.gate.as_ref().map_or(&[][..], |gate| &gate.tests);
    Ok(baselines::tracked(side, provenance.trained)
        .into_iter()
        .map(|tracked| Entry {
            night: state.night.clone(),
            scenario: line_of(state, name),
            commit: provenance.commit.clone(),
            machine: provenance.machine_fingerprint(),
            run: format!("{}/{name}", state.night),
            rows: rows.clone(),
            question: tracked.question.name().to_owned(),
            quantity: tracked.quantity.name().to_owned(),
            length: tracked.length,
            unit: tracked.unit.to_owned(),
            value: tracked.value,
            ruling: tests
                .iter()
                .find(|test| {
                    test.verdict.question == tracked.question
                        && test.verdict.quantity == tracked.quantity.name()
                        && test.length == tracked.length
                })
                .map(|test| test.verdict.ruling.words().to_owned()),
        })
        .collect())
}

/// The scenarios of a folder, ascending.
///
/// # Errors
/// Where the folder cannot be read.
pub fn scenarios_in(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    paths.sort();
    Ok(paths)
}
