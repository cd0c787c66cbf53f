//! Short range: loss and accuracy with at most 256 tokens of context.

use super::{Probe, Session};
use crate::measurement::{Place, Quantity, Reading};
use crate::scenario::ProbeName;
use crate::subject::{Scores, SubjectError, Window};
use crate::text::Kind;
use crate::units::Tokens;

/// Tokens in a window; the range within which a retrofit must not lose accuracy.
const WINDOW: usize = 256;

/// The short-range probe.
pub(super) struct ShortRange;

impl Probe for ShortRange {
    fn name(&self) -> ProbeName {
        ProbeName::ShortRange
    }

    fn summary(&self) -> &'static str {
        "loss and top-1 accuracy with at most 256 tokens of context, at the start and deep in the document"
    }

    fn read(&self, session: &mut Session<'_>) -> Result<Vec<Reading>, SubjectError> {
        let document = session.document();
        let length = document.tokens.len();
        let window = WINDOW.min(length);
        let deep = session.plan().sizes.short_windows;
        let starts: Vec<usize> = (0..=deep).map(|w| w * (length - window) / deep.max(1)).collect();
        // Deep windows keep their true positions, so that a scheme which leaks absolute positions shows.
        let windows: Vec<Window<'_>> = starts
            .iter()
            .map(|&start| Window {
                tokens: document.tokens.get(start..start + window).unwrap_or_default(),
                first_position: Tokens(start),
            })
            .collect();
        let protocol =
            format!("short-range/1 window={window} placed={} positions=true scored=text bos=none", starts.len());
        let scores = session.subject().score(&windows)?;
        let mut readings = Vec::new();
        for (&start, scores) in starts.iter().zip(&scores) {
            let range = start + 1..start + window;
            let place = Place { from: Some(start as u32), to: Some((start + window) as u32), ..Place::default() };
            let kinds = document.kinds.get(range).unwrap_or_default();
            let index = session.index();
            readings.extend(text_readings(scores, kinds, 0, |quantity, value, count| Reading {
                quantity,
                probe: "short_range".to_owned(),
                protocol: protocol.clone(),
                document: index,
                repeat: 0,
                at: place.clone(),
                value,
                count,
            }));
        }
        Ok(readings)
    }
}

/// Mean loss and accuracy over the text tokens among `kinds`; nothing where there are none.
///
/// `skip` is how many scores come before the first of `kinds`.
pub(super) fn text_readings(
    scores: &Scores,
    kinds: &[Kind],
    skip: usize,
    row: impl Fn(Quantity, f64, u32) -> Reading,
) -> Vec<Reading> {
    let (mut loss, mut top, mut count) = (0.0, 0.0, 0_u32);
    let scored = scores.log_probability.iter().zip(&scores.is_top).skip(skip);
    for (_, (log_probability, is_top)) in kinds.iter().zip(scored).filter(|(kind, _)| **kind == Kind::Text) {
        loss -= f64::from(*log_probability);
        top += f64::from(u8::from(*is_top));
        count += 1;
    }
    if count == 0 {
        return Vec::new();
    }
    let n = f64::from(count);
    vec![row(Quantity::Nll, loss / n, count), row(Quantity::Top1, top / n, count)]
}
