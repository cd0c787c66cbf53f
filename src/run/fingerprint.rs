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
    /// Reads and hashes the files of all checkpoints, the texts and the observed outputs.
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
        if let Some(observed) = &scenario.observed {
            // What they say takes the place of what was meant, so other outputs are another run.
            checkpoint.insert("observed outputs".to_owned(), hash_file(observed)?);
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

/// The hash of the program that is running: what another build found is not its own.
pub(super) fn program() -> anyhow::Result<String> {
    hash_file(&std::env::current_exe().context("cannot find the program itself")?)
}

fn hash_file(path: &Path) -> anyhow::Result<String> {
    let file = std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(hasher.finalize().to_hex().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario;

    #[test]
    fn outputs_that_were_recorded_anew_make_another_run() {
        let mut scenario = scenario::load(Path::new("scenarios/observed_engine.yaml")).unwrap();
        let of = |scenario: &Scenario| Identity::of(scenario, "cpu", 1).unwrap().fingerprint();
        let before = of(&scenario);
        assert_eq!(before, of(&scenario));
        // Any file of another content will do.
        scenario.observed = Some(scenario.documents.clone());
        assert_ne!(before, of(&scenario));
    }

    #[test]
    fn the_program_has_a_hash() {
        assert_eq!(program().unwrap().len(), 64);
        assert_eq!(program().unwrap(), program().unwrap());
    }
}
