//! Llama 3's scaling under a key that old readers skip, and its keys under another scaling.

use super::case::Case;
use crate::findings::{AuditFinding, Severity};

pub(super) fn check(case: &Case<'_>) -> Vec<AuditFinding> {
    let known = ["ggml-org/llama.cpp #8676", "lablup/mlxcel #1355"];
    let bounds = ["low_freq_factor", "high_freq_factor"];
    let written: Vec<&str> = bounds.into_iter().filter(|key| case.parameter(key).is_some()).collect();
    match (case.scaling(), written.first()) {
        ("llama3", _) if case.parameter("rope_type").is_none() => {
            let meaning = "llama3 is named under `type`, and no version of transformers wrote it there: readers that parse \
                           the object and skip the name run unscaled, fine when short and looping when long";
            vec![case.found(Severity::Warning, case.key("type"), meaning, "\"rope_type\": \"llama3\"", &known)]
        }
        (other, Some(key)) if other != "llama3" => {
            let meaning = format!("`{key}` belongs to llama3, and the scaling is {other}: the bounds are not used");
            vec![case.found(
                Severity::Error,
                case.key(key),
                meaning,
                "\"rope_type\": \"llama3\", or no such key",
                &known,
            )]
        }
        _ => Vec::new(),
    }
}
