//! Reads YAML files that people write, so that every mistake has a place, an expectation and a hint.
//!
//! Any written type is read the same way: [`read`] the file, [`parse`] its text, then check what the types cannot say
//! and report it through [`Source::wrong`].

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::de::DeserializeOwned;

use super::error::{Mistake, Place, ScenarioError};
use super::explain::{explain_form, explain_outline};
use super::locate::{self, Aim};

/// The largest file that is read, in bytes: a hundred times what people write by hand.
pub(crate) const LARGEST: u64 = 1 << 20;

/// Reads a file that holds UTF-8 text; of a file that is too large, only the first [`LARGEST`] bytes.
///
/// # Errors
/// [`ScenarioError::Read`] where the file cannot be read, [`ScenarioError::TooLarge`], and
/// [`ScenarioError::Mistakes`] where its bytes are not UTF-8.
pub(crate) fn read(path: &Path) -> Result<String, ScenarioError> {
    let fail = |reason: io::Error| ScenarioError::Read { path: path.to_owned(), reason };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes)).map_err(fail)?;
    if bytes.len() as u64 > LARGEST {
        return Err(ScenarioError::TooLarge { path: path.to_owned(), limit: LARGEST });
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes());
        // The text before the first bad byte is the same in the lossy text.
        let before = text.get(..valid).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        let byte = error.as_bytes().get(valid).copied().unwrap_or_default();
        Source::new(path, &text)
            .mistake(
                Place { line, column },
                format!("not UTF-8: byte 0x{byte:02x} at offset {valid}"),
                "UTF-8 text",
                "save the file in the encoding UTF-8",
            )
            .into()
    })
}

/// Parses the text of a file into its written form.
///
/// # Errors
/// [`ScenarioError::Mistakes`] with the first mistake of the text.
pub(crate) fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, ScenarioError> {
    let source = Source::new(path, text);
    if source.text.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with('#') || line == "---") {
        let hint = "start from one of the files in `scenarios/`";
        return Err(source.mistake(Place::START, "the file is empty", "`key: value` lines", hint).into());
    }
    locate::outline(source.text).map_err(|error| explain_outline(&source, &error))?;
    serde_yaml::from_str(source.text).map_err(|error| explain_form(&source, &error).into())
}

/// A file's text with its name: what mistakes point into.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

impl<'a> Source<'a> {
    /// The text of the file at the path, as the path was given.
    pub(crate) fn new(path: &'a Path, text: &'a str) -> Self {
        // Editors on Windows begin files with a byte order mark.
        Self { path, text: text.strip_prefix('\u{feff}').unwrap_or(text) }
    }

    /// The file.
    pub(crate) fn path(&self) -> &'a Path {
        self.path
    }

    /// The text.
    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    /// The mistake of the value at a path such as `ablate.factors[2]`.
    ///
    /// Where the text has no such value (a default was taken), the mistake is placed at the nearest key above it.
    pub(crate) fn wrong(
        &self,
        at: &str,
        what: impl Into<String>,
        expected: impl Into<String>,
        hint: impl Into<String>,
    ) -> Mistake {
        let mut path = at;
        let place = loop {
            if let Some(place) = locate::locate(self.text, path, Aim::Value) {
                break place;
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None => break Place::START,
            }
        };
        self.mistake(place, what, expected, hint)
    }

    /// The place of a key, given its path.
    pub(super) fn key(&self, path: &str) -> Option<Place> {
        locate::locate(self.text, path, Aim::Key)
    }

    /// A mistake at a place.
    pub(super) fn mistake(
        &self,
        place: Place,
        what: impl Into<String>,
        expected: impl Into<String>,
        hint: impl Into<String>,
    ) -> Mistake {
        Mistake {
            path: self.path.to_owned(),
            place,
            excerpt: self.line(place.line).to_owned(),
            what: what.into(),
            expected: expected.into(),
            hint: hint.into(),
        }
    }

    /// A line of the text, counted from 1; empty where there is none.
    pub(super) fn line(&self, number: usize) -> &'a str {
        self.text.lines().nth(number.saturating_sub(1)).unwrap_or_default()
    }
}
