//! What decides a run's numbers, as hashes: two runs with the same fingerprint may share cells.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;

use crate::checkpoint::hash_files;
use crate::scenario::Scenario;

/// The hashes of everything that decides a run's numbers.
pub(super) struct Identity {
    scenario: String,
    pub(super) checkpoint: BTreeMap<String, String>,
    pub(super) text: String,
    engine: String,
}

impl Identity {
    /// Reads and hashes the files of all checkpoints and the texts.
    pub(super) fn of(scenario: &Scenario, device: &str, threads: usize) -> anyhow::Result<Self> {
        let mut checkpoint = hash_files(&scenario.checkpoint)?;
        for dir in scenario.checkpoints.values() {
            let of = dir.file_name().unwrap_or_default().to_string_lossy();
            checkpoint.extend(hash_files(dir)?.into_iter().map(|(name, hash)| (format!("{of}/{name}"), hash)));
        }
        if let Some(config) = &scenario.deployed_config {
            checkpoint.insert("deployed configuration".to_owned(), hash_file(config)?);
        }
        if let Some(plan) = &scenario.adaptation {
            checkpoint.insert("adaptation's text".to_owned(), hash_file(&plan.text)?);
        }
        Ok(Self {
            scenario: scenario.hash(),
            checkpoint,
            text: hash_file(&scenario.documents)?,
            engine: format!("gyro {} {device} {threads} threads", env!("CARGO_PKG_VERSION")),
        })
    }

    /// One hash of all of it.
    pub(super) fn fingerprint(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for part in [&self.scenario, &self.text, &self.engine] {
            hasher.update(part.as_bytes()).update(b"\0");
        }
        for (name, hash) in &self.checkpoint {
            hasher.update(name.as_bytes()).update(b"\0").update(hash.as_bytes()).update(b"\0");
        }
        hasher.finalize().to_hex().to_string()
    }
}

fn hash_file(path: &Path) -> anyhow::Result<String> {
    let file = std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(hasher.finalize().to_hex().to_string())
}
