//! Alone: a short request in one forward, the simplest thing that an engine does.

use super::witness::SHORT;
use super::{Check, Text, Witness};
use crate::subject::{Request, Route};

/// The check.
pub(super) struct Alone;

impl Check for Alone {
    fn name(&self) -> &'static str {
        "alone"
    }

    fn summary(&self) -> &'static str {
        "a short request in one forward, against the healthy replay"
    }

    fn witnesses(&self, text: &Text<'_>) -> Vec<Witness> {
        let request = Request::alone(text.first(SHORT), Route::OneShot);
        vec![Witness::of("alone", request)]
    }
}
