//! `run.json`: where a run's numbers come from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::checkpoint::Config;
use crate::units::{Seconds, Tokens};

/// Everything that someone else needs to repeat a run, and to judge whether two runs may be compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Gyro's commit, with `-dirty` where the tree was changed; absent where it is unknown.
    pub commit: Option<String>,
    /// Versions of what computed the numbers: `gyro`, `torch`, `tch`.
    pub versions: BTreeMap<String, String>,
    /// The machine.
    pub machine: Machine,
    /// The device that the model ran on: `cpu`, `cuda:0`.
    pub device: String,
    /// Threads that the tensor library was allowed.
    pub threads: usize,
    /// Seed of everything drawn.
    pub seed: u64,
    /// The scenario's file, as it was given.
    pub scenario_path: String,
    /// The scenario's text.
    pub scenario_text: String,
    /// The length that the checkpoint was trained at.
    pub trained: Tokens,
    /// The length to serve.
    pub target: Tokens,
    /// The checkpoint's folder.
    pub checkpoint: String,
    /// The text of the checkpoint's `config.json`, so that its arithmetic can be done from the run's files alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_config: Option<String>,
    /// BLAKE3 hash of each of the checkpoint's files.
    pub checkpoint_hashes: BTreeMap<String, String>,
    /// BLAKE3 hash of the text that was scored.
    pub text_hash: String,
    /// Whether the probes were cut down by `--quick`.
    pub quick: bool,
    /// When the run started: RFC 3339, UTC.
    pub started: String,
    /// Duration of the session that finished the run.
    pub wall_seconds: Seconds,
    /// Largest resident memory of the process; absent where the system does not tell.
    pub peak_memory_bytes: Option<u64>,
    /// How each probe measures, one sentence by the probe's name.
    pub protocols: BTreeMap<String, String>,
}

impl Provenance {
    /// The checkpoint's configuration; nothing where the run did not keep it.
    #[must_use]
    pub fn config(&self) -> Option<Config> {
        Config::parse(self.checkpoint_config.as_deref()?).ok()
    }
}

/// What a duration depends on besides the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Operating system and architecture: `linux x86_64`.
    pub system: String,
    /// The processor's name, or the accelerator's.
    pub processor: String,
    /// Logical cores.
    pub cores: usize,
    /// Memory of the machine; absent where the system does not tell.
    pub memory_bytes: Option<u64>,
}
