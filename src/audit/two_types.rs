//! The name of the scaling under its old key `type`, its new key `rope_type`, or both.

use serde_json::Value;

use super::case::Case;
use crate::findings::{AuditFinding, Severity};

pub(super) fn check(case: &Case<'_>) -> Vec<AuditFinding> {
    let named = |key| case.parameter(key).and_then(Value::as_str);
    let known = ["ggml-org/llama.cpp #8650", "ggml-org/llama.cpp #8676"];
    match (named("rope_type"), named("type")) {
        (Some(new), Some(old)) if new != old => {
            let meaning = format!(
                "`rope_type` is {new} and `type` is {old}: transformers and vLLM read `rope_type`, older readers `type`"
            );
            vec![case.found(Severity::Error, case.key("type"), meaning, format!("`rope_type: {new}` alone"), &known)]
        }
        (None, Some(old)) if old != "default" => {
            let meaning = format!("readers that know `rope_type` alone see no scaling and run without {old}");
            let instead = format!("\"rope_type\": \"{old}\"");
            vec![case.found(Severity::Note, case.key("type"), meaning, instead, &known)]
        }
        _ => Vec::new(),
    }
}
