//! No original length beside a scaling that is computed from it.

use super::case::{Case, tokens};
use crate::findings::{AuditFinding, Severity};

pub(super) fn check(case: &Case<'_>) -> Vec<AuditFinding> {
    let uses = match case.scaling() {
        "yarn" => "the ramp between kept and interpolated pairs",
        "llama3" => "the wavelengths that are kept",
        "longrope" => "the switch from the short list to the long one",
        _ => return Vec::new(),
    };
    if case.original().is_some() {
        return Vec::new();
    }
    let longest = case.longest().map_or_else(|| "the longest length".to_owned(), tokens);
    let meaning = format!(
        "the original length is missing, and {uses} follows from it: transformers takes `max_position_embeddings`, {longest}, \
         vLLM stops; where the weights were trained at less, every slow pair is wrong"
    );
    let instead = "\"original_max_position_embeddings\": the length that the weights were trained at";
    let key = case.key("original_max_position_embeddings");
    vec![case.found(Severity::Error, key, meaning, instead, &["huggingface/transformers #38224"])]
}
