//! Typed access to the keys of a JSON object, with errors that name file and key.

use std::path::Path;

use serde_json::{Map, Value};

use super::CheckpointError;

/// Sizes are bounded so that no product of two of them overflows.
const LARGEST_COUNT: u64 = i32::MAX as u64;

/// A JSON object, where it lies, and the file that it came from.
#[derive(Clone, Copy)]
pub(super) struct Keys<'a> {
    path: &'a Path,
    parent: Option<&'a str>,
    map: &'a Map<String, Value>,
}

impl<'a> Keys<'a> {
    /// The object at the top of a file.
    pub(super) fn top(path: &'a Path, map: &'a Map<String, Value>) -> Self {
        Self { path, parent: None, map }
    }

    /// The object under a key; nothing where it is absent, null or empty.
    pub(super) fn object(&self, key: &'a str) -> Result<Option<Self>, CheckpointError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Object(map)) if map.is_empty() => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Self { path: self.path, parent: Some(key), map })),
            Some(other) => Err(self.unsupported(key, other, "an object")),
        }
    }

    /// The keys of the object, in alphabetical order, with their values.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.map.iter()
    }

    /// The value as written, null included.
    pub(super) fn written(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key)
    }

    /// The value; nothing where it is absent or null.
    pub(super) fn value(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// A count of at least 1.
    pub(super) fn count(&self, key: &str) -> Result<Option<usize>, CheckpointError> {
        let expected = "an integer from 1 to 2,147,483,647";
        self.typed(key, expected, |value| {
            let count = value.as_u64().filter(|count| (1..=LARGEST_COUNT).contains(count))?;
            usize::try_from(count).ok()
        })
    }

    /// A count that must be there.
    pub(super) fn required_count(&self, key: &str) -> Result<usize, CheckpointError> {
        self.count(key)?.ok_or_else(|| self.missing(key))
    }

    /// A finite number.
    pub(super) fn number(&self, key: &str) -> Result<Option<f64>, CheckpointError> {
        self.typed(key, "a number", |value| value.as_f64().filter(|number| number.is_finite()))
    }

    /// A list of finite numbers.
    pub(super) fn numbers(&self, key: &str) -> Result<Option<Vec<f64>>, CheckpointError> {
        self.typed(key, "a list of numbers", |value| {
            let numbers = value.as_array()?.iter().map(Value::as_f64);
            numbers.map(|number| number.filter(|number| number.is_finite())).collect()
        })
    }

    /// True or false.
    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, CheckpointError> {
        self.typed(key, "true or false", Value::as_bool)
    }

    /// A string.
    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, CheckpointError> {
        self.typed(key, "a string", Value::as_str)
    }

    fn typed<T>(
        &self,
        key: &str,
        expected: &str,
        convert: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, CheckpointError> {
        self.value(key).map(|value| convert(value).ok_or_else(|| self.unsupported(key, value, expected))).transpose()
    }

    /// The error for a key that has no default.
    pub(super) fn missing(&self, key: &str) -> CheckpointError {
        CheckpointError::Missing { path: self.path.to_owned(), key: self.dotted(key) }
    }

    /// The error for a value that cannot be used.
    pub(super) fn unsupported(&self, key: &str, found: impl ToString, supported: impl Into<String>) -> CheckpointError {
        CheckpointError::Unsupported {
            path: self.path.to_owned(),
            key: self.dotted(key),
            found: found.to_string(),
            supported: supported.into(),
        }
    }

    fn dotted(&self, key: &str) -> String {
        self.parent.map_or_else(|| key.to_owned(), |parent| format!("{parent}.{key}"))
    }
}
