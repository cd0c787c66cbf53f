//! An attention window that is narrower than what is served.

use serde_json::Value;

use super::case::{Case, tokens};
use crate::findings::{AuditFinding, Severity};

/// transformers' window for a Mistral configuration that names none.
const MISTRALS: f64 = 4_096.0;

pub(super) fn check(case: &Case<'_>) -> Vec<AuditFinding> {
    let key = "sliding_window";
    if case.config.value("use_sliding_window").and_then(Value::as_bool) == Some(false) {
        return Vec::new();
    }
    let known = ["huggingface/transformers #29623", "ml-explore/mlx-lm #390"];
    let served = case.target();
    match case.config.written(key) {
        None if case.model_type() == "mistral" && served > MISTRALS => {
            let meaning = format!(
                "no window is written: transformers gives Mistral one of 4,096 tokens, other engines none, and {} are served",
                tokens(served)
            );
            vec![case.found(Severity::Warning, key, meaning, "\"sliding_window\": null, or the trained window", &known)]
        }
        Some(window) => match window.as_f64().filter(|window| *window < served) {
            Some(window) => {
                let kinds = case.config.value("layer_types").and_then(Value::as_array);
                let is_full = |kind: &Value| kind.as_str() == Some("full_attention");
                let some_layers = kinds.is_some_and(|kinds| kinds.iter().any(is_full));
                let (severity, layers) =
                    if some_layers { (Severity::Note, " in some layers") } else { (Severity::Warning, "") };
                let meaning = format!(
                    "attention sees the last {} of {} tokens{layers}: what lies before is lost by design, whatever the \
                     positions; engines differ by one token at its edge, and some ignore it",
                    tokens(window),
                    tokens(served)
                );
                let instead = "null where the model was trained without a window";
                vec![case.found(severity, key, meaning, instead, &known)]
            }
            None => Vec::new(),
        },
        None => Vec::new(),
    }
}
