//! The tokenizer's vocabulary and longest text against the configuration.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::case::{Case, tokens};
use crate::findings::{AuditFinding, Severity};

pub(super) fn check(case: &Case<'_>) -> Vec<AuditFinding> {
    let mut found: Vec<AuditFinding> =
        ["bos_token_id", "eos_token_id", "pad_token_id"].into_iter().filter_map(|key| outside(case, key)).collect();
    let Some(dir) = case.dir else { return found };
    found.extend(vocabulary(case, dir));
    found.extend(longest_text(case, dir));
    found
}

fn json(path: &Path) -> Option<Value> {
    serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
}

/// A special token that the vocabulary does not hold.
fn outside(case: &Case<'_>, key: &str) -> Option<AuditFinding> {
    let (value, size) = (case.config.value(key)?, case.top("vocab_size")?);
    let ids = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    let wrong = ids.iter().filter_map(Value::as_f64).find(|id| *id >= size)?;
    let meaning = format!("the token {} lies outside of the vocabulary of {}", tokens(wrong), tokens(size));
    Some(case.found(Severity::Error, key, meaning, format!("an id below {size}, or null"), &[]))
}

/// Tokens that the tokenizer makes and the embedding does not have.
fn vocabulary(case: &Case<'_>, dir: &Path) -> Option<AuditFinding> {
    let tokenizer = json(&dir.join("tokenizer.json"))?;
    let vocabulary = tokenizer.pointer("/model/vocab");
    let words = match vocabulary {
        Some(Value::Object(words)) => words.values().filter_map(Value::as_u64).max(),
        Some(Value::Array(words)) => (words.len() as u64).checked_sub(1),
        _ => None,
    };
    let added = tokenizer.get("added_tokens").and_then(Value::as_array).into_iter().flatten();
    let largest = added.filter_map(|token| token.get("id")?.as_u64()).chain(words).max()?;
    let size = case.top("vocab_size")?;
    (largest as f64 >= size).then(|| {
        let meaning = format!(
            "the tokenizer makes ids up to {}, and the model has {} tokens: reading one beyond is an error, or another row",
            tokens(largest as f64),
            tokens(size)
        );
        case.found(Severity::Error, "vocab_size", meaning, "the tokenizer that was saved with these weights", &[])
    })
}

/// A tokenizer that cuts texts shorter than what is served.
fn longest_text(case: &Case<'_>, dir: &Path) -> Option<AuditFinding> {
    let config = json(&dir.join("tokenizer_config.json"))?;
    let longest = config.get("model_max_length")?.as_f64()?;
    (longest < case.target()).then(|| {
        let meaning = format!(
            "texts are cut at {} tokens with a warning at most, and {} are served: what is measured beyond is the cut",
            tokens(longest),
            tokens(case.target())
        );
        let instead = format!("\"model_max_length\": {}", case.target());
        let known = ["huggingface/open-r1 #463", "stanford-crfm/helm #741"];
        let found = case.found(Severity::Warning, "model_max_length", meaning, instead, &known);
        AuditFinding { file: "tokenizer_config.json".to_owned(), line: None, ..found }
    })
}
