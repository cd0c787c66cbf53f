//! A rotation of a part of each head, under its several names.

use super::case::{Case, plain};
use crate::findings::{AuditFinding, Severity};

/// Graphs of transformers that read no share of the head.
const WHOLE: [&str; 5] = ["llama", "mistral", "mixtral", "qwen2", "gyro"];

pub(super) fn check(case: &Case<'_>) -> Vec<AuditFinding> {
    let Some(head_dim) = case.positions.map(|positions| positions.heads.head_dim as f64) else { return Vec::new() };
    let inside = case.key("partial_rotary_factor");
    // Each name with the share that it means.
    let shares: Vec<(String, f64)> = [
        (inside.clone(), case.number("partial_rotary_factor")),
        ("partial_rotary_factor".to_owned(), case.top("partial_rotary_factor")),
        ("rotary_pct".to_owned(), case.top("rotary_pct")),
        ("rotary_dim".to_owned(), case.top("rotary_dim").map(|rotated| rotated / head_dim)),
    ]
    .into_iter()
    .filter_map(|(key, share)| Some((key, share?)))
    .collect();
    let Some((first, share)) = shares.first() else { return Vec::new() };
    if let Some((other, differs)) = shares.iter().find(|(_, other)| (other - share).abs() > 1e-6) {
        let meaning = format!(
            "`{first}` rotates {} of a head's {head_dim} dimensions, `{other}` {}: engines read one or the other",
            plain((head_dim * share).floor()),
            plain((head_dim * differs).floor())
        );
        return vec![case.found(Severity::Error, other, meaning, "the share that was trained, once", &[])];
    }
    if *share >= 1.0 || case.scaling() == "proportional" {
        return Vec::new();
    }
    let rotated = (head_dim * share).floor();
    let pitfalls = format!(
        "{rotated} of {head_dim} dimensions rotate. Frequencies are theta^(-2i/{rotated}) and pairs lie {} apart; engines \
         with theta^(-2i/{head_dim}), pairs {} apart or the whole head rotated are wrong, the more the farther",
        rotated / 2.0,
        head_dim / 2.0
    );
    let known = ["pie-project/pie #602", "huggingface/transformers #48630", "vllm-project/vllm #43770"];
    let (severity, meaning) = if WHOLE.contains(&case.model_type()) {
        let meaning = format!(
            "transformers' graph of `{}` reads no share and rotates the whole head. {pitfalls}",
            case.model_type()
        );
        (Severity::Warning, meaning)
    } else {
        (Severity::Note, pitfalls)
    };
    vec![case.found(
        severity,
        first,
        meaning,
        "nothing, if the weights were trained so; then compare applied rotations",
        &known,
    )]
}
