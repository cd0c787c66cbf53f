//! `gyro list`: what there is, read from the same lists that the program works with.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::Context;
use clap::ValueEnum;

use crate::faults::{AnyFault, Fault};
use crate::positions::{AnyMethod, Method};
use crate::probes::PROBES;
use crate::probes::battery::CHECKS;
use crate::reports::REPORTS;
use crate::scenario;

/// What can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum What {
    /// Positional methods.
    Methods,
    /// Faults of implementations, and healthy look-alikes.
    Faults,
    /// Probes.
    Probes,
    /// Scenarios in `scenarios/`.
    Scenarios,
    /// Report formats.
    Reports,
}

/// One line for each: its name and what it is.
pub(super) fn table(what: What) -> anyhow::Result<String> {
    let lines: Vec<(String, String)> = match what {
        What::Methods => AnyMethod::NAMES
            .iter()
            .filter_map(|name| AnyMethod::named(name))
            .map(|method| (method.name().to_owned(), method.summary().to_owned()))
            .collect(),
        What::Faults => AnyFault::all()
            .map(|fault| {
                let place = if fault.is_control() { "healthy" } else { fault.site().name() };
                (fault.name().to_owned(), format!("{place}: {}", fault.summary()))
            })
            .collect(),
        What::Probes => PROBES
            .iter()
            .map(|probe| (probe.name().name().to_owned(), probe.summary().to_owned()))
            .chain([("latency".to_owned(), "prefill and decode time, deployed against the unscaled model".to_owned())])
            .chain(CHECKS.iter().map(|check| (format!("parity: {}", check.name()), check.summary().to_owned())))
            .collect(),
        What::Reports => REPORTS.iter().map(|report| (report.name().to_owned(), String::new())).collect(),
        What::Scenarios => scenarios(Path::new("scenarios"))?,
    };
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    Ok(lines.iter().fold(String::new(), |mut text, (name, summary)| {
        let _ = writeln!(text, "{}", format!("{name:width$}  {summary}").trim_end());
        text
    }))
}

fn scenarios(folder: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let entries = fs::read_dir(folder)
        .with_context(|| format!("cannot read `{}`\n  hint: run gyro from the project's folder", folder.display()))?;
    let mut paths: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    paths.sort();
    Ok(paths
        .iter()
        .map(|path| {
            let question = match scenario::load(path) {
                Ok(scenario) => scenario.question,
                Err(error) => format!("cannot be run: {}", error.to_string().lines().next().unwrap_or_default()),
            };
            (path.display().to_string(), question)
        })
        .collect())
}
