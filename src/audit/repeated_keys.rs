//! One key written twice in one object.

use super::case::Case;
use crate::findings::{AuditFinding, Severity};

pub(super) fn check(case: &Case<'_>) -> Vec<AuditFinding> {
    let said = |(key, lines): (&str, &[usize])| {
        let lines: Vec<String> = lines.iter().map(usize::to_string).collect();
        let meaning = format!(
            "the key stands on lines {}; Python and most others keep the last one, some readers the first",
            lines.join(" and ")
        );
        case.found(Severity::Error, key, meaning, "the key once", &[])
    };
    case.config.repeated().map(said).collect()
}
