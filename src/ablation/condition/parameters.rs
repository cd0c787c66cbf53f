//! Parameters of faults as the battery reads them: where a table ends, how wide a window is, by how much scores are scaled.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::search::Candidate;
use crate::faults::{AnyFault, Fault, Setting};
use crate::measurement::{Quantity, Reading};

/// Lengths that are tried around the place where something begins.
const AROUND: std::ops::RangeInclusive<i64> = -1..=1;

/// Ratios closer to 1 than this are no parameter.
const RATIO: f64 = 1e-3;

/// Bits that caches are quantised to.
const BITS: [u64; 4] = [2, 3, 4, 8];

/// Candidates with parameters other than their defaults, as far as the rows propose some.
///
/// A parameter that no fault has is proposed to none; one that a fault does not accept is dropped.
#[must_use]
pub fn refined(catalogue: &[Candidate], readings: &[Reading], setting: &Setting) -> Vec<Candidate> {
    let proposals = proposals(readings, setting);
    let mut found: Vec<Candidate> = Vec::new();
    for candidate in catalogue {
        for (parameter, value) in &proposals {
            let written = json!({ candidate.fault.name(): { *parameter: value } });
            let Ok(fault) = serde_json::from_value::<AnyFault>(written) else { continue };
            let known = fault == candidate.fault || found.iter().any(|other| other.fault == fault);
            if !known && fault.check().is_ok() && fault.applies(setting) {
                // The name of the catalogue, with the parameter in parentheses.
                let name = fault.label().replacen(fault.name(), &candidate.name, 1);
                found.push(Candidate { name, fault });
            }
        }
    }
    found
}

/// Parameters by the names that faults give them.
fn proposals(readings: &[Reading], setting: &Setting) -> Vec<(&'static str, Value)> {
    let mut proposals = Vec::new();
    for length in lengths(readings) {
        proposals.extend(["rows", "keys", "limit"].map(|parameter| (parameter, json!(length))));
    }
    for ratio in ratios(readings) {
        proposals.push(("ratio", json!(ratio)));
    }
    for theta in bases(readings, setting) {
        proposals.push(("theta", json!(theta)));
    }
    for tokens in offsets(readings) {
        proposals.push(("tokens", json!(tokens)));
    }
    proposals.extend(BITS.map(|bits| ("bits", json!(bits))));
    proposals
}

/// Where phases, or answers, begin to differ.
fn lengths(readings: &[Reading]) -> BTreeSet<usize> {
    let phases = readings
        .iter()
        .filter(|row| row.probe == "precision" && row.quantity == Quantity::PhaseError)
        .flat_map(|row| [row.at.from, row.at.to.map(|to| to.saturating_sub(1))])
        .flatten();
    let answers = readings
        .iter()
        .filter(|row| row.probe == "one_shot" && row.quantity == Quantity::FirstDifference)
        .map(|row| row.value as u32);
    phases
        .chain(answers)
        .flat_map(|begins| AROUND.map(move |more| i64::from(begins) + more))
        .filter(|length| *length > 1)
        .map(|length| length as usize)
        .collect()
}

/// By how much scores, or biases, are scaled.
fn ratios(readings: &[Reading]) -> Vec<f64> {
    let mut ratios: Vec<f64> = Vec::new();
    let temperatures =
        readings.iter().filter(|row| row.quantity == Quantity::Temperature).map(|row| row.value).collect::<Vec<_>>();
    ratios.extend(crate::stats::mean(&temperatures));
    let biases = readings.iter().filter(|row| row.probe == "bias" && row.quantity == Quantity::RelativeError);
    if let Some(error) = biases.map(|row| row.value).reduce(f64::max) {
        ratios.extend([1.0 + error, 1.0 - error]);
    }
    // Parameters are written by people, who round.
    ratios.retain(|ratio| (ratio - 1.0).abs() > RATIO && *ratio > 0.0);
    ratios.iter().map(|ratio| (ratio * 1e3).round() / 1e3).chain(ratios.iter().copied()).collect()
}

/// Bases that explain the effective frequency of the second pair, which every scaling leaves nearly alone.
fn bases(readings: &[Reading], setting: &Setting) -> Vec<f64> {
    let pair = |index: u32| {
        let of = |row: &&Reading| row.quantity == Quantity::FrequencyRatio && row.at.pair == Some(index);
        readings.iter().find(of).map(|row| row.value)
    };
    let Some(ratio) = pair(1).filter(|ratio| *ratio > 0.0 && (ratio - 1.0).abs() > RATIO * RATIO) else {
        return Vec::new();
    };
    let base = setting.heads.theta * ratio.powf(-(setting.heads.rotary_dim as f64) / 2.0);
    let magnitude = 10_f64.powf(base.log10().floor() - 2.0);
    let rounded = (base / magnitude).round() * magnitude;
    vec![rounded, base]
}

/// By how many tokens decoded positions are off: the error of the fastest pair, in radians per position.
fn offsets(readings: &[Reading]) -> BTreeSet<usize> {
    readings
        .iter()
        .filter(|row| row.probe == "rotation_decoded" && row.quantity == Quantity::PhaseError && row.at.pair == Some(0))
        .map(|row| row.value.abs().round() as usize)
        .filter(|tokens| *tokens > 0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ablation::condition::catalogue;
    use crate::measurement::Place;
    use crate::positions::{AnyMethod, HeadShape, Pairing};
    use crate::units::{Stretch, Tokens};

    fn row(probe: &str, quantity: Quantity, at: Place, value: f64) -> Reading {
        let (probe, protocol) = (probe.to_owned(), "parity/1".to_owned());
        Reading { quantity, probe, protocol, document: 0, repeat: 0, at, value, count: 1 }
    }

    #[test]
    fn a_table_and_a_scale_are_proposed_with_what_was_read() {
        let method = AnyMethod::named("yarn").unwrap_or_else(AnyMethod::unscaled);
        let heads = HeadShape {
            heads: 4,
            width: 128,
            head_dim: 32,
            rotary_dim: 32,
            theta: 10_000.0,
            trained: Tokens(2048),
            pairing: Pairing::HalfSplit,
            native: AnyMethod::unscaled(),
        };
        let setting = Setting { method, factor: Stretch(4.0), heads, window: None };
        let at = Place { from: Some(4095), to: Some(4097), ..Place::default() };
        let pair = Place { pair: Some(1), ..Place::default() };
        let rows = [
            row("precision", Quantity::PhaseError, at, 0.5),
            row("temperature", Quantity::Temperature, Place::default(), 1.3),
            row("rotation", Quantity::FrequencyRatio, pair, (500_000_f64 / 10_000.0).powf(-2.0 / 32.0)),
        ];
        let names: Vec<String> =
            refined(&catalogue(), &rows, &setting).into_iter().map(|candidate| candidate.name).collect();
        for expected in ["table_clamps (rows 4096)", "softmax_scale (ratio 1.3)"] {
            assert!(names.iter().any(|name| name == expected), "{expected} is not in {names:?}");
        }
        let theta = names.iter().any(|name| name.starts_with("base_of_another_model (theta 5"));
        assert!(theta || catalogue().iter().any(|one| one.fault.label().contains("500000")), "{names:?}");
    }
}
