//! What each command does.

use std::io::{IsTerminal, Write};
use std::path::Path;

use anyhow::Context;

use super::{Command, Engine, Format, audit, baseline, capture, explain, identify, list, nightly, score};
use crate::baselines::Resume;
use crate::memo;
use crate::observed::Phase;
use crate::reports;
use crate::run::{self, Finished, Request};
use crate::scenario::{self, Scenario};

/// Runs a command; the exit code of one that ended.
pub(super) fn execute(command: Command) -> anyhow::Result<u8> {
    match command {
        Command::Diagnose { scenario, out, engine, quick, only, exhaustive, resume, baseline, format } => {
            let resume = if resume { Resume::Require } else { Resume::Automatic };
            let baseline = baseline.map(|name| baseline::against(name, true));
            let (device, threads) = (String::new(), 1);
            let (questions, found) = (None, None);
            let request =
                Request { scenario, out, device, threads, quick, only, resume, exhaustive, baseline, questions, found };
            show(&diagnose(request, &engine)?, format)
        }
        Command::Report { run: dir, other: None, format } => show(&run::report(&dir)?, format),
        Command::Report { run: dir, other: Some(other), format } => compare(&dir, &other, format),
        Command::Memo { of, run, format } => memo(&of, run.as_deref(), format),
        Command::Bench { scenario, baseline, out, engine } => baseline::bench(scenario, baseline, out, &engine),
        Command::Nightly(arguments) => nightly::execute(arguments),
        Command::Summary { out } => nightly::summary(&out),
        Command::Baseline(command) => baseline::execute(command),
        Command::Train { recipe, position, out, engine } => {
            train(&recipe, position.as_deref(), out.as_deref(), &engine)
        }
        Command::Adapt { recipe, out, engine } => adapt(&recipe, out.as_deref(), &engine),
        Command::Logprobs { checkpoint, tokens, method, factor, phase, chunk, engine } => {
            let configuration = method.map(|method| (method, factor));
            logprobs(&checkpoint, &tokens, configuration, phase, chunk, &engine)
        }
        Command::Capture(arguments) => capture::execute(arguments),
        Command::Identify(arguments) => identify::execute(arguments),
        Command::Explain(arguments) => explain::execute(arguments),
        Command::Audit(arguments) => audit::execute(arguments),
        Command::Score(arguments) => score::execute(&arguments),
        Command::Schema => say(Scenario::schema()),
        Command::List { what } => say(list::table(what)?),
    }
}

/// Prints a result; a reader that closed the pipe early is no error.
pub(super) fn say(mut text: String) -> anyhow::Result<u8> {
    if !text.ends_with('\n') {
        text.push('\n');
    }
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error).context("cannot write to stdout"),
        _ => Ok(0),
    }
}

/// Prints a finished run in the format asked for, and returns its exit code.
fn show(finished: &Finished, format: Format) -> anyhow::Result<u8> {
    let read = |name: &str| {
        let path = finished.folder.join(name);
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let text = match format {
        Format::Terminal => {
            let color = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
            reports::terminal(&finished.run(), color)
        }
        Format::Json => serde_json::to_string_pretty(&finished.findings)?,
        Format::Md => read(&format!("{}.md", finished.page))?,
    };
    say(text)?;
    eprintln!("report: {}", finished.folder.join(finished.page).with_extension("html").display());
    Ok(finished.exit_code())
}

/// Prints what changed from one run to another.
fn compare(before: &Path, after: &Path, format: Format) -> anyhow::Result<u8> {
    let comparison = run::compare_runs(before, after)?;
    say(match format {
        Format::Terminal => comparison.terminal(),
        Format::Json => serde_json::to_string_pretty(&comparison)?,
        Format::Md => reports::markdown::page(&comparison.document()),
    })?;
    eprintln!("comparison: {}", after.join("comparison.html").display());
    Ok(0)
}

/// Writes and prints the memo of a scenario's run, or of a run's folder.
fn memo(of: &Path, dir: Option<&Path>, format: Format) -> anyhow::Result<u8> {
    let folder = if of.is_dir() { of.to_owned() } else { run::folder_of(&scenario::load(of)?, dir) };
    let (finished, memo) =
        run::memo(&folder).context("there is no memo without a finished run\n  hint: run `gyro diagnose` first")?;
    let read = |name: &str| {
        let path = finished.folder.join(name);
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    say(match format {
        Format::Terminal => memo::terminal(&memo),
        Format::Json => read("memo.json")?,
        Format::Md => read("memo.md")?,
    })?;
    eprintln!("memo: {}", folder.join("memo.html").display());
    Ok(0)
}

/// Where adapted weights are kept.
#[cfg(feature = "libtorch")]
pub(super) const ADAPTED: &str = "reports/adapted";

/// What the engine of a scenario runs, where the scenario names outputs of it.
#[cfg(feature = "libtorch")]
pub(super) fn identified(scenario: &Path, engine: &Engine) -> anyhow::Result<Option<run::Found>> {
    let device = crate::replay::device_named(engine.device.as_deref())?;
    run::identified(scenario, |checkpoint, precision| {
        let checkpoint = crate::replay::Checkpoint::load(checkpoint, device)?;
        Ok(Box::new(crate::replay::Examined::new(&checkpoint, precision)?))
    })
}

/// Runs a request on the engine that was asked for.
#[cfg(feature = "libtorch")]
pub(super) fn diagnose(mut request: Request, engine: &Engine) -> anyhow::Result<Finished> {
    use crate::replay::{Fleet, device_name, device_named, prepare_threads};

    let device = device_named(engine.device.as_deref())?;
    request.threads = prepare_threads(engine.threads);
    request.device = device_name(device);
    request.found = identified(&request.scenario, engine)?;
    run::diagnose(&request, |scenario| {
        Ok(Fleet::load(scenario, device, Path::new(ADAPTED), |news| eprintln!("{news}"))?)
    })
}

#[cfg(feature = "libtorch")]
fn train(path: &Path, position: Option<&str>, out: Option<&Path>, engine: &Engine) -> anyhow::Result<u8> {
    use crate::recipe::Recipe;
    use crate::replay::{device_named, prepare_threads, training};

    let mut recipe = Recipe::load(path)?;
    if let Some(position) = position {
        recipe.model.position = super::explain::method(position)?;
    }
    let device = device_named(engine.device.as_deref())?;
    let _ = prepare_threads(engine.threads);
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let usual = || path.with_file_name(format!("{}-{stem}", recipe.model.position.name()));
    let out = out.map_or_else(usual, Path::to_owned);
    let bar = run::training_bar(&recipe.course());
    training::train(&recipe, &out, device, |point| bar.point(point))?;
    bar.finish();
    let checkpoint = std::rc::Rc::new(crate::replay::Checkpoint::load(&out, device)?);
    run::card(&recipe, path, &out, &checkpoint)?;
    say(format!("{}", out.display()))
}

#[cfg(feature = "libtorch")]
fn adapt(path: &Path, out: Option<&Path>, engine: &Engine) -> anyhow::Result<u8> {
    use crate::recipe::Adaptation;
    use crate::replay::{device_named, prepare_threads, training};

    let recipe = Adaptation::load(path)?;
    let device = device_named(engine.device.as_deref())?;
    let _ = prepare_threads(engine.threads);
    let out = out.map_or_else(|| path.with_extension(""), Path::to_owned);
    let bar = run::training_bar(&recipe.course());
    training::adapt(&recipe, &out, device, |point| bar.point(point))?;
    bar.finish();
    let curve = out.join("curve.svg");
    std::fs::write(&curve, reports::training_curve(&training::curve(&out)?)?)
        .with_context(|| format!("cannot write {}", curve.display()))?;
    say(format!("{}", out.display()))
}

#[cfg(feature = "libtorch")]
fn logprobs(
    checkpoint: &Path,
    tokens: &Path,
    configuration: Option<(String, f64)>,
    phase: Option<Phase>,
    chunk: Option<usize>,
    engine: &Engine,
) -> anyhow::Result<u8> {
    use std::io::{BufReader, Read};
    use std::rc::Rc;

    use crate::replay::{Checkpoint, Replay, device_named, prepare_threads};
    use crate::units::Stretch;

    let device = device_named(engine.device.as_deref())?;
    let _ = prepare_threads(engine.threads);
    let checkpoint = Rc::new(Checkpoint::load(checkpoint, device)?);
    let (method, factor) = match configuration {
        None => checkpoint.config.declared.clone(),
        Some((name, factor)) => (super::explain::method(&name)?, Stretch(factor)),
    };
    let replay = Replay::new(checkpoint, method, factor)?;
    let input: Box<dyn Read> = if tokens == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(tokens).with_context(|| format!("cannot read {}", tokens.display()))?)
    };
    let output = std::io::stdout().lock();
    run::logprobs::complete(&replay, BufReader::new(input), tokens, phase, chunk, output)?;
    Ok(0)
}

#[cfg(not(feature = "libtorch"))]
pub(super) const WITHOUT: &str = "this gyro was built without libtorch\n  hint: build it with the feature `libtorch`";

#[cfg(not(feature = "libtorch"))]
pub(super) fn diagnose(_: Request, _: &Engine) -> anyhow::Result<Finished> {
    anyhow::bail!(WITHOUT)
}

#[cfg(not(feature = "libtorch"))]
fn adapt(_: &Path, _: Option<&Path>, _: &Engine) -> anyhow::Result<u8> {
    anyhow::bail!(WITHOUT)
}

#[cfg(not(feature = "libtorch"))]
fn train(_: &Path, _: Option<&str>, _: Option<&Path>, _: &Engine) -> anyhow::Result<u8> {
    anyhow::bail!(WITHOUT)
}

#[cfg(not(feature = "libtorch"))]
fn logprobs(
    _: &Path,
    _: &Path,
    _: Option<(String, f64)>,
    _: Option<Phase>,
    _: Option<usize>,
    _: &Engine,
) -> anyhow::Result<u8> {
    anyhow::bail!(WITHOUT)
}
