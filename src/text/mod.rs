//! Text as a model sees it: tokens, facts strewn among them, and documents of an exact length.

mod document;
mod tokenizer;

pub use document::{Document, Facts, Kind, Mix, Question, RETRIEVAL_BINS, copying, distance_bins, plain};
pub use tokenizer::{TextError, Tokenizer};
