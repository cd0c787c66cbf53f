//! The original length in two places, or above the longest.

use super::case::{Case, tokens};
use crate::findings::{AuditFinding, Severity};

const NAME: &str = "original_max_position_embeddings";

pub(super) fn check(case: &Case<'_>) -> Vec<AuditFinding> {
    let mut found = Vec::new();
    if let (Some(top), Some(inside)) = (case.top(NAME), case.number(NAME))
        && top != inside
    {
        let (top, inside) = (tokens(top), tokens(inside));
        let meaning = format!(
            "the original length is {top} at the top and {inside} inside: transformers takes {top}, engines that read the \
             rope object alone take {inside}, and the ramp or the switch moves"
        );
        found.push(case.found(Severity::Error, case.key(NAME), meaning, "the trained length, once, inside", &[]));
    }
    if let (Some((key, original)), Some(longest)) = (case.original(), case.longest())
        && original > longest
    {
        let meaning = format!(
            "the original length {} is above `max_position_embeddings`, {}: a stretch cannot shorten",
            tokens(original),
            tokens(longest)
        );
        found.push(case.found(Severity::Error, key, meaning, "exchange the two, or correct the original length", &[]));
    }
    found
}
