//! The old `rope_scaling` beside the new `rope_parameters`.

use std::collections::BTreeSet;

use super::case::Case;
use crate::findings::{AuditFinding, Severity};

pub(super) fn check(case: &Case<'_>) -> Vec<AuditFinding> {
    let [old, new] = ["rope_scaling", "rope_parameters"];
    if case.config.keys(old).next().is_none() || case.config.keys(new).next().is_none() {
        return Vec::new();
    }
    // The base has a check of its own; `type` is the old name of `rope_type`.
    let keys = |object: &'static str| case.config.keys(object).filter(|key| *key != "rope_theta");
    let canonical = |key: &str| if key == "type" { "rope_type".to_owned() } else { key.to_owned() };
    let value = |object: &str, key: &str| {
        let written = |key: &str| case.config.value(&format!("{object}.{key}"));
        let found = if key == "rope_type" { written("rope_type").or_else(|| written("type")) } else { written(key) };
        // 4 and 4.0 are one number.
        found.map(|value| value.as_f64().map_or_else(|| value.to_string(), |number| number.to_string()))
    };
    let all: BTreeSet<String> = keys(old).chain(keys(new)).map(canonical).collect();
    let differ: Vec<String> =
        all.into_iter().filter(|key| value(old, key) != value(new, key)).map(|key| format!("`{key}`")).collect();
    let known = ["vllm-project/vllm #28542", "sgl-project/sglang #14745"];
    if differ.is_empty() {
        let meaning = "the rotation is declared twice, and both say the same";
        return vec![case.found(Severity::Note, old, meaning, "`rope_parameters` alone", &known)];
    }
    let meaning = format!(
        "`{old}` and `{new}` differ in {}: transformers takes `{old}` whole and forgets `{new}`, engines written for the \
         new form take the other",
        differ.join(", ")
    );
    vec![case.found(Severity::Error, old, meaning, format!("one of the two, with what was meant, in `{new}`"), &known)]
}
