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
    /// The type of number that it computed with: `float32`; absent in runs of early versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dtype: Option<String>,
    /// Threads that the tensor library was allowed.
    pub threads: usize,
    /// Seed of everything drawn.
    pub seed: u64,
    /// The scenario's file, as it was given.
    pub scenario_path: String,
    /// The scenario's text.
    pub scenario_text: String,
    /// Hash of what was measured of it: of the text, and of which part of the grid; absent in runs of early versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario_hash: Option<String>,
    /// Fingerprint of the positions that the deployed cell has in effect at the target length
    /// ([`crate::positions::fingerprint`]); absent in runs of early versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positions: Option<String>,
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
    /// The label of the one cell that was measured beside the deployed one and the references; absent: the whole grid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<String>,
    /// When the run started: RFC 3339, UTC.
    pub started: String,
    /// Duration of the session that finished the run.
    pub wall_seconds: Seconds,
    /// Largest resident memory of the process; absent where the system does not tell.
    pub peak_memory_bytes: Option<u64>,
    /// How each probe measures, one sentence by the probe's name.
    pub protocols: BTreeMap<String, String>,
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
    /// The accelerator's name; absent where the model ran on the processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accelerator: Option<String>,
    /// The version of the accelerator's driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
}

impl Provenance {
    /// The checkpoint's configuration; nothing where the run did not keep it.
    #[must_use]
    pub fn config(&self) -> Option<Config> {
        Config::parse(self.checkpoint_config.as_deref()?).ok()
    }

    /// All that a duration depends on besides the program, as words: durations compare only where these are equal.
    #[must_use]
    pub fn machine_words(&self) -> String {
        let machine = &self.machine;
        let mut words = vec![
            machine.system.clone(),
            format!("{}, {} cores", machine.processor, machine.cores),
            self.device.clone(),
            format!("{} threads", self.threads),
        ];
        words.extend(machine.accelerator.clone());
        words.extend(machine.driver.as_ref().map(|driver| format!("driver {driver}")));
        words.push(self.dtype.clone().unwrap_or_else(|| "float32".to_owned()));
        words.join(" \u{b7} ")
    }

    /// The first 12 hexadecimal digits of the hash of [`Provenance::machine_words`].
    #[must_use]
    pub fn machine_fingerprint(&self) -> String {
        blake3::hash(self.machine_words().as_bytes()).to_hex()[..12].to_owned()
    }

    /// What differs from another run in all that could move a number, one sentence each; empty for the same state.
    #[must_use]
    pub fn differences(&self, before: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let mut compare = |what: &str, before: &str, now: &str| {
            if before != now {
                found.push(format!("{what}: `{before}` then, `{now}` now"));
            }
        };
        let absent = || "unknown".to_owned();
        let commit = |run: &Self| run.commit.clone().unwrap_or_else(absent);
        compare("commit", &commit(before), &commit(self));
        let versions = |run: &Self| {
            run.versions.iter().map(|(name, version)| format!("{name} {version}")).collect::<Vec<_>>().join(", ")
        };
        compare("versions", &versions(before), &versions(self));
        compare("machine", &before.machine_words(), &self.machine_words());
        for name in before.checkpoint_hashes.keys().chain(self.checkpoint_hashes.keys()) {
            let hash = |run: &Self| run.checkpoint_hashes.get(name).map_or_else(absent, |hash| short(hash));
            compare(&format!("checkpoint's {name}"), &hash(before), &hash(self));
        }
        compare("text", &short(&before.text_hash), &short(&self.text_hash));
        if let (Some(old), Some(new)) = (&before.scenario_hash, &self.scenario_hash) {
            compare("scenario", &short(old), &short(new));
        }
        if let (Some(old), Some(new)) = (&before.positions, &self.positions) {
            compare("positions in effect", old, new);
        }
        found.dedup();
        found
    }
}

fn short(hash: &str) -> String {
    hash.get(..12).unwrap_or(hash).to_owned()
}
