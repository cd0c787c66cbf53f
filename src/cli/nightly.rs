//! `gyro nightly`: every scenario against its baseline, a history, and one summary.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::Engine;
use super::commands::say;
use crate::reports::nightly::Night;
use crate::run::{self, Against, NightRequest};

/// Where a night goes.
pub(super) const OUT: &str = "reports/nightly";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Scenarios' YAML files, or folders of them
    #[arg(default_value = "scenarios")]
    scenarios: Vec<PathBuf>,
    /// Where nights, history and summary go
    #[arg(long, value_name = "DIR", default_value = OUT)]
    out: PathBuf,
    /// Folder of the baselines
    #[arg(long, value_name = "DIR", default_value = "baselines")]
    baselines: PathBuf,
    /// The baselines' name
    #[arg(long, value_name = "NAME", default_value = "main")]
    baseline: String,
    /// Fewer documents and cells; only baselines that were saved in this form compare
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    engine: Engine,
}

pub(super) fn execute(arguments: Arguments) -> anyhow::Result<u8> {
    let mut scenarios = Vec::new();
    for path in &arguments.scenarios {
        if path.is_dir() {
            scenarios.extend(run::scenarios_in(path)?);
        } else {
            scenarios.push(path.clone());
        }
    }
    let request = NightRequest {
        scenarios,
        out: arguments.out,
        device: String::new(),
        threads: 1,
        quick: arguments.quick,
        baseline: Against { root: arguments.baselines, name: arguments.baseline, required: false },
    };
    let (out, engine) = (request.out.clone(), arguments.engine);
    let night = nightly(request, &engine)?;
    step_summary(&out)?;
    ended(&night, &out)
}

/// Writes the last night's pages again.
pub(super) fn summary(out: &Path) -> anyhow::Result<u8> {
    ended(&run::summary(out)?, out)
}

fn ended(night: &Night, out: &Path) -> anyhow::Result<u8> {
    let path = out.join("summary.md");
    say(std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?)?;
    eprintln!("summary: {}", out.join("index.html").display());
    Ok(night.exit_code())
}

/// Appends the summary to the page of the workflow's step, where a workflow runs this.
fn step_summary(out: &Path) -> anyhow::Result<()> {
    let Some(page) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else { return Ok(()) };
    let page = PathBuf::from(page);
    let text = std::fs::read(out.join("summary.md")).context("cannot read the summary")?;
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(&page)
        .with_context(|| format!("cannot open {}", page.display()))?;
    file.write_all(&text).with_context(|| format!("cannot write {}", page.display()))
}

#[cfg(feature = "libtorch")]
fn nightly(mut request: NightRequest, engine: &Engine) -> anyhow::Result<Night> {
    use crate::replay::{Fleet, device_name, device_named, prepare_threads};

    let device = device_named(engine.device.as_deref())?;
    request.threads = prepare_threads(engine.threads);
    request.device = device_name(device);
    let cache = Path::new(super::commands::ADAPTED);
    let load = |scenario: &_| Ok(Fleet::load(scenario, device, cache, |news| eprintln!("{news}"))?);
    run::nightly(&request, load, |path| super::commands::identified(path, engine))
}

#[cfg(not(feature = "libtorch"))]
fn nightly(_: NightRequest, _: &Engine) -> anyhow::Result<Night> {
    anyhow::bail!(super::commands::WITHOUT)
}
