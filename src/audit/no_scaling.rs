//! A scaling that is written and does nothing.

use serde_json::Value;

use super::case::{Case, plain};
use crate::findings::{AuditFinding, Severity};
use crate::positions::{AnyMethod, Method, fingerprint};
use crate::units::Stretch;

pub(super) fn check(case: &Case<'_>) -> Vec<AuditFinding> {
    let named = case.parameter("rope_type").or_else(|| case.parameter("type")).and_then(Value::as_str);
    let factor = case.number("factor");
    let known = ["ggml-org/llama.cpp #8676", "lablup/mlxcel #1355"];
    if let Some(factor) = factor.filter(|factor| *factor != 1.0 && case.scaling() == "default") {
        let why = if named.is_some() { "its type is `default`" } else { "it names no `rope_type`" };
        let meaning = format!("the factor {} does nothing: {why}, so the rotation is unscaled", plain(factor));
        let instead = "\"rope_type\": the scaling that was meant, for example \"yarn\"";
        return vec![case.found(Severity::Error, case.key("factor"), meaning, instead, &known)];
    }
    let Some(positions) = case.positions else { return Vec::new() };
    let (method, declared) = &positions.declared;
    if case.scaling() == "default" || *declared == Stretch::ONE {
        return Vec::new();
    }
    let at = |method: &AnyMethod, factor| {
        let longer = crate::units::Tokens(positions.heads.trained.0.saturating_mul(2));
        method.mechanism(&positions.heads, factor, longer).ok().map(|mechanism| fingerprint(&mechanism))
    };
    if at(method, *declared) == at(&positions.heads.native, Stretch::ONE) {
        let meaning = format!(
            "{} with factor {declared} gives the unscaled frequencies of this model: no pair is slow enough to be changed",
            method.name()
        );
        let instead = "the original length in tokens, and bounds that reach the model's slowest pair";
        return vec![case.found(Severity::Warning, case.key("factor"), meaning, instead, &known)];
    }
    Vec::new()
}
