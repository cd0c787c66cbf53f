//! What a check may look at: the configuration as written, as a healthy engine reads it, and what is asked of it.

use std::path::Path;

use serde_json::Value;

use super::Served;
use crate::checkpoint::{CheckpointError, Positions, Written};
use crate::findings::{AuditFinding, Severity};

/// Two factors or lengths are the same up to this share: 131,072 / 32,768 may be written as 4.0.
const ALIKE: f64 = 0.01;

/// One checkpoint and what it is to serve.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case<'a> {
    pub(super) config: &'a Written,
    /// The folder with the other files; absent where a configuration came alone.
    pub(super) dir: Option<&'a Path>,
    /// What a healthy engine reads; absent where it would stop.
    pub(super) positions: Option<&'a Positions>,
    /// Why it would stop.
    pub(super) obstacle: Option<&'a CheckpointError>,
    pub(super) served: Served,
}

impl<'a> Case<'a> {
    pub(super) fn new(
        config: &'a Written,
        dir: Option<&'a Path>,
        positions: &'a Result<Positions, CheckpointError>,
        served: Served,
    ) -> Self {
        Self { config, dir, positions: positions.as_ref().ok(), obstacle: positions.as_ref().err(), served }
    }

    /// The object that is read for the rotation: `rope_scaling` where it holds anything, else `rope_parameters`.
    pub(super) fn rope(&self) -> Option<&'static str> {
        ["rope_scaling", "rope_parameters"].into_iter().find(|key| self.config.keys(key).next().is_some())
    }

    /// The dotted key of a parameter of the rotation.
    pub(super) fn key(&self, parameter: &str) -> String {
        format!("{}.{parameter}", self.rope().unwrap_or("rope_parameters"))
    }

    /// A parameter of the rotation; nothing where it is absent or null.
    pub(super) fn parameter(&self, parameter: &str) -> Option<&'a Value> {
        self.rope().and_then(|_| self.config.value(&self.key(parameter)))
    }

    /// A number among the parameters of the rotation.
    pub(super) fn number(&self, parameter: &str) -> Option<f64> {
        self.parameter(parameter).and_then(Value::as_f64)
    }

    /// A number at the top of the file.
    pub(super) fn top(&self, key: &str) -> Option<f64> {
        self.config.value(key).and_then(Value::as_f64)
    }

    /// The type of scaling that is declared; `default` where none is.
    pub(super) fn scaling(&self) -> &'a str {
        let named = |key| self.parameter(key).and_then(Value::as_str);
        named("rope_type").or_else(|| named("type")).unwrap_or("default")
    }

    /// The architecture's name (`model_type`); empty where it is absent.
    pub(super) fn model_type(&self) -> &'a str {
        self.config.value("model_type").and_then(Value::as_str).unwrap_or_default()
    }

    /// The original length, with its key: one at the top has priority.
    pub(super) fn original(&self) -> Option<(String, f64)> {
        let name = "original_max_position_embeddings";
        let inside = || Some((self.key(name), self.number(name)?));
        self.top(name).map(|length| (name.to_owned(), length)).or_else(inside)
    }

    /// The longest context that the file allows for.
    pub(super) fn longest(&self) -> Option<f64> {
        self.positions.map(|positions| positions.max_positions.as_f64()).or_else(|| self.top("max_position_embeddings"))
    }

    /// The length that is served: the one that was asked for, else the longest that the file allows for.
    pub(super) fn target(&self) -> f64 {
        self.served.target.map(crate::units::Tokens::as_f64).or_else(|| self.longest()).unwrap_or(0.0)
    }

    /// A finding at a key of the configuration.
    pub(super) fn found(
        &self,
        severity: Severity,
        key: impl Into<String>,
        meaning: impl Into<String>,
        instead: impl Into<String>,
        known: &[&str],
    ) -> AuditFinding {
        let key = key.into();
        AuditFinding {
            severity,
            check: String::new(),
            file: self.config.path().file_name().unwrap_or_default().to_string_lossy().into_owned(),
            line: self.config.line(&key),
            key,
            meaning: meaning.into(),
            instead: instead.into(),
            known: known.iter().map(|thread| (*thread).to_owned()).collect(),
        }
    }
}

/// Whether two positive numbers are the same for a reader who rounds.
pub(super) fn alike(a: f64, b: f64) -> bool {
    (a - b).abs() <= ALIKE * a.abs().max(b.abs())
}

/// A count of tokens with its thousands separated.
pub(super) fn tokens(count: f64) -> String {
    crate::units::Tokens(count.max(0.0).round() as usize).to_string()
}

/// A number with at most six digits, as people write it.
pub(super) fn plain(number: f64) -> String {
    let text = format!("{number:.6}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if number != 0.0 && text.trim_matches(['0', '.', '-']).is_empty() { format!("{number:e}") } else { text.to_owned() }
}
