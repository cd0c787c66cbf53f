//! The documents of a run: the same for every cell, drawn from the scenario's text and seed.

use std::path::Path;

use crate::scenario::Scenario;
use crate::stats::random::Random;
use crate::text::{Document, Mix, TextError, Tokenizer};
use crate::units::Tokens;

/// As dense as the reference models are trained on: 8,192 tokens hold about 180 facts, most of which are asked for.
const MIX: Mix = Mix { spacing: 48, questions: 0.5, unanswerable: 0.0, far: 0.0 };

/// The scenario's documents, each from a stretch of text of its own.
///
/// # Errors
/// [`TextError`] when the text or the tokenizer cannot be used, or the text is too short.
pub fn documents(scenario: &Scenario) -> Result<Vec<Document>, TextError> {
    draw(&scenario.checkpoint, &scenario.documents, scenario.sizes.documents, scenario.target, scenario.seed)
}

/// So many documents of one length from a checkpoint's tokenizer and a text.
///
/// # Errors
/// As [`documents`].
pub(super) fn draw(
    checkpoint: &Path,
    text: &Path,
    count: usize,
    Tokens(length): Tokens,
    seed: u64,
) -> Result<Vec<Document>, TextError> {
    let tokenizer = Tokenizer::of_checkpoint(checkpoint)?;
    let text = tokenizer.encode_file(text)?;
    let facts = tokenizer.facts()?;
    if text.len() < count * length {
        return Err(TextError::TooShort { found: text.len(), documents: count, length, needed: count * length });
    }
    Ok((0..count)
        .map(|i| {
            // Each document has a generator of its own, so that more documents leave the first ones as they are.
            let mut random = Random::new(seed.wrapping_add(i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let segment = text.get(i * length..(i + 1) * length).unwrap_or_default();
            facts.document(segment, length, &MIX, &mut random)
        })
        .collect())
}
