//! How tokens went through an engine, as users write it.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// How tokens went through an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum PhaseArgument {
    /// All at once, or in chunks.
    Prefill,
    /// Token by token through the cache.
    Decode,
}
