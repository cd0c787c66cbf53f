//! Cached against full: the same tokens decoded behind a prompt, below the trained length and across it.

use super::witness::SHORT;
use super::{Check, Text, Witness};
use crate::subject::{Request, Route};

/// Tokens decoded behind a prompt.
const DECODED: usize = 32;

/// The check.
pub(super) struct Cached;

impl Check for Cached {
    fn name(&self) -> &'static str {
        "cached"
    }

    fn summary(&self) -> &'static str {
        "tokens decoded behind a prompt, against the same tokens in one forward"
    }

    fn witnesses(&self, text: &Text<'_>) -> Vec<Witness> {
        let decoded = |name, prompt: usize| {
            let tokens = text.first(prompt + DECODED);
            let request = Request::alone(tokens, Route::Decode { prompt });
            Witness::of(name, request).alike(vec![Request::alone(tokens, Route::OneShot)])
        };
        vec![decoded("cached", SHORT - DECODED), decoded("cached_across", text.trained.saturating_sub(DECODED / 2))]
    }
}
