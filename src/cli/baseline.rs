//! `gyro baseline`: keep a finished run, and compare with it; `gyro bench`: latency alone.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Subcommand;

use super::Engine;
use super::commands::{diagnose, say};
use crate::baselines::{self, Acceptance, Gate, Resume, StoreError};
use crate::findings::{Question, Ruling};
use crate::reports;
use crate::run::{self, Against, Finished, Request};
use crate::scenario::{self, Scenario};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Keep the scenario's finished run under a new name
    Save(Named),
    /// Put the scenario's finished run in the place of a baseline; needs a reason
    Accept {
        #[command(flatten)]
        named: Named,
        /// Why the old one no longer holds
        #[arg(long)]
        reason: String,
        /// Who says so; default: git's user
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        /// Take over a run that is worse; what it is worse in is kept with it
        #[arg(long)]
        although_worse: bool,
    },
    /// Compare the scenario's finished run with a baseline
    Compare(Named),
    /// Measure the same state several times, and propose the smallest tolerances that no repeat lies beyond
    Calibrate {
        /// The scenario's YAML file
        scenario: PathBuf,
        /// How often
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(2..=1000))]
        repeats: u32,
        /// Where the repeats go; default: reports/<scenario name>/calibration
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        #[command(flatten)]
        engine: Engine,
    },
    /// Print all baselines
    List {
        /// Folder of the baselines
        #[arg(long, value_name = "DIR", default_value = ROOT)]
        baselines: PathBuf,
    },
    /// Print one baseline's provenance
    Show(Named),
}

/// A scenario, its run and a baseline's name.
#[derive(Debug, clap::Args)]
pub(super) struct Named {
    /// The scenario's YAML file
    scenario: PathBuf,
    /// The baseline's name
    #[arg(long, default_value = "main")]
    name: String,
    /// Folder of the run; default: reports/<scenario name>
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Folder of the baselines
    #[arg(long, value_name = "DIR", default_value = ROOT)]
    baselines: PathBuf,
}

const ROOT: &str = "baselines";

/// A baseline in the usual folder.
pub(super) fn against(name: String, required: bool) -> Against {
    Against { root: ROOT.into(), name, required }
}

pub(super) fn execute(command: Command) -> anyhow::Result<u8> {
    match command {
        Command::Save(named) => keep(&named, None, None, false),
        Command::Accept { named, reason, by, although_worse } => keep(&named, Some(reason), by, although_worse),
        Command::Compare(named) => {
            let (scenario, finished) = load(&named)?;
            let baseline = baselines::show(&named.baselines, &scenario.name, &named.name)?;
            let gate = finished.compared(&scenario, &baseline)?;
            say(reports::gate(&gate))?;
            Ok(gate.exit_code())
        }
        Command::Calibrate { scenario, repeats, out, engine } => calibrate(scenario, repeats as usize, out, &engine),
        Command::List { baselines } => {
            let lines = baselines::list(&baselines)?.into_iter().fold(String::new(), |mut text, record| {
                let reason = record.reason.map_or_else(String::new, |reason| format!("  {reason}"));
                let _ = writeln!(text, "{}/{}  {}{reason}", record.scenario, record.name, record.saved);
                text
            });
            say(lines)
        }
        Command::Show(named) => {
            let scenario = scenario::load(&named.scenario)?;
            let baseline = baselines::show(&named.baselines, &scenario.name, &named.name)?;
            say(serde_json::to_string_pretty(&baseline.record)? + "\n" + &serde_json::to_string_pretty(&baseline.run)?)
        }
    }
}

/// The scenario and its finished run.
fn load(named: &Named) -> anyhow::Result<(Scenario, Finished)> {
    let scenario = scenario::load(&named.scenario)?;
    let finished = run::load(&run::folder_of(&scenario, named.run.as_deref()))?;
    Ok((scenario, finished))
}

/// Saves a run, unless it is worse and nobody said so.
fn keep(named: &Named, reason: Option<String>, by: Option<String>, although_worse: bool) -> anyhow::Result<u8> {
    let (scenario, finished) = load(named)?;
    let replaced = match baselines::show(&named.baselines, &scenario.name, &named.name) {
        Err(StoreError::NoBaseline { .. }) => None,
        // What is broken cannot be compared with, and is no reason to keep it.
        Err(error) if reason.is_some() => {
            eprintln!("note: the baseline in its place cannot be read: {error}");
            None
        }
        found => Some(found?),
    };
    let gate = replaced.map(|baseline| finished.compared(&scenario, &baseline)).transpose()?;
    let worse = worse(&finished, gate.as_ref());
    for line in &worse {
        eprintln!("note: this run is worse: {line}");
    }
    let regressed = gate.as_ref().is_some_and(|gate| gate.worse().next().is_some());
    if reason.is_some() && regressed && !although_worse {
        anyhow::bail!(
            "the run is worse than the baseline it would replace\n  hint: if that is meant, say so with --although-worse"
        );
    }
    let acceptance = Acceptance { reason, by: by.or_else(git_user), worse };
    baselines::save(&named.baselines, &scenario.name, &named.name, &finished.folder, &acceptance)?;
    say(format!("{}/{}/{}", named.baselines.display(), scenario.name, named.name))
}

/// What a run is worse in, against its reference and against the baseline that it would replace.
fn worse(finished: &Finished, gate: Option<&Gate>) -> Vec<String> {
    let own = finished.findings.verdicts.iter().filter(|verdict| verdict.against == "reference");
    let replaced = gate.into_iter().flat_map(|gate| gate.tests.iter().map(|test| &test.verdict));
    own.chain(replaced)
        .filter(|verdict| verdict.ruling == Ruling::Worse)
        .map(|verdict| {
            let change = verdict.change.map_or_else(String::new, |c| {
                format!(" by {:.4} [{:.4}, {:.4}] {}, n = {}", c.point, c.low, c.high, verdict.unit, c.n)
            });
            format!("{} ({}) against {}{change}", verdict.question.words(), verdict.quantity, verdict.against)
        })
        .collect()
}

/// Who git says that the user is; absent where git does not know.
fn git_user() -> Option<String> {
    let ask = |key| {
        let output = std::process::Command::new("git").args(["config", key]).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        (!text.is_empty()).then_some(text)
    };
    let (name, mail) = (ask("user.name"), ask("user.email"));
    Some(name.map_or_else(String::new, |name| name + " ") + &mail.map_or_else(String::new, |mail| format!("<{mail}>")))
        .map(|user| user.trim().to_owned())
        .filter(|user| !user.is_empty())
}

fn calibrate(scenario: PathBuf, repeats: usize, out: Option<PathBuf>, engine: &Engine) -> anyhow::Result<u8> {
    let name = scenario::load(&scenario)?.name;
    let out = out.unwrap_or_else(|| Path::new("reports").join(name).join("calibration"));
    let request = Request {
        scenario,
        out: None,
        device: String::new(),
        threads: 1,
        quick: false,
        resume: Resume::Automatic,
        baseline: None,
        only: None,
        exhaustive: false,
        questions: None,
        found: None,
    };
    let found = repeated(request, &out, repeats, engine)?;
    let tolerance = &found.proposed;
    let unsteady = match found.unsteady {
        0 => String::new(),
        pairs => format!(
            "# In {pairs} of the pairs the null control fires even so, or the device was held back for heat or power: their \
             times say nothing. Measure on a quieter machine.\n"
        ),
    };
    say(format!(
        "# {} repeats of the same state; {} of {} ordered pairs fire under the scenario's tolerances.\n{unsteady}# The smallest \
         tolerances that the interval of no pair lies beyond:\ntolerance:\n  short_range: {}\n  long_range: {}\n  retrieval: {}\n  latency: {}",
        found.repeats,
        found.fired,
        found.pairs,
        tolerance.short_range,
        tolerance.long_range,
        tolerance.retrieval,
        tolerance.latency
    ))
}

#[cfg(feature = "libtorch")]
fn repeated(
    mut request: Request,
    out: &Path,
    repeats: usize,
    engine: &Engine,
) -> anyhow::Result<baselines::Calibration> {
    use crate::replay::{Fleet, device_name, device_named, prepare_threads};

    let device = device_named(engine.device.as_deref())?;
    request.threads = prepare_threads(engine.threads);
    request.device = device_name(device);
    let cache = Path::new(super::commands::ADAPTED);
    run::repeats(&request, out, repeats, |scenario| {
        Ok(Fleet::load(scenario, device, cache, |news| eprintln!("{news}"))?)
    })
}

#[cfg(not(feature = "libtorch"))]
fn repeated(_: Request, _: &Path, _: usize, _: &Engine) -> anyhow::Result<baselines::Calibration> {
    anyhow::bail!(super::commands::WITHOUT)
}

/// Times the deployed cell and its references, and gates on the baseline's timings.
pub(super) fn bench(scenario: PathBuf, baseline: String, out: Option<PathBuf>, engine: &Engine) -> anyhow::Result<u8> {
    let name = scenario::load(&scenario)?.name;
    let out = out.unwrap_or_else(|| Path::new("reports").join(name).join("bench"));
    let request = Request {
        scenario,
        out: Some(out),
        device: String::new(),
        threads: 1,
        quick: false,
        resume: Resume::Automatic,
        baseline: Some(against(baseline, true)),
        only: None,
        exhaustive: false,
        questions: Some(vec![Question::Latency]),
        found: None,
    };
    let finished = diagnose(request, engine)?;
    let gate = finished.gate.as_ref().context("the run was not compared with its baseline")?;
    say(reports::bench(&finished.findings) + &reports::gate(gate))?;
    eprintln!("report: {}", finished.folder.join("report.html").display());
    Ok(gate.exit_code())
}
