//! LongRoPE's two lists, and the length at which they change places.

use serde_json::Value;

use super::case::{Case, plain, tokens};
use crate::findings::{AuditFinding, Severity};

pub(super) fn check(case: &Case<'_>) -> Vec<AuditFinding> {
    if case.scaling() != "longrope" {
        return Vec::new();
    }
    let list = |key: &str| -> Vec<f64> {
        case.parameter(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_f64).collect()
    };
    let (short, long) = (list("short_factor"), list("long_factor"));
    let mut found = Vec::new();
    for (key, list) in [("short_factor", &short), ("long_factor", &long)] {
        if let Some((pair, least)) =
            list.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)).filter(|(_, x)| **x < 1.0)
        {
            let meaning = format!("pair {pair} is divided by {}: it turns faster than it was trained", plain(*least));
            found.push(case.found(Severity::Warning, case.key(key), meaning, "numbers of at least 1", &[]));
        }
    }
    if let Some((pair, (near, far))) = short.iter().zip(&long).enumerate().find(|(_, (near, far))| far < near) {
        let meaning = format!(
            "pair {pair} is stretched by {} up to the original length and by {} beyond it: are the lists exchanged?",
            plain(*near),
            plain(*far)
        );
        found.push(case.found(Severity::Warning, case.key("long_factor"), meaning, "the longer list's numbers", &[]));
    }
    if let Some((key, original)) = case.original().filter(|(_, original)| case.target() > *original) {
        let meaning = format!(
            "all frequencies change at token {}: a text that passes it reads its cached keys at the angles of the short list, \
             and some engines take the long list for every text once the longest length is above",
            tokens(original)
        );
        let known = [
            "huggingface/transformers #33129",
            "vllm-project/vllm #27414",
            "vllm-project/vllm #27431",
            "unslothai/unsloth #10681",
        ];
        found.push(case.found(
            Severity::Note,
            key,
            meaning,
            "nothing; test at this length and one token around",
            &known,
        ));
    }
    found
}
