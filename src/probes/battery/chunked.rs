//! Chunked against one shot: a prompt in pieces through the cache, below the trained length and across it.

use super::witness::SHORT;
use super::{Check, Text, Witness};
use crate::subject::{Request, Route};

/// The check.
pub(super) struct Chunked;

impl Check for Chunked {
    fn name(&self) -> &'static str {
        "chunked"
    }

    fn summary(&self) -> &'static str {
        "a prompt read in chunks through the cache, against the same prompt in one forward"
    }

    fn witnesses(&self, text: &Text<'_>) -> Vec<Witness> {
        let chunked = |name, length: usize, chunk| {
            let tokens = text.first(length);
            Witness::of(name, Request::alone(tokens, Route::Chunked(chunk)))
                .alike(vec![Request::alone(tokens, Route::OneShot)])
        };
        let across = text.trained.saturating_sub(SHORT);
        vec![chunked("chunked", SHORT, SHORT / 3), chunked("chunked_across", across + 2 * SHORT, across.max(1))]
    }
}
