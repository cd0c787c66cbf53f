//! Long range: loss by position, up to the target length.

use std::ops::Range;

use super::short_range::text_readings;
use super::{Probe, Session};
use crate::measurement::{Place, Reading};
use crate::scenario::ProbeName;
use crate::subject::SubjectError;

/// The long-range probe.
pub(super) struct LongRange;

/// First edges of the position bins in tokens; longer ones double.
const EDGES: [usize; 5] = [0, 64, 256, 1024, 2048];

/// Position bins up to a length, always split at the trained length.
#[must_use]
pub(super) fn position_bins(trained: usize, length: usize) -> Vec<Range<usize>> {
    let mut edges: Vec<usize> = EDGES.to_vec();
    while edges.last().is_some_and(|&last| last < length) {
        edges.push(edges.last().map_or(length, |last| last * 2));
    }
    edges.push(trained);
    edges.push(length);
    edges.retain(|&edge| edge <= length);
    edges.sort_unstable();
    edges.dedup();
    edges.windows(2).map(|pair| pair[0]..pair[1]).collect()
}

impl Probe for LongRange {
    fn name(&self) -> ProbeName {
        ProbeName::LongRange
    }

    fn summary(&self) -> &'static str {
        "loss and top-1 accuracy by position up to the target length"
    }

    fn reads_truncated(&self) -> bool {
        true
    }

    fn read(&self, session: &mut Session<'_>) -> Result<Vec<Reading>, SubjectError> {
        let scores = session.whole()?;
        let document = session.document();
        let length = document.tokens.len();
        let protocol = format!("long-range/1 length={length} scored=text weighting=token bos=none");
        let mut readings = Vec::new();
        for bin in position_bins(session.plan().trained.0, length) {
            // The first token of a document is never predicted.
            let from = bin.start.max(1);
            let kinds = document.kinds.get(from..bin.end).unwrap_or_default();
            let at = Place { from: Some(bin.start as u32), to: Some(bin.end as u32), ..Place::default() };
            readings.extend(text_readings(&scores, kinds, from - 1, |quantity, value, count| Reading {
                quantity,
                probe: "long_range".to_owned(),
                protocol: protocol.clone(),
                document: session.index(),
                repeat: 0,
                at: at.clone(),
                value,
                count,
            }));
        }
        Ok(readings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_split_at_the_trained_length() {
        assert_eq!(position_bins(2048, 8192).last(), Some(&(4096..8192)));
        assert_eq!(position_bins(1500, 2500), vec![0..64, 64..256, 256..1024, 1024..1500, 1500..2048, 2048..2500]);
        assert_eq!(position_bins(64, 160), vec![0..64, 64..160]);
    }
}
