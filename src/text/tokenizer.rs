//! The checkpoint's tokenizer, through the `tokenizers` crate.

use std::fs;
use std::path::{Path, PathBuf};

use super::Facts;

/// Why text could not become tokens.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// A file could not be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The tokenizer's file is not one.
    #[error("cannot use the tokenizer `{}`: {reason}\nhint: expected a Hugging Face `tokenizer.json`", path.display())]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// The crate's reason.
        reason: String,
    },
    /// The vocabulary holds too few word-pieces to make facts of.
    #[error("the tokenizer has {found} alphabetic word-pieces, facts need at least {needed}")]
    Vocabulary {
        /// How many there are.
        found: usize,
        /// How many are needed.
        needed: usize,
    },
    /// The text is too short for the documents.
    #[error(
        "the text holds {found} tokens, {documents} documents of {length} need {needed}\nhint: give a longer `text`, or \
         fewer `sizes.documents`"
    )]
    TooShort {
        /// Tokens in the text.
        found: usize,
        /// Documents asked for.
        documents: usize,
        /// Tokens in each.
        length: usize,
        /// Tokens needed.
        needed: usize,
    },
}

/// A tokenizer and its path.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    path: PathBuf,
}

impl Tokenizer {
    /// Reads `tokenizer.json` of a checkpoint's folder.
    ///
    /// # Errors
    /// [`TextError::Tokenizer`] when the file is missing or not a tokenizer.
    pub fn of_checkpoint(dir: &Path) -> Result<Self, TextError> {
        Self::read(&dir.join("tokenizer.json"))
    }

    /// Reads a tokenizer's file.
    ///
    /// # Errors
    /// [`TextError::Tokenizer`] when the file is missing or not a tokenizer.
    pub fn read(path: &Path) -> Result<Self, TextError> {
        let inner = tokenizers::Tokenizer::from_file(path)
            .map_err(|error| TextError::Tokenizer { path: path.to_owned(), reason: error.to_string() })?;
        Ok(Self { inner, path: path.to_owned() })
    }

    /// Reads a UTF-8 file and encodes it without special tokens.
    ///
    /// # Errors
    /// [`TextError::Read`] when the file cannot be read, [`TextError::Tokenizer`] when it cannot be encoded.
    pub fn encode_file(&self, path: &Path) -> Result<Vec<u32>, TextError> {
        let text = fs::read_to_string(path).map_err(|source| TextError::Read { path: path.to_owned(), source })?;
        self.encode(&text)
    }

    /// Encodes text without special tokens.
    ///
    /// Long text is encoded paragraph by paragraph, which bounds the memory; no merge crosses a line end in byte-level
    /// BPE with the usual splitting.
    ///
    /// # Errors
    /// [`TextError::Tokenizer`] when the tokenizer refuses the text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TextError> {
        let mut tokens = Vec::with_capacity(text.len() / 3);
        for paragraph in text.split_inclusive("\n\n") {
            let encoding = self
                .inner
                .encode_fast(paragraph, false)
                .map_err(|error| TextError::Tokenizer { path: self.path.clone(), reason: error.to_string() })?;
            tokens.extend_from_slice(encoding.get_ids());
        }
        Ok(tokens)
    }

    /// The number of tokens in the vocabulary, special ones included.
    #[must_use]
    pub fn vocabulary(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// How facts are written with this vocabulary.
    ///
    /// Markers are the special tokens `<fact>`, `<ask>` and `<end>` where the tokenizer has them, else the encodings
    /// of the words "\nFact:", "\nAsk:" and ".". Keys and values are alphabetic word-pieces, spread evenly over the
    /// rarer three quarters (byte-level BPE numbers its merges by falling frequency).
    ///
    /// # Errors
    /// [`TextError::Vocabulary`] when fewer than 256 alphabetic word-pieces exist.
    pub fn facts(&self) -> Result<Facts, TextError> {
        const POOL: usize = 512;
        const LEAST: usize = 256;
        let marker = |special: &str, words: &str| match self.inner.token_to_id(special) {
            Some(id) => Ok(vec![id]),
            None => self.encode(words),
        };
        let mut pieces: Vec<u32> = (0..self.inner.get_vocab_size(true) as u32)
            .filter(|&id| {
                self.inner.id_to_token(id).is_some_and(|piece| {
                    let letters = piece.trim_start_matches(['Ġ', '▁']);
                    letters.len() >= 2 && letters.bytes().all(|byte| byte.is_ascii_alphabetic())
                })
            })
            .collect();
        pieces.drain(..pieces.len() / 4);
        if pieces.len() < LEAST {
            return Err(TextError::Vocabulary { found: pieces.len(), needed: LEAST });
        }
        let take = pieces.len().min(POOL);
        let pool: Vec<u32> = (0..take).filter_map(|i| pieces.get(i * pieces.len() / take).copied()).collect();
        Ok(Facts::new([marker("<fact>", "\nFact:")?, marker("<ask>", "\nAsk:")?, marker("<end>", ".")?], pool))
    }
}
