//! `gyro audit`: a checkpoint's files, before anything runs.

use std::path::PathBuf;

use clap::ValueEnum;

use super::commands::say;
use crate::audit::{self, Served};
use crate::units::{Stretch, Tokens};

/// What goes to stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Findings in 100 columns, heaviest first.
    Terminal,
    /// The same as data.
    Json,
}

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The checkpoint's folder in Hugging Face layout, or a config.json alone
    checkpoint: PathBuf,
    /// The length to serve; default: what the files allow for
    #[arg(long, value_name = "N")]
    target: Option<usize>,
    /// The factor that the deployment means to run; default: not compared
    #[arg(long, value_name = "S")]
    factor: Option<f64>,
    /// What goes to stdout
    #[arg(long, value_enum, default_value = "terminal")]
    format: Format,
}

pub(super) fn execute(arguments: Arguments) -> anyhow::Result<u8> {
    let served = Served { target: arguments.target.map(Tokens), factor: arguments.factor.map(Stretch) };
    let found = audit::audit(&arguments.checkpoint, served)?;
    say(match arguments.format {
        Format::Terminal => audit::text(&found),
        Format::Json => serde_json::to_string_pretty(&found)?,
    })?;
    Ok(found.exit_code())
}
