//! The base of the rotary frequencies in two places.

use super::case::{Case, plain};
use crate::findings::{AuditFinding, Severity};

/// Engines that read one place only and fell back to 10,000 when the key moved.
pub(super) const MOVED: [&str; 3] =
    ["vllm-project/vllm #28542", "sgl-project/sglang #14745", "InternLM/lmdeploy #4303"];

pub(super) fn check(case: &Case<'_>) -> Vec<AuditFinding> {
    let mut found = Vec::new();
    let inside = case.number("rope_theta");
    if let (Some(top), Some(inside)) = (case.top("rope_theta"), inside)
        && top != inside
    {
        let (top, inside) = (plain(top), plain(inside));
        let meaning = format!(
            "`rope_theta` is {top} at the top and {inside} inside: transformers 5 takes {inside}, engines that read the top \
             alone take {top}, and every frequency differs"
        );
        let instead = format!("the base that the weights were trained with, once: {inside} or {top}");
        found.push(case.found(Severity::Error, case.key("rope_theta"), meaning, instead, &MOVED));
    }
    // `rope_scaling` replaces `rope_parameters` whole, the base in it too.
    let lost = case.config.value("rope_parameters.rope_theta").and_then(serde_json::Value::as_f64);
    if let Some(lost) = lost.filter(|_| case.rope() == Some("rope_scaling"))
        && inside.or_else(|| case.top("rope_theta")) != Some(lost)
    {
        let read = inside.or_else(|| case.top("rope_theta")).unwrap_or(10_000.0);
        let (lost, read) = (plain(lost), plain(read));
        let meaning = format!(
            "the base {lost} in `rope_parameters` is forgotten, since `rope_scaling` replaces that object: transformers runs \
             with {read}"
        );
        let instead = "the parameters of both in `rope_parameters`, and no `rope_scaling`";
        found.push(case.found(Severity::Error, "rope_parameters.rope_theta", meaning, instead, &MOVED));
    }
    found
}
