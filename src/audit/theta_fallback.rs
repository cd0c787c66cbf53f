//! What becomes of the base where an engine does not find it.

use super::case::{Case, plain, tokens};
use super::two_thetas::MOVED;
use crate::findings::{AuditFinding, Severity};
use crate::positions::{Method, Scheme};

/// What every engine takes for an absent base.
const FALLBACK: f64 = 10_000.0;

/// Models of longer contexts are rarely trained with the fallback.
const USUAL: f64 = 4_096.0;

pub(super) fn check(case: &Case<'_>) -> Vec<AuditFinding> {
    // A model without a rotation has no base.
    if case.positions.is_some_and(|positions| positions.heads.native.scheme() != Scheme::Rotary) {
        return Vec::new();
    }
    let (top, inside) = (case.top("rope_theta"), case.number("rope_theta"));
    match (top, inside) {
        (None, Some(theta)) if theta != FALLBACK => {
            let meaning = format!(
                "the base {} stands inside of `{}` alone: engines that look for it at the top fall back to 10,000 without a \
                 word, which is damage at every position and most at short range",
                plain(theta),
                case.rope().unwrap_or_default()
            );
            let instead = format!("\"rope_theta\": {} at the top too, for engines before transformers 5", plain(theta));
            vec![case.found(Severity::Note, case.key("rope_theta"), meaning, instead, &MOVED)]
        }
        (None, None) => {
            let longest = case.longest().unwrap_or(0.0);
            let long = longest > USUAL;
            let severity = if long { Severity::Warning } else { Severity::Note };
            let unusual = format!("; models of {} tokens are rarely trained with it", tokens(longest));
            let meaning =
                format!("no base is written, so every engine takes 10,000{}", if long { unusual.as_str() } else { "" });
            let known = ["LostRuins/koboldcpp #426", "ggml-org/llama.cpp #3090"];
            let instead = "\"rope_theta\": the base that the weights were trained with, 10000 included";
            vec![case.found(severity, "rope_theta", meaning, instead, &known)]
        }
        _ => Vec::new(),
    }
}
