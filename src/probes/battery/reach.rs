//! Receptive field: tokens at the start are replaced; which outputs move, and how much beside the healthy replay's?

use super::Check;
use super::compare::reading;
use super::witness::{BEYOND, SHORT, Text};
use crate::measurement::{Place, Quantity, Reading};
use crate::subject::{Request, Route, Subject, SubjectError};

/// How many tokens at the start are replaced.
const REPLACED: usize = 16;

/// Outputs in one range of positions.
const RANGE: usize = 64;

/// The check.
pub(super) struct Reach;

impl Check for Reach {
    fn name(&self) -> &'static str {
        "reach"
    }

    fn summary(&self) -> &'static str {
        "which outputs move when the first tokens are replaced; measured where nothing else explains a difference"
    }
}

/// How far the outputs move, by position: of the deployment (repeat 0) and of the healthy replay (repeat 1).
///
/// # Errors
/// [`SubjectError`] when a subject fails.
pub fn reach(
    deployed: &mut dyn Subject,
    healthy: &mut dyn Subject,
    text: &Text<'_>,
    document: u32,
) -> Result<Vec<Reading>, SubjectError> {
    let tokens = text.first(text.trained + BEYOND);
    let mut replaced = tokens.to_vec();
    for (token, other) in replaced.iter_mut().zip(text.others(SHORT).iter().take(REPLACED)) {
        *token = *other;
    }
    let both = [
        [answer(deployed, tokens)?, answer(deployed, &replaced)?],
        [answer(healthy, tokens)?, answer(healthy, &replaced)?],
    ];
    let mut readings = Vec::new();
    for (repeat, [before, after]) in both.iter().enumerate() {
        // The replaced tokens themselves are other tokens, so their scores say nothing.
        let moved: Vec<f64> = before.iter().zip(after).map(|(a, b)| f64::from((a - b).abs())).collect();
        for (range, moved) in moved.chunks(RANGE).enumerate().skip(1) {
            let (from, to) = (range * RANGE, range * RANGE + moved.len());
            let at = Place { from: Some(from as u32), to: Some(to as u32), ..Place::default() };
            let value = crate::stats::mean(moved).unwrap_or(f64::NAN);
            let row = reading("reach", Quantity::Influence, document, at, value, moved.len() as u32);
            readings.push(Reading { repeat: repeat as u32, ..row });
        }
    }
    Ok(readings)
}

fn answer(subject: &mut dyn Subject, tokens: &[u32]) -> Result<Vec<f32>, SubjectError> {
    subject.restart();
    let scores = subject.serve(&Request::alone(tokens, Route::OneShot))?;
    Ok(scores.into_iter().next().unwrap_or_default().log_probability)
}
