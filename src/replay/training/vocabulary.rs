//! A byte-level BPE vocabulary from the training text.

use std::fs;
use std::path::Path;

use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer as Inner};

use super::TrainingError;
use super::state::file_error;
use crate::recipe::Recipe;
use crate::text::{TextError, Tokenizer};

/// The tokenizer in the model's folder, trained from the recipe's text if it is not there yet.
pub(super) fn tokenizer(recipe: &Recipe, out: &Path) -> Result<Tokenizer, TrainingError> {
    let path = out.join("tokenizer.json");
    if !path.exists() {
        let text =
            fs::read_to_string(&recipe.text).map_err(|source| TextError::Read { path: recipe.text.clone(), source })?;
        fs::create_dir_all(out).map_err(|error| file_error("write", out, &error))?;
        let json = train_tokenizer(&text, recipe.model.vocabulary)
            .map_err(|reason| TextError::Tokenizer { path: path.clone(), reason })?;
        fs::write(&path, json).map_err(|error| file_error("write", &path, &error))?;
    }
    Ok(Tokenizer::read(&path)?)
}

/// Trains byte-level BPE with the markers `<fact>`, `<ask>`, `<end>` as special tokens; returns `tokenizer.json`.
///
/// # Errors
/// The crate's reason.
pub fn train_tokenizer(text: &str, vocabulary: usize) -> Result<String, String> {
    let special = ["<fact>", "<ask>", "<end>"].map(|marker| AddedToken::from(marker, true));
    let mut trainer: TrainerWrapper = BpeTrainerBuilder::new()
        .show_progress(false)
        .vocab_size(vocabulary)
        .min_frequency(2)
        .special_tokens(special.to_vec())
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build()
        .into();
    let mut tokenizer = Inner::new(BPE::default());
    tokenizer.with_pre_tokenizer(Some(ByteLevel::new(false, true, true)));
    tokenizer.with_decoder(Some(ByteLevel::default()));
    let paragraphs: Vec<&str> = text.split_inclusive("\n\n").collect();
    tokenizer.train(&mut trainer, paragraphs.into_iter()).map_err(|error| error.to_string())?;
    tokenizer.to_string(true).map_err(|error| error.to_string())
}
