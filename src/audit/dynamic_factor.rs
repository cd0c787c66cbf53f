//! What the factor of dynamic NTK means, and where it begins.

use super::case::{Case, plain, tokens};
use crate::findings::{AuditFinding, Severity};

pub(super) fn check(case: &Case<'_>) -> Vec<AuditFinding> {
    if case.scaling() != "dynamic" {
        return Vec::new();
    }
    let (Some(factor), Some(longest)) = (case.number("factor"), case.longest()) else { return Vec::new() };
    let mut found = Vec::new();
    if let Some((key, original)) = case.original().filter(|(_, original)| *original < longest) {
        let meaning = format!(
            "dynamic scaling begins at `max_position_embeddings`, {}, whatever the original length says: between {} and there \
             nothing is scaled",
            tokens(longest),
            tokens(original)
        );
        let instead = format!("\"max_position_embeddings\": {original}");
        found.push(case.found(Severity::Error, key, meaning, instead, &["vllm-project/vllm #52665"]));
    } else if case.served.target.is_some_and(|target| target.as_f64() <= longest) {
        let meaning = format!(
            "{} tokens are served, and dynamic scaling begins beyond `max_position_embeddings`, {}: it never does anything",
            tokens(case.target()),
            tokens(longest)
        );
        let instead = "\"max_position_embeddings\": the trained length";
        found.push(case.found(Severity::Warning, case.key("factor"), meaning, instead, &[]));
    }
    let stretch = (case.target() / longest).max(2.0);
    let meaning = format!(
        "the factor is no length ratio here: at {} tokens the base grows by {}^(d/(d-2)), where factor 1 gives {} and is \
         usual; the base moves with the length, so cached keys keep old angles and some engines never turn back",
        tokens(stretch * longest),
        plain(factor * stretch - (factor - 1.0)),
        plain(stretch)
    );
    let known = ["huggingface/transformers #25104", "huggingface/transformers #25306", "QwenLM/Qwen #401"];
    found.push(case.found(
        Severity::Note,
        case.key("factor"),
        meaning,
        "\"factor\": 1.0, unless more was tried",
        &known,
    ));
    found
}
