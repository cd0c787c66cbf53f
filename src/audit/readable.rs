//! Whether a healthy engine can read the positions at all.

use super::case::Case;
use crate::checkpoint::CheckpointError;
use crate::findings::{AuditFinding, Severity};
use crate::positions::MethodError;

pub(super) fn check(case: &Case<'_>) -> Vec<AuditFinding> {
    let Some(obstacle) = case.obstacle else { return Vec::new() };
    let hint = obstacle.to_string().split_once("\nhint: ").map_or_else(String::new, |(_, hint)| hint.to_owned());
    let found = match obstacle {
        CheckpointError::Missing { key, .. } => {
            case.found(Severity::Error, key, format!("`{key}` is missing, and engines stop or guess"), hint, &[])
        }
        // Parameters by type of layer are a form of their own, which no check here takes apart.
        CheckpointError::Unsupported { key, found, supported, .. } if supported.contains("all layers") => {
            let meaning = format!("the rotation is declared apart for one type of layer ({found}); it is not audited");
            case.found(Severity::Note, key, meaning, "nothing; look at each type of layer by itself", &[])
        }
        CheckpointError::Unsupported { key, found, supported, .. } => {
            let meaning = format!("the value cannot be applied: {found}");
            case.found(Severity::Error, key, meaning, supported, &[])
        }
        CheckpointError::Method { source: MethodError::Parameter { name, expected, .. }, .. } => {
            case.found(Severity::Error, case.key(name), said(obstacle), *expected, &[])
        }
        CheckpointError::Method { source: MethodError::Factor { .. }, .. } => {
            case.found(Severity::Error, case.key("factor"), said(obstacle), "a number of at least 1", &[])
        }
        other => case.found(Severity::Error, case.rope().unwrap_or("rope_parameters"), said(other), hint, &[]),
    };
    vec![found]
}

/// What an engine would say where it stops.
fn said(obstacle: &CheckpointError) -> String {
    match obstacle {
        CheckpointError::Method { source, .. } => source.to_string(),
        other => other.to_string().lines().next().unwrap_or_default().to_owned(),
    }
}
