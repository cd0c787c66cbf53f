//! The words that users type.

mod audit;
mod baseline;
mod capture;
mod commands;
mod explain;
mod identify;
mod list;
mod score;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::observed::Phase;

/// It got worse after we stretched the context: the method, the factor, or the implementation?
#[derive(Debug, Parser)]
#[command(name = "gyro", version, about, long_about = None, max_term_width = 100, after_help = AFTER)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER: &str = "Exit codes: 0 nothing regressed; 1 a regression (audit: a contradiction) was\n\
                     found, and is named; 2 could not judge.\n\
                     Results go to stdout, the rest to stderr. NO_COLOR turns colours off.\n\n\
                     Begin with: gyro diagnose scenarios/8k_regression.yaml --quick";

/// Where and with how many threads a model runs.
#[derive(Clone, Debug, clap::Args)]
struct Engine {
    /// `cpu`, `cuda` or `cuda:N`; default: CUDA if there is one
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// Threads of one tensor operation; default: one a core. The same number gives the same digits
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

/// What goes to stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A summary in 80 columns.
    Terminal,
    /// The data: findings.json, memo.json.
    Json,
    /// The page as Markdown: report.md, memo.md.
    Md,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a scenario, name the cause of what got worse, and write a report
    Diagnose {
        /// The scenario's YAML file
        scenario: PathBuf,
        /// Folder of the run; default: reports/<scenario name>
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        #[command(flatten)]
        engine: Engine,
        /// Fewer documents and only the cells that differ from the deployed one in one axis
        #[arg(long)]
        quick: bool,
        /// Measure only this cell of the grid, as the report names it (`ntk x4`), beside the deployed one and the references
        #[arg(long, value_name = "CELL")]
        only: Option<String>,
        /// Measure every cell, also those that can no longer change a cause
        #[arg(long)]
        exhaustive: bool,
        /// Demand that there is an unfinished run to go on with (one that is found is resumed anyway)
        #[arg(long)]
        resume: bool,
        /// Compare with this baseline too
        #[arg(long, value_name = "NAME")]
        baseline: Option<String>,
        /// What goes to stdout
        #[arg(long, value_enum, default_value = "terminal")]
        format: Format,
    },
    /// Rebuild every page of a run from its files, also while it is going on; no model is loaded
    Report {
        /// The run's folder
        run: PathBuf,
        /// A second run's folder: print what changed from the first to it
        other: Option<PathBuf>,
        /// What goes to stdout
        #[arg(long, value_enum, default_value = "terminal")]
        format: Format,
    },
    /// Write the memo that recommends one positional method for a run, defended against two others
    Memo {
        /// A scenario's YAML file, or a run's folder
        of: PathBuf,
        /// The run's folder where it is not the scenario's usual one
        #[arg(long, value_name = "DIR")]
        run: Option<PathBuf>,
        /// What goes to stdout
        #[arg(long, value_enum, default_value = "terminal")]
        format: Format,
    },
    /// Keep finished runs as baselines and compare with them
    #[command(subcommand)]
    Baseline(baseline::Command),
    /// Train a reference model from a recipe; a killed training goes on where it was saved
    Train {
        /// The recipe's YAML file
        recipe: PathBuf,
        /// The positional mechanism: a name, or a name with parameters as YAML; default: the recipe's
        #[arg(long, value_name = "METHOD")]
        position: Option<String>,
        /// The model's folder; default: <mechanism>-<recipe's name> beside the recipe
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        #[command(flatten)]
        engine: Engine,
    },
    /// Adapt a checkpoint to a retrofit by a short training; a killed one goes on where it was saved
    Adapt {
        /// The adaptation's YAML file
        recipe: PathBuf,
        /// The adapted model's folder; default: the recipe's path without its ending
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        #[command(flatten)]
        engine: Engine,
    },
    /// Write the log-probability of every token of every request, as an engine's observed outputs
    Logprobs {
        /// Folder of the checkpoint in Hugging Face layout
        #[arg(long, value_name = "DIR")]
        checkpoint: PathBuf,
        /// JSON Lines with `tokens`; `-` for stdin
        #[arg(long, value_name = "FILE")]
        tokens: PathBuf,
        /// A method's name; default: what the checkpoint's config.json says
        #[arg(long)]
        method: Option<String>,
        /// The method's factor
        #[arg(long, requires = "method", default_value_t = 1.0)]
        factor: f64,
        /// Default: what each request says, else prefill
        #[arg(long, value_enum)]
        phase: Option<Phase>,
        /// Cut a prefill into chunks of so many tokens
        #[arg(long, value_name = "N")]
        chunk: Option<usize>,
        #[command(flatten)]
        engine: Engine,
    },
    /// Record a server's log-probabilities of prompts that it chooses itself, for `identify`
    Capture(capture::Arguments),
    /// Find out what an engine really runs, from the log-probabilities that it gave to some prompts
    Identify(identify::Arguments),
    /// Print what a positional method does at given lengths: its mechanism, and what it costs
    Explain(explain::Arguments),
    /// Look at a checkpoint's files before anything runs: what contradicts, and what engines read differently
    Audit(audit::Arguments),
    /// Inject every fault of the catalogue into the reference models, diagnose them blind, and count what is named rightly
    Score(score::Arguments),
    /// Print the JSON schema (draft 7) of a scenario, for editors
    Schema,
    /// Print what there is
    List {
        /// Of what
        what: list::What,
    },
}

/// Runs the command line and returns the process's exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    match commands::execute(cli.command) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
