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
        let places = [
            ("far_trained", text.trained),
            ("far_double", 2 * text.trained),
            ("far_target", text.target.saturating_sub(SHORT / 2)),
        ];
        let mut witnesses: Vec<Witness> = Vec::new();
        for (name, middle) in places {
            let first_position = middle.saturating_sub(SHORT / 2);
            let rows = vec![Row { tokens: tokens.to_vec(), first_position }];
            let request = Request { rows, route: Route::OneShot, padding: Padding::None };
            let alike = vec![Request::alone(tokens, Route::OneShot)];
            if witnesses.iter().all(|other| !other.served.contains(&request)) {
                witnesses.push(Witness::of(name, request).alike(alike));
            }
        }
        witnesses
    }
}
