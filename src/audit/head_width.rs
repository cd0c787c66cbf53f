//! The width of a head, written and computed, and how heads share keys.

use super::case::{Case, plain};
use crate::findings::{AuditFinding, Severity};

pub(super) fn check(case: &Case<'_>) -> Vec<AuditFinding> {
    let mut found = Vec::new();
    let (Some(width), Some(heads)) = (case.top("hidden_size"), case.top("num_attention_heads")) else { return found };
    if let Some(keys) = case.top("num_key_value_heads").filter(|keys| heads % keys != 0.0) {
        let meaning = format!("{} query heads cannot share {} key-value heads evenly", plain(heads), plain(keys));
        found.push(case.found(Severity::Error, "num_key_value_heads", meaning, "a divisor of the query heads", &[]));
    }
    if let Some(head_dim) = case.top("head_dim").filter(|head_dim| head_dim * heads != width) {
        let meaning = format!(
            "a head is {} wide, and hidden size / heads is {} / {} = {}: engines that compute it get other frequencies, or \
             stop at the projections' shapes",
            plain(head_dim),
            plain(width),
            plain(heads),
            plain(width / heads)
        );
        found.push(case.found(Severity::Note, "head_dim", meaning, "nothing, if the tensors have that width", &[]));
    }
    found
}
