//! `config.json` as it is written: every key with its line, and the positions that it declares, whatever the model's graph.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::CheckpointError;
use super::config::{head_dim, longest, own_positions};
use super::keys::Keys;
use super::lines::lines;
use super::rotary::Rotary;
use crate::positions::{AnyMethod, HeadShape, Method, Pairing, Scheme};
use crate::units::{Stretch, Tokens};

/// A configuration's text, parsed but not judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    path: PathBuf,
    map: Map<String, Value>,
    lines: BTreeMap<String, Vec<usize>>,
}

/// What a configuration says of positions; it may be of a graph that the replay cannot run.
#[derive(Clone, Debug, PartialEq)]
pub struct Positions {
    /// What positional methods need to know.
    pub heads: HeadShape,
    /// The method and factor that the file declares; [`AnyMethod::unscaled`] at 1 where it scales nothing.
    pub declared: (AnyMethod, Stretch),
    /// The longest context that the file allows for (`max_position_embeddings`).
    pub max_positions: Tokens,
}

impl Written {
    /// Reads a `config.json`, given its path or that of its folder.
    ///
    /// # Errors
    /// [`CheckpointError::Read`] where it cannot be read, [`CheckpointError::Json`] where it is no JSON object.
    pub fn read(path: &Path) -> Result<Self, CheckpointError> {
        let path = if path.is_dir() { path.join("config.json") } else { path.to_owned() };
        let text = fs::read_to_string(&path).map_err(|source| CheckpointError::Read { path: path.clone(), source })?;
        Self::parse(&path, &text)
    }

    /// The text of a `config.json` at a path.
    ///
    /// # Errors
    /// [`CheckpointError::Json`] where it is no JSON object.
    pub fn parse(path: &Path, text: &str) -> Result<Self, CheckpointError> {
        let map =
            serde_json::from_str(text).map_err(|source| CheckpointError::Json { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), map, lines: lines(text) })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The value at a dotted key, null included; items of lists are numbered.
    #[must_use]
    pub fn written(&self, key: &str) -> Option<&Value> {
        let mut parts = key.split('.');
        let first = self.map.get(parts.next()?)?;
        parts.try_fold(first, |value, part| match value {
            Value::Object(map) => map.get(part),
            Value::Array(items) => items.get(part.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// The value at a dotted key; nothing where it is absent or null.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.written(key).filter(|value| !value.is_null())
    }

    /// The keys of an object, by its dotted key, or of the whole file where that is empty.
    pub fn keys(&self, object: &str) -> impl Iterator<Item = &str> {
        let map = if object.is_empty() { Some(&self.map) } else { self.written(object).and_then(Value::as_object) };
        map.into_iter().flat_map(Map::keys).map(String::as_str)
    }

    /// The line of a key, from 1: the last one where it stands twice, which is the one that is read.
    #[must_use]
    pub fn line(&self, key: &str) -> Option<usize> {
        self.lines.get(key).and_then(|lines| lines.last()).copied()
    }

    /// Keys that stand more than once in their object, with all their lines.
    pub fn repeated(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.lines.iter().filter(|(_, lines)| lines.len() > 1).map(|(key, lines)| (key.as_str(), lines.as_slice()))
    }

    /// The positions that the file declares, as transformers reads them.
    ///
    /// # Errors
    /// [`CheckpointError`] where keys are missing, malformed or contradictory.
    pub fn positions(&self) -> Result<Positions, CheckpointError> {
        let top = Keys::top(&self.path, &self.map);
        let (width, heads) = (top.required_count("hidden_size")?, top.required_count("num_attention_heads")?);
        // The heads of DeepSeek's attention rotate apart from their other dimensions.
        let head_dim = match top.count("qk_rope_head_dim")? {
            Some(rotated) => rotated,
            None => head_dim(top, width, heads)?,
        };
        let model_type = top.text("model_type")?;
        let max_positions = match longest(model_type) {
            Some(usual) => top.count("max_position_embeddings")?.unwrap_or(usual),
            None => top.required_count("max_position_embeddings")?,
        };
        let rotary = Rotary::read(top, head_dim, max_positions)?;
        let own = if model_type == Some("gyro") { Some(own_positions(top)?) } else { None };
        let native = match &own {
            Some((method, _)) if ![Scheme::Rotary, Scheme::Any].contains(&method.scheme()) => method.clone(),
            _ => rotary.native,
        };
        let declared = own.unwrap_or(rotary.declared);
        let heads = HeadShape {
            heads,
            width,
            head_dim,
            rotary_dim: rotary.rotary_dim,
            theta: rotary.theta,
            trained: rotary.trained,
            pairing: Pairing::HalfSplit,
            native,
        };
        declared
            .0
            .mechanism(&heads, declared.1, heads.trained)
            .map_err(|source| CheckpointError::Method { path: self.path.clone(), source })?;
        Ok(Positions { heads, declared, max_positions: Tokens(max_positions) })
    }
}
