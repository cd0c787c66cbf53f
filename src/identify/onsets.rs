//! Faults with a number of their own, found by search: where the declared configuration begins to fail says which numbers
//! to try.

use serde_json::{Value, json};

use super::anomalies::{Anomaly, Shape};
use crate::faults::AnyFault;

/// Offsets of decoded tokens that are tried.
const OFFSETS: std::ops::RangeInclusive<usize> = 1..=8;
/// So many tokens may have been left over or evicted.
pub(super) const COUNTS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];

/// Faults that an anomaly may come from.
pub(super) fn faults(anomaly: &Anomaly) -> Vec<AnyFault> {
    let written: Vec<Value> = match (anomaly.shape, anomaly.at) {
        (Shape::CacheOnly, at) => {
            let offsets = OFFSETS.map(|tokens| json!({ "decode_offset_by_one": { "tokens": tokens } }));
            let limits = at.into_iter().flat_map(around);
            let evicted = limits.flat_map(|limit| {
                COUNTS.map(|tokens| json!({ "evicted_first_tokens": { "tokens": tokens, "limit": limit } }))
            });
            let bits = (2..=8).map(|bits| json!({ "quantised_cache": { "bits": bits } }));
            offsets.chain(evicted).chain(bits).collect()
        }
        (Shape::OrderOnly, _) => COUNTS.map(|tokens| json!({ "left_over_keys": { "tokens": tokens } })).to_vec(),
        (_, Some(onset)) => around(onset).flat_map(at_length).collect(),
        (_, None) => Vec::new(),
    };
    written.into_iter().filter_map(|written| serde_json::from_value(written).ok()).collect()
}

/// A length, or one token around it: the first wrong answer is that of the token behind the first wrong position.
fn around(onset: usize) -> impl Iterator<Item = usize> {
    [onset, onset.saturating_sub(1), onset + 1].into_iter().filter(|length| *length > 0)
}

/// Faults that begin at a length.
fn at_length(length: usize) -> [Value; 6] {
    [
        json!({ "window_forced": { "keys": length } }),
        json!({ "table_clamps": { "rows": length } }),
        json!({ "table_wraps": { "rows": length } }),
        json!({ "table_ends_unrotated": { "rows": length } }),
        json!({ "table_ends_in_zeros": { "rows": length } }),
        json!({ "table_regrown_unscaled": { "rows": length } }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(shape: Shape, at: Option<usize>) -> Vec<String> {
        faults(&Anomaly { shape, at, evidence: String::new() }).iter().map(AnyFault::label).collect()
    }

    #[test]
    fn every_fault_of_the_lists_exists() {
        let step = labels(Shape::Step, Some(512));
        assert_eq!(step.len(), 18);
        assert_eq!(step[0], "window_forced (keys 512)");
        assert!(step.contains(&"table_wraps (rows 511)".to_owned()), "{step:?}");
        let cache = labels(Shape::CacheOnly, Some(20));
        assert_eq!(cache.len(), 8 + 21 + 7, "{cache:?}");
        assert!(cache.contains(&"decode_offset_by_one (tokens 3)".to_owned()), "{cache:?}");
        assert_eq!(labels(Shape::OrderOnly, None).len(), 7);
        assert!(labels(Shape::Constant, None).is_empty());
    }
}
