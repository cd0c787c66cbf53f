//! Faults with a length of their own, found by the position where the declared configuration begins to fail.

use serde_json::json;

use crate::faults::AnyFault;

/// Faults that begin at a position, or one token around it: the first wrong answer is that of the token behind the first
/// wrong position.
pub(super) fn faults(onset: usize) -> Vec<AnyFault> {
    let mut found = Vec::new();
    for length in [onset, onset.saturating_sub(1), onset + 1].into_iter().filter(|length| *length > 0) {
        for written in [
            json!({ "window_forced": { "keys": length } }),
            json!({ "table_clamps": { "rows": length } }),
            json!({ "table_wraps": { "rows": length } }),
            json!({ "table_ends_unrotated": { "rows": length } }),
            json!({ "table_ends_in_zeros": { "rows": length } }),
            json!({ "table_regrown_unscaled": { "rows": length } }),
        ] {
            found.extend(serde_json::from_value::<AnyFault>(written));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_of_the_list_exists() {
        let found = faults(512);
        assert_eq!(found.len(), 18);
        assert_eq!(found[0].label(), "window_forced (keys 512)");
        assert!(found.iter().any(|fault| fault.label() == "table_wraps (rows 511)"), "{found:?}");
    }
}
