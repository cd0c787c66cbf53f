//! What a static look at a checkpoint's files found.

use serde::{Deserialize, Serialize};

/// How much a finding of the audit weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; nothing is wrong by it.
    Note,
    /// Engines are known to read this differently.
    Warning,
    /// The files contradict each other, or what is asked of them.
    Error,
}

impl Severity {
    /// The word for people and in files: `error`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One thing that the audit found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditFinding {
    /// How much it weighs.
    pub severity: Severity,
    /// The check that found it: `two_thetas`.
    pub check: String,
    /// The file, within the checkpoint's folder.
    pub file: String,
    /// The key in it, dotted where it is nested; a tensor's name for weights.
    pub key: String,
    /// The key's line, from 1; absent where the key itself is absent, and outside of JSON.
    pub line: Option<usize>,
    /// What it means, with the numbers.
    pub meaning: String,
    /// What to write instead.
    pub instead: String,
    /// Public threads about it: `huggingface/transformers #38224`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<String>,
}

impl AuditFinding {
    /// Where it is: `rope_scaling.factor (config.json, line 12)`.
    #[must_use]
    pub fn place(&self) -> String {
        match self.line {
            Some(line) => format!("{} ({}, line {line})", self.key, self.file),
            None => format!("{} ({})", self.key, self.file),
        }
    }
}
