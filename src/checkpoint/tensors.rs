//! The headers of safetensors files: names, types and shapes, without the weights.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::Deserialize;

use super::CheckpointError;

/// A longer header is none: the largest checkpoints' are a few MB.
const LONGEST: u64 = 1 << 27;

/// What a header says of one tensor.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Tensor {
    /// The type of its numbers, as safetensors writes it: `BF16`.
    pub dtype: String,
    /// Its shape.
    pub shape: Vec<usize>,
}

/// The tensors of a safetensors file by name, from its header alone.
///
/// # Errors
/// [`CheckpointError::Read`] where the file cannot be read or is no safetensors file.
pub fn tensors(path: &Path) -> Result<BTreeMap<String, Tensor>, CheckpointError> {
    let fail = |source: io::Error| CheckpointError::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(fail)?;
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(fail)?;
    let length = u64::from_le_bytes(length);
    if length > LONGEST {
        return Err(fail(io::Error::other("not a safetensors file: its header is longer than 128 MiB")));
    }
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header).map_err(fail)?;
    let mut all: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(&header).map_err(|error| fail(io::Error::other(error)))?;
    all.remove("__metadata__");
    all.into_iter()
        .map(|(name, value)| Ok((name, serde_json::from_value(value).map_err(|error| fail(io::Error::other(error)))?)))
        .collect()
}
