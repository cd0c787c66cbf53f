//! Which files make up a checkpoint, and their hashes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Component, Path, PathBuf};

use serde_json::{Map, Value};

use super::CheckpointError;
use super::keys::Keys;

/// The files that hold a checkpoint's weights: `model.safetensors`, or the shards of
/// `model.safetensors.index.json` in alphabetical order.
///
/// # Errors
/// [`CheckpointError::NoWeights`] where there is neither; [`CheckpointError::MissingShard`] where a shard is absent;
/// [`CheckpointError::Unsupported`] where the index is malformed or names a file outside the folder.
pub fn weight_files(dir: &Path) -> Result<Vec<PathBuf>, CheckpointError> {
    let single = dir.join("model.safetensors");
    if single.is_file() {
        return Ok(vec![single]);
    }
    let index = dir.join("model.safetensors.index.json");
    if !index.is_file() {
        return Err(CheckpointError::NoWeights { path: dir.to_owned() });
    }
    let text = fs::read_to_string(&index).map_err(|source| CheckpointError::Read { path: index.clone(), source })?;
    let map: Map<String, Value> =
        serde_json::from_str(&text).map_err(|source| CheckpointError::Json { path: index.clone(), source })?;
    let top = Keys::top(&index, &map);
    let tensors = top.object("weight_map")?.ok_or_else(|| top.missing("weight_map"))?;
    let mut shards = BTreeSet::new();
    for (tensor, value) in tensors.entries() {
        let inside = |name: &&str| {
            !name.is_empty() && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
        };
        let supported = "the name of a file in the checkpoint's folder";
        let shard = value.as_str().filter(inside).ok_or_else(|| tensors.unsupported(tensor, value, supported))?;
        shards.insert(shard);
    }
    let missing = |shard: &str| CheckpointError::MissingShard { path: index.clone(), shard: shard.to_owned() };
    shards
        .into_iter()
        .map(|shard| Some(dir.join(shard)).filter(|file| file.is_file()).ok_or_else(|| missing(shard)))
        .collect()
}

/// The blake3 hash, in hexadecimal, of each file that decides what a checkpoint computes: `config.json`, the weights
/// and, where there is one, `tokenizer.json`; keyed by the path within the folder.
///
/// # Errors
/// Those of [`weight_files`]; [`CheckpointError::Read`] where a file cannot be read.
pub fn hash_files(dir: &Path) -> Result<BTreeMap<String, String>, CheckpointError> {
    let mut files = weight_files(dir)?;
    files.push(dir.join("config.json"));
    files.extend(Some(dir.join("tokenizer.json")).filter(|file| file.is_file()));
    files
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(dir).unwrap_or(&path).to_string_lossy().into_owned();
            let hash = hash_file(&path).map_err(|source| CheckpointError::Read { path: path.clone(), source })?;
            Ok((name, hash))
        })
        .collect()
}

fn hash_file(path: &Path) -> std::io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(hasher.finalize().to_hex().to_string())
}
