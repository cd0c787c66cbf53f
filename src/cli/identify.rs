//! `gyro identify`: what an engine really runs.

use std::path::PathBuf;

use super::Engine;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Folder of the checkpoint in Hugging Face layout
    #[arg(long, value_name = "DIR")]
    checkpoint: PathBuf,
    /// What the engine answered: JSON Lines with `tokens` and `logprobs`, as `gyro capture` writes them
    #[arg(long, value_name = "FILE.jsonl")]
    observed: PathBuf,
    /// The method that was meant: a name, or a name with parameters as YAML; default: what config.json says
    #[arg(long, value_name = "METHOD")]
    declared: Option<String>,
    /// Its factor
    #[arg(long, value_name = "S", requires = "declared", default_value_t = 1.0)]
    factor: f64,
    /// Seconds after which nothing new is begun; default: none
    #[arg(long, value_name = "SECONDS")]
    budget: Option<f64>,
    /// Folder of identification.json and the page; default: reports/identify/<name of the observed file>
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    engine: Engine,
}

#[cfg(feature = "libtorch")]
pub(super) fn execute(arguments: Arguments) -> anyhow::Result<u8> {
    use super::commands::say;
    use super::explain::method;
    use crate::identify::Candidate;
    use crate::replay::{Checkpoint, Examined, device_named, prepare_threads};
    use crate::run::{self, Inquiry};
    use crate::units::{Seconds, Stretch};

    let device = device_named(arguments.engine.device.as_deref())?;
    let _ = prepare_threads(arguments.engine.threads);
    let checkpoint = Checkpoint::load(&arguments.checkpoint, device)?;
    let architecture = checkpoint.config.architecture.clone();
    let declared = match &arguments.declared {
        Some(name) => Candidate::healthy(method(name)?, Stretch(arguments.factor)),
        None => Candidate::healthy(checkpoint.config.declared.0.clone(), checkpoint.config.declared.1),
    };
    let inquiry =
        Inquiry { observed: arguments.observed, declared, budget: arguments.budget.map(Seconds), out: arguments.out };
    let (found, dir) =
        run::identify(&inquiry, &architecture, |precision| Ok(Box::new(Examined::new(&checkpoint, precision)?)))?;
    say(found.sentence.clone())?;
    eprintln!("findings: {}", dir.join("identification.json").display());
    Ok(found.exit_code())
}

#[cfg(not(feature = "libtorch"))]
pub(super) fn execute(_: Arguments) -> anyhow::Result<u8> {
    anyhow::bail!("this gyro was built without libtorch\n  hint: build it with the feature `libtorch`")
}
