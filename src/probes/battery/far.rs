//! Far: the same short text at high positions, which every relative scheme reads alike.

use super::witness::SHORT;
use super::{Check, Text, Witness};
use crate::subject::{Padding, Request, Route, Row};

/// The check.
pub(super) struct Far;

impl Check for Far {
    fn name(&self) -> &'static str {
        "far"
    }

    fn summary(&self) -> &'static str {
        "a short text whose first token stands at a high position, against the same text from position 0"
    }

    fn witnesses(&self, text: &Text<'_>) -> Vec<Witness> {
        let tokens = text.first(SHORT);
        // Across the trained length, across its double (tables are often that long), and to the end of what is served.
        let mut starts = vec![text.trained, 2 * text.trained, text.target.saturating_sub(SHORT / 2)];
        starts.iter_mut().for_each(|start| *start = start.saturating_sub(SHORT / 2));
        starts.dedup();
        let window = |&first_position: &usize| Request {
            rows: vec![Row { tokens: tokens.to_vec(), first_position }],
            route: Route::OneShot,
            padding: Padding::None,
        };
        let served: Vec<Request> = starts.iter().map(window).collect();
        let read = (0..served.len()).map(|request| (request, 0)).collect();
        let alike = served.iter().map(|_| Request::alone(tokens, Route::OneShot)).collect();
        vec![Witness { name: "far", served, read, alike }]
    }
}
