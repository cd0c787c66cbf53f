//! `gyro capture`: a server's log-probabilities as observed outputs.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::commands::say;
use crate::capture::{Endpoint, Engine, Manner, Server, plan, snippet};
use crate::checkpoint::Config;
use crate::observed::Observation;
use crate::units::{Seconds, Tokens};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where the server listens: http://HOST:PORT
    #[arg(long, value_name = "URL", required_unless_present = "snippet")]
    endpoint: Option<String>,
    /// Folder of the checkpoint that it serves; only config.json is read
    #[arg(long, value_name = "DIR")]
    checkpoint: PathBuf,
    /// The file to write; default: stdout
    #[arg(long, value_name = "FILE.jsonl")]
    out: Option<PathBuf>,
    /// The model's name in requests; default: the first that the server lists
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Seconds that one answer may take, from the connection to its last byte
    #[arg(long, value_name = "SECONDS", default_value_t = 120.0)]
    timeout: f64,
    /// How often a request is sent again after a failure that may pass
    #[arg(long, value_name = "N", default_value_t = 4)]
    retries: usize,
    /// At most so many requests a second; default: one after the other
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// The longest prompt; default: half beyond the trained length
    #[arg(long, value_name = "TOKENS")]
    longest: Option<usize>,
    /// The precision that the server computes in: float32, bfloat16, float16
    #[arg(long, value_name = "DTYPE")]
    dtype: Option<String>,
    /// Where the random prompts begin
    #[arg(long, default_value_t = 17)]
    seed: u64,
    /// Print a Python script that makes the file without a server
    #[arg(long, value_enum, value_name = "ENGINE")]
    snippet: Option<Engine>,
}

pub(super) fn execute(arguments: Arguments) -> anyhow::Result<u8> {
    let config = Config::read(&arguments.checkpoint)?;
    let (vocabulary, trained) = (config.architecture.vocabulary, config.heads.trained);
    let longest = Tokens(arguments.longest.unwrap_or(trained.0 + trained.0 / 2));
    let sent = plan(vocabulary, trained, longest, arguments.seed);
    if let Some(engine) = arguments.snippet {
        return say(snippet(engine, &arguments.checkpoint.display().to_string(), &sent));
    }
    let endpoint = Endpoint::parse(arguments.endpoint.as_deref().unwrap_or_default())?;
    let manner = Manner {
        model: arguments.model,
        timeout: Seconds(arguments.timeout),
        retries: arguments.retries,
        rate: arguments.rate,
        dtype: arguments.dtype,
    };
    let probe =
        sent.first().and_then(|sent| sent.prompts.first()).map_or(&[][..], |prompt| &prompt[..3.min(prompt.len())]);
    let mut server = Server::meet(&endpoint, &manner, probe)?;
    eprintln!("the server gives log-probabilities by `{}`", server.dialect().name());
    let mut recorded = Vec::new();
    let ended = server.record(&sent, &mut recorded, |news| eprintln!("{news}"));
    match ended {
        Ok(()) => write(&recorded, arguments.out.as_deref()),
        Err(error) if recorded.is_empty() => Err(error.into()),
        Err(error) => {
            // What came before the error tells as much as ever, and may have taken hours.
            write(&recorded, arguments.out.as_deref())?;
            let planned: usize = sent.iter().map(|sent| sent.prompts.len()).sum();
            Err(error).with_context(|| format!("ended early, {} of {planned} prompts are recorded", recorded.len()))
        }
    }
}

/// Writes what was recorded to a file or to stdout.
fn write(recorded: &[Observation], out: Option<&Path>) -> anyhow::Result<u8> {
    let lines = recorded.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
    let text = format!("{}\n", lines.join("\n"));
    match out {
        None => say(text),
        Some(path) => {
            std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
            eprintln!("recorded: {} requests in {}", recorded.len(), path.display());
            Ok(0)
        }
    }
}
