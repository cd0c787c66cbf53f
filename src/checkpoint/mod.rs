//! A checkpoint's folder in Hugging Face layout, read without libtorch: what `config.json` says, and which files
//! hold the weights.
//!
//! Defaults and precedence are those of transformers 5.23.0 (`configuration_llama.py`, `modeling_rope_utils.py`), so
//! that a checkpoint means here what it means there. What the replay cannot run truly is an error, never a guess.

mod config;
mod files;
mod keys;
mod lines;
mod rotary;
mod tensors;
mod written;

use std::path::PathBuf;

use crate::positions::MethodError;

pub use config::{Architecture, Config};
pub use files::{hash_files, weight_files};
pub use tensors::{Tensor, tensors};
pub use written::{Positions, Written};

/// Why a checkpoint's folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// A file cannot be read.
    #[error("cannot read `{path}`: {source}\nhint: `checkpoint` must be a folder in Hugging Face layout")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file is not JSON.
    #[error("`{path}` is not valid JSON: {source}\nhint: was the download complete?")]
    Json {
        /// The file.
        path: PathBuf,
        /// What the parser says, with line and column.
        source: serde_json::Error,
    },
    /// A key that has no default is absent.
    #[error("`{path}` has no `{key}`\nhint: add it, or take the file from the model's publisher again")]
    Missing {
        /// The file.
        path: PathBuf,
        /// The key, dotted where it is nested.
        key: String,
    },
    /// A value is malformed, contradictory or beyond what can be replayed.
    #[error("`{key}` in `{path}` cannot be replayed: {found}\nhint: supported: {supported}")]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The key, dotted where it is nested.
        key: String,
        /// What the file holds.
        found: String,
        /// What it could hold instead.
        supported: String,
    },
    /// The positional method that the file declares cannot be applied.
    #[error("the rope parameters in `{path}` cannot be applied: {source}\nhint: correct them, or remove them")]
    Method {
        /// The file.
        path: PathBuf,
        /// Which parameter, and its range.
        source: MethodError,
    },
    /// The folder has no weights that can be read.
    #[error(
        "`{path}` holds neither `model.safetensors` nor `model.safetensors.index.json`\n\
         hint: other formats must be saved again as safetensors"
    )]
    NoWeights {
        /// The folder.
        path: PathBuf,
    },
    /// A shard that the index names is not there.
    #[error("`{path}` names the shard `{shard}`, which is not in its folder\nhint: was the download complete?")]
    MissingShard {
        /// The index.
        path: PathBuf,
        /// The shard's name in the index.
        shard: String,
    },
}

#[cfg(test)]
mod tests;
