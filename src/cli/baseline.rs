//! `gyro baseline`: keep a finished run, and compare with it.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Subcommand;

use super::commands::say;
use crate::baselines;
use crate::findings::{Findings, Ruling};
use crate::run;
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
    },
    /// Compare the scenario's finished run with a baseline
    Compare(Named),
    /// Print all baselines
    List,
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
}

const ROOT: &str = "baselines";

pub(super) fn execute(command: Command) -> anyhow::Result<u8> {
    let root = Path::new(ROOT);
    match command {
        Command::Save(named) => keep(&named, None),
        Command::Accept { named, reason } => keep(&named, Some(&reason)),
        Command::Compare(named) => compare(&named),
        Command::List => {
            let lines = baselines::list(root)?.into_iter().fold(String::new(), |mut text, record| {
                let _ = writeln!(text, "{}/{}  {}", record.scenario, record.name, record.saved);
                text
            });
            say(lines)
        }
        Command::Show(named) => {
            let scenario = scenario::load(&named.scenario)?;
            let baseline = baselines::show(root, &scenario.name, &named.name)?;
            say(serde_json::to_string_pretty(&baseline.record)? + "\n" + &serde_json::to_string_pretty(&baseline.run)?)
        }
    }
}

fn run_dir(named: &Named, scenario: &Scenario) -> PathBuf {
    run::folder_of(scenario, named.run.as_deref())
}

fn keep(named: &Named, reason: Option<&str>) -> anyhow::Result<u8> {
    let scenario = scenario::load(&named.scenario)?;
    let dir = run_dir(named, &scenario);
    let findings = std::fs::read_to_string(dir.join("findings.json")).with_context(|| {
        format!("cannot read {}\n  hint: run `gyro diagnose` first", dir.join("findings.json").display())
    })?;
    let findings: Findings = serde_json::from_str(&findings).context("findings.json is damaged")?;
    for verdict in findings.verdicts.iter().filter(|verdict| verdict.ruling == Ruling::Worse) {
        eprintln!("note: this run is worse than its {} in {}", verdict.against, verdict.question.words());
    }
    baselines::save(Path::new(ROOT), &scenario.name, &named.name, &dir, reason)?;
    say(format!("{ROOT}/{}/{}", scenario.name, named.name))
}

fn compare(named: &Named) -> anyhow::Result<u8> {
    let scenario = scenario::load(&named.scenario)?;
    let baseline = baselines::show(Path::new(ROOT), &scenario.name, &named.name)?;
    let finished = run::load(&run_dir(named, &scenario))?;
    let verdicts = run::compare(&scenario, &baseline, &finished.cells, &finished.provenance);
    let mut text = String::new();
    for verdict in &verdicts {
        let change = verdict.change.map_or_else(
            || verdict.why.clone().unwrap_or_default(),
            |c| format!("{:+.4} [{:+.4}, {:+.4}] {}, n = {}", c.point, c.low, c.high, verdict.unit, c.n),
        );
        let _ = writeln!(
            text,
            "{:12} {:8} {:13} {change} (tolerance {}, against {} of {})",
            verdict.question.words(),
            verdict.quantity,
            verdict.ruling.words(),
            verdict.tolerance,
            verdict.against,
            baseline.record.saved,
        );
    }
    say(text)?;
    Ok(if verdicts.iter().any(|verdict| verdict.ruling == Ruling::Worse) {
        1
    } else if verdicts.is_empty()
        || verdicts.iter().any(|verdict| matches!(verdict.ruling, Ruling::Undecided | Ruling::Incomparable))
    {
        2
    } else {
        0
    })
}
