//! Keys at the top of the file that nearly name a position's parameter.

use super::case::Case;
use crate::findings::{AuditFinding, Severity};
use crate::spelling::edits;

/// The keys of positions that engines read at the top.
const KNOWN: &[&str] = &[
    "rope_theta",
    "rope_scaling",
    "rope_parameters",
    "max_position_embeddings",
    "original_max_position_embeddings",
    "partial_rotary_factor",
    "num_attention_heads",
    "num_key_value_heads",
    "sliding_window",
    "hidden_size",
    "head_dim",
];

/// Names of other families that a Llama's readers skip, and what they read.
const FOREIGN: &[(&str, &str)] = &[
    ("rope_base", "rope_theta"),
    ("rotary_base", "rope_theta"),
    ("rotary_emb_base", "rope_theta"),
    ("rope_freq_base", "rope_theta"),
    ("rope_scaling_factor", "rope_parameters.factor"),
    ("rope_scale", "rope_parameters.factor"),
    ("max_seq_len", "max_position_embeddings"),
    ("max_sequence_length", "max_position_embeddings"),
    ("n_ctx", "max_position_embeddings"),
];

/// Families that read the keys above and none of the foreign ones.
const LLAMAS: [&str; 6] = ["llama", "mistral", "mixtral", "qwen2", "qwen3", "gyro"];

pub(super) fn check(case: &Case<'_>) -> Vec<AuditFinding> {
    let misspelt = |key: &str| {
        let meant = KNOWN.iter().find(|known| **known != key && edits(key, known) <= known.len() / 8)?;
        let meaning = format!("no engine reads `{key}`, so `{meant}` keeps what it has, or its default");
        let severity = if case.config.value(meant).is_some() { Severity::Warning } else { Severity::Error };
        Some(case.found(severity, key, meaning, format!("did you mean \"{meant}\"?"), &[]))
    };
    let foreign = |key: &str| {
        let (_, read) = FOREIGN.iter().find(|(name, _)| *name == key && LLAMAS.contains(&case.model_type()))?;
        let meaning =
            format!("a `{}` is read for `{read}`, and this key of other families is skipped", case.model_type());
        Some(case.found(Severity::Warning, key, meaning, format!("\"{read}\""), &[]))
    };
    let wrong = |key| if KNOWN.contains(&key) { None } else { misspelt(key).or_else(|| foreign(key)) };
    case.config.keys("").filter_map(wrong).collect()
}
