//! Parameters of the rotation that its scaling does not read.

use super::case::Case;
use crate::findings::{AuditFinding, Severity};
use crate::spelling::nearest;

/// What every scaling may hold. `finetuned` is an old mark of YaRN's authors; the sections are those of images and video.
const ALWAYS: &[&str] = &[
    "rope_type",
    "type",
    "rope_theta",
    "partial_rotary_factor",
    "original_max_position_embeddings",
    "finetuned",
    "mrope_section",
    "mrope_interleaved",
];

/// What each scaling reads besides.
const READ: &[(&str, &[&str])] = &[
    ("default", &[]),
    ("linear", &["factor"]),
    ("dynamic", &["factor"]),
    ("yarn", &["factor", "attention_factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim", "truncate"]),
    ("longrope", &["factor", "attention_factor", "short_factor", "long_factor", "short_mscale", "long_mscale"]),
    ("llama3", &["factor", "low_freq_factor", "high_freq_factor"]),
    ("proportional", &["factor"]),
];

/// Keys that another check speaks of where they are not read.
const ELSEWHERE: &[&str] = &["factor", "low_freq_factor", "high_freq_factor"];

pub(super) fn check(case: &Case<'_>) -> Vec<AuditFinding> {
    let (Some(rope), scaling) = (case.rope(), case.scaling()) else { return Vec::new() };
    let Some((_, read)) = READ.iter().find(|(name, _)| *name == scaling) else { return Vec::new() };
    let all: Vec<&str> = READ.iter().flat_map(|(_, keys)| keys.iter()).chain(ALWAYS).copied().collect();
    // An object inside is a rotation of one type of layer, not a parameter.
    let unread = |key: &&str| {
        !read.contains(key) && !ALWAYS.contains(key) && case.parameter(key).is_some_and(|value| !value.is_object())
    };
    case.config
        .keys(rope)
        .filter(unread)
        .filter(|key| !ELSEWHERE.contains(key))
        .map(|key| {
            let owners: Vec<&str> =
                READ.iter().filter(|(_, keys)| keys.contains(&key)).map(|(name, _)| *name).collect();
            if !owners.is_empty() {
                let meaning = format!("{scaling} does not read `{key}`; {} does", owners.join(" or "));
                return case.found(Severity::Warning, case.key(key), meaning, "no such key, or the other scaling", &[]);
            }
            if let Some(meant) = nearest(key, &all) {
                let meaning = format!("no engine reads `{key}`, so `{meant}` keeps its default");
                let instead = format!("did you mean \"{meant}\"?");
                return case.found(Severity::Error, case.key(key), meaning, instead, &[]);
            }
            let meaning = format!("`{key}` is no parameter of any scaling: it is ignored, or one engine's own");
            case.found(Severity::Note, case.key(key), meaning, "no such key", &[])
        })
        .collect()
}
