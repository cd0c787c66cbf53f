//! Logit temperature: what the scores of each head are multiplied by, an attention factor included.

use super::Check;
use super::compare::reading;
use super::witness::SHORT;
use crate::measurement::{Place, Quantity, Reading};

/// The check.
pub(super) struct Temperature;

impl Check for Temperature {
    fn name(&self) -> &'static str {
        "temperature"
    }

    fn summary(&self) -> &'static str {
        "the scale of attention logits by head and position, against the declared one"
    }
}

/// Near the start, and on both sides of the trained length.
pub(super) fn positions(trained: usize) -> Vec<usize> {
    let mut positions = vec![0, SHORT / 2, trained.saturating_sub(1), trained + SHORT / 2];
    positions.sort_unstable();
    positions.dedup();
    positions
}

pub(super) fn compare(ours: &[(usize, Vec<f64>)], theirs: &[(usize, Vec<f64>)]) -> Vec<Reading> {
    let mut readings = Vec::new();
    for ((position, ours), (_, theirs)) in ours.iter().zip(theirs) {
        for (head, (own, healthy)) in ours.iter().zip(theirs).enumerate() {
            let at = Place { from: Some(*position as u32), head: Some(head as u32), ..Place::default() };
            readings.push(reading("temperature", Quantity::Temperature, 0, at, own / healthy, 1));
        }
    }
    readings
}
