//! Where a run's numbers come from: versions, machine, memory.

use std::collections::BTreeMap;
use std::fs;

use super::Request;
use super::fingerprint::Identity;
use crate::checkpoint::Config;
use crate::positions::{Method, fingerprint};
use crate::provenance::{Machine, Provenance};
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
        machine: machine(&request.device),
        device: request.device.clone(),
        dtype: Some("float32".to_owned()),
        threads: request.threads,
        seed: scenario.seed,
        scenario_path: request.scenario.display().to_string(),
        scenario_text: scenario.text.clone(),
        scenario_hash: Some(scenario.hash()),
        positions: positions(scenario),
        trained: scenario.trained,
        target: scenario.target,
        checkpoint: scenario.checkpoint.display().to_string(),
        checkpoint_config: fs::read_to_string(scenario.checkpoint.join("config.json")).ok(),
        checkpoint_hashes: identity.checkpoint.clone(),
        text_hash: identity.text.clone(),
        quick: request.quick,
        only: request.only.clone(),
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

/// The fingerprint of the positions that the deployed cell has at the target length; absent where its weights have none.
fn positions(scenario: &Scenario) -> Option<String> {
    let (method, factor) = &scenario.deployed;
    let mut config = Config::read(scenario.weights_of(method)).ok()?;
    if scenario.deployed_adapted.0 > 0 {
        config = config.with_native(method);
    }
    Some(fingerprint(&method.mechanism(&config.heads, *factor, scenario.target).ok()?))
}

fn machine(device: &str) -> Machine {
    let gpu = |field: &str| {
        let index = device.strip_prefix("cuda")?.trim_start_matches(':');
        let id = format!("--id={}", if index.is_empty() { "0" } else { index });
        let query = format!("--query-gpu={field}");
        let output =
            std::process::Command::new("nvidia-smi").args([&query, "--format=csv,noheader", &id]).output().ok()?;
        let text = output.status.success().then(|| String::from_utf8(output.stdout).ok())??;
        Some(text.trim().to_owned())
    };
    let processor = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        line.split_once(':').map(|(_, name)| name.trim().to_owned())
    });
    Machine {
        system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        processor: processor.unwrap_or_else(|| "unknown".to_owned()),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        memory_bytes: kilobytes("/proc/meminfo", "MemTotal:").map(|kilobytes| kilobytes * 1024),
        accelerator: gpu("name"),
        driver: gpu("driver_version"),
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
                "Loss of text tokens with at most 256 tokens of context: the first 256 positions and {} windows deep \
                 in \
                 each document, at their true positions; mean over tokens, paired by document against the unscaled \
                 model.",
                sizes.short_windows
            ),
        ),
        (
            "long_range",
            format!(
                "Loss of text tokens by position in one forward over {target} tokens; the reference beyond {trained} \
                 is the \
                 unscaled model whose context is truncated to {trained} tokens (windows advanced by half of that)."
            ),
        ),
        (
            "retrieval",
            "Share of random facts whose value tokens are all the most likely ones when asked for again, by the \
             distance \
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
                "Prefill, then {} decoded tokens (the median of them), of the deployed model, the unscaled one, and the \
                 unscaled one without positional work in turns, {} blocks at each length; the unscaled model is timed twice \
                 in each block as a null control.",
                sizes.decode_tokens, sizes.latency_blocks
            ),
        ),
    ];
    let asked = |name: &str| scenario.probes.iter().any(|probe| probe.name() == name);
    sentences.into_iter().filter(|(name, _)| asked(name)).map(|(name, text)| (name.to_owned(), text)).collect()
}
