//! `gyro explain`: a method's mechanism in numbers and one picture.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::ValueEnum;

use super::commands::say;
use crate::explain::{self, Setting};
use crate::positions::AnyMethod;
use crate::reports;
use crate::scenario::yaml;
use crate::units::{Stretch, Tokens};

/// What goes to stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Sentences and tables in 100 columns.
    Terminal,
    /// Every number of them, and those that were left out.
    Json,
}

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A method's name, or with its parameters as YAML: 'yarn: {beta_fast: 16}'
    method: String,
    /// By how much it stretches the context; default: target / trained
    #[arg(long, value_name = "S")]
    factor: Option<f64>,
    /// Width of a head
    #[arg(long, value_name = "D", default_value_t = 64)]
    head_dim: usize,
    /// The length that the weights were trained at
    #[arg(long, value_name = "L", default_value_t = 2048)]
    trained: usize,
    /// The length to serve
    #[arg(long, value_name = "T", default_value_t = 8192)]
    target: usize,
    /// Heads per layer
    #[arg(long, value_name = "H", default_value_t = 8)]
    heads: usize,
    /// Layers
    #[arg(long, value_name = "N", default_value_t = 6)]
    layers: usize,
    /// The base of the rotary frequencies
    #[arg(long, value_name = "B", default_value_t = 10_000.0)]
    theta: f64,
    /// Write the picture to this file
    #[arg(long, value_name = "FILE.svg")]
    out: Option<PathBuf>,
    /// What goes to stdout
    #[arg(long, value_enum, default_value = "terminal")]
    format: Format,
}

/// Reads a name, or a name with parameters as YAML.
pub(super) fn method(text: &str) -> anyhow::Result<AnyMethod> {
    if let Some(method) = AnyMethod::named(text.trim()) {
        return Ok(method);
    }
    if !text.contains(':') {
        anyhow::bail!("unknown method `{text}`\n  hint: one of {}", AnyMethod::NAMES.join(", "));
    }
    Ok(yaml::parse(Path::new("METHOD"), text)?)
}

pub(super) fn execute(arguments: Arguments) -> anyhow::Result<u8> {
    let stretch = (arguments.target as f64 / arguments.trained.max(1) as f64).max(1.0);
    let setting = Setting {
        method: method(&arguments.method)?,
        factor: Stretch(arguments.factor.unwrap_or(stretch)),
        head_dim: arguments.head_dim,
        heads: arguments.heads,
        layers: arguments.layers,
        theta: arguments.theta,
        trained: Tokens(arguments.trained),
        target: Tokens(arguments.target),
    };
    let explanation = explain::explain(&setting)?;
    if let Some(path) = &arguments.out {
        let svg = reports::mechanism_chart(&explanation)?;
        std::fs::write(path, svg).with_context(|| format!("cannot write {}", path.display()))?;
        eprintln!("picture: {}", path.display());
    }
    match arguments.format {
        Format::Terminal => say(explain::text(&explanation)),
        Format::Json => say(serde_json::to_string_pretty(&explanation)?),
    }
}
