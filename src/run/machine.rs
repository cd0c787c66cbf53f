//! Where a run's numbers come from: versions, machine, memory.

use std::collections::BTreeMap;
use std::fs;

use super::Request;
use super::fingerprint::Identity;
use crate::reports::{Machine, Provenance};
use crate::scenario::Scenario;
use crate::units::Seconds;

/// The run's provenance; memory is the process's peak so far.
pub(super) fn provenance(
    scenario: &Scenario,
    request: &Request,
    identity: &Identity,
    started: String,
    wall_seconds: Seconds,
) -> Provenance {
    Provenance {
        commit: option_env!("GYRO_COMMIT").filter(|commit| *commit != "unknown").map(str::to_owned),
        versions: versions(),
        machine: machine(),
        device: request.device.clone(),
        threads: request.threads,
        seed: scenario.seed,
        scenario_path: request.scenario.display().to_string(),
        scenario_text: scenario.text.clone(),
        trained: scenario.trained,
        target: scenario.target,
        checkpoint: scenario.checkpoint.display().to_string(),
        checkpoint_config: fs::read_to_string(scenario.checkpoint.join("config.json")).ok(),
        checkpoint_hashes: identity.checkpoint.clone(),
        text_hash: identity.text.clone(),
        quick: request.quick,
        started,
        wall_seconds,
        peak_memory_bytes: kilobytes("/proc/self/status", "VmHWM:").map(|kilobytes| kilobytes * 1024),
        protocols: protocols(scenario),
    }
}

fn versions() -> BTreeMap<String, String> {
    #[cfg(feature = "libtorch")]
    let libraries = crate::replay::versions();
    #[cfg(not(feature = "libtorch"))]
    let libraries: [(&str, String); 0] = [];
    let mut versions = BTreeMap::from([("gyro".to_owned(), env!("CARGO_PKG_VERSION").to_owned())]);
    versions.extend(libraries.into_iter().map(|(name, version)| (name.to_owned(), version)));
    versions
}

fn machine() -> Machine {
    let processor = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        line.split_once(':').map(|(_, name)| name.trim().to_owned())
    });
    Machine {
        system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        processor: processor.unwrap_or_else(|| "unknown".to_owned()),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        memory_bytes: kilobytes("/proc/meminfo", "MemTotal:").map(|kilobytes| kilobytes * 1024),
    }
}

/// A value in kB from one of Linux's tables; absent on other systems.
fn kilobytes(path: &str, key: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| line.strip_prefix(key))?.split_whitespace().next()?.parse().ok()
}

/// How each probe measures, in one sentence.
fn protocols(scenario: &Scenario) -> BTreeMap<String, String> {
    let sizes = &scenario.sizes;
    let (trained, target) = (scenario.trained, scenario.target);
    let sentences = [
        (
            "short_range",
            format!(
                "Loss of text tokens with at most 256 tokens of context: the first 256 positions and {} windows deep in \
                 each document, at their true positions; mean over tokens, paired by document against the unscaled model.",
                sizes.short_windows
            ),
        ),
        (
            "long_range",
            format!(
                "Loss of text tokens by position in one forward over {target} tokens; the reference beyond {trained} is the \
                 unscaled model whose context is truncated to {trained} tokens (windows advanced by half of that)."
            ),
        ),
        (
            "retrieval",
            "Share of random facts whose value tokens are all the most likely ones when asked for again, by the distance \
             between fact and question; the reference is the unscaled model at distances that its window always holds."
                .to_owned(),
        ),
        (
            "attention",
            format!(
                "Every {}th query of {} document(s), mean over heads; mass by distance in tokens.",
                sizes.attention_every, sizes.attention_documents
            ),
        ),
        (
            "latency",
            format!(
                "Prefill, then {} decoded tokens, of the deployed and the unscaled model in turns, {} blocks at each \
                 length; the unscaled model is timed twice in each block as a null control.",
                sizes.decode_tokens, sizes.latency_blocks
            ),
        ),
    ];
    let asked = |name: &str| scenario.probes.iter().any(|probe| probe.name() == name);
    sentences.into_iter().filter(|(name, _)| asked(name)).map(|(name, text)| (name.to_owned(), text)).collect()
}
