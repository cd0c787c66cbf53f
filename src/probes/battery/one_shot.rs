//! One shot: a request that crosses the trained length, position by position.

use super::witness::BEYOND;
use super::{Check, Text, Witness};
use crate::subject::{Request, Route};

/// The check.
pub(super) struct OneShot;

impl Check for OneShot {
    fn name(&self) -> &'static str {
        "one_shot"
    }

    fn summary(&self) -> &'static str {
        "a request that crosses the trained length in one forward, by position"
    }

    fn witnesses(&self, text: &Text<'_>) -> Vec<Witness> {
        let request = Request::alone(text.first(text.trained + BEYOND), Route::OneShot);
        vec![Witness::of("one_shot", request)]
    }
}
