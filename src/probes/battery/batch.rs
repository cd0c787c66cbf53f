//! Alone against batched: a row beside a longer one, padded on either side, and beside one beyond the trained length.

use super::witness::{BEYOND, SHORT, together};
use super::{Check, Text, Witness};
use crate::subject::{Padding, Request, Route, Row};

/// Tokens that are decoded in a padded batch.
const DECODED: usize = 16;

/// The check.
pub(super) struct Batch;

impl Check for Batch {
    fn name(&self) -> &'static str {
        "batch"
    }

    fn summary(&self) -> &'static str {
        "a row in a batch, padded left or right or beside a long row, against the same row alone"
    }

    fn witnesses(&self, text: &Text<'_>) -> Vec<Witness> {
        let (row, neighbour) = (text.first(SHORT / 2), text.others(SHORT));
        let alone = Request::alone(row, Route::OneShot);
        let batched = |name, neighbour, padding| {
            Witness::of(name, together(&[row, neighbour], padding)).alike(vec![alone.clone()])
        };
        // Positions while decoding are counted apart from those of the prompt.
        let rows: Vec<Row> =
            [row, neighbour].iter().map(|row| Row { tokens: row.to_vec(), first_position: 0 }).collect();
        let decoded = Request { rows, route: Route::Decode { prompt: SHORT - DECODED }, padding: Padding::Left };
        vec![
            batched("batch_left", neighbour, Padding::Left),
            batched("batch_right", neighbour, Padding::Right),
            Witness::of("batch_decoded", decoded).alike(vec![alone.clone()]),
            batched("batch_long", text.others(text.trained + BEYOND / 3), Padding::Right),
        ]
    }
}
