//! YaRN's temperature: three keys for one number.

use super::case::{Case, plain};
use crate::findings::{AuditFinding, Severity};

/// Threads on an explicit factor that is dropped, and on one that is multiplied once more.
const EXPLICIT: [&str; 4] =
    ["vllm-project/vllm #46280", "vllm-project/vllm #48351", "ml-explore/mlx-lm #1507", "sgl-project/sglang #33558"];

/// Threads on `mscale` and `mscale_all_dim`.
const BOTH: [&str; 4] = [
    "turboderp-org/exllamav3 #259",
    "vllm-project/vllm #48623",
    "huggingface/transformers #47435",
    "ggml-org/llama.cpp #17945",
];

pub(super) fn check(case: &Case<'_>) -> Vec<AuditFinding> {
    if case.scaling() != "yarn" {
        return Vec::new();
    }
    let factor = case.positions.map_or(1.0, |positions| positions.declared.1.0);
    let temperature = |m: f64| if factor <= 1.0 { 1.0 } else { 0.1 * m * factor.ln() + 1.0 };
    let usual = temperature(1.0);
    let (given, m, all) = (case.number("attention_factor"), case.number("mscale"), case.number("mscale_all_dim"));
    let mut found = Vec::new();
    if let Some(given) = given {
        let is_usual = (given - usual).abs() <= 1e-4;
        let said = if is_usual {
            format!("the attention factor is written, and is that of the formula, {}", plain(usual))
        } else {
            format!(
                "the attention factor is {}, and that of the formula {}: engines that drop the key run with the formula's",
                plain(given),
                plain(usual)
            )
        };
        let meaning = format!(
            "{said}; engines that multiply the two run with {}; logits scale by the square, at every position",
            plain(given * usual)
        );
        let instead = format!("no `attention_factor`, unless the weights were trained with {}", plain(given));
        let severity = if is_usual { Severity::Note } else { Severity::Warning };
        found.push(case.found(severity, case.key("attention_factor"), meaning, instead, &EXPLICIT));
    }
    if let (Some(given), true) = (given, m.or(all).is_some()) {
        let key = if m.is_some() { "mscale" } else { "mscale_all_dim" };
        let meaning = format!(
            "`attention_factor` {} stands beside `{key}`: transformers takes the first and ignores the \
             other, engines that know `mscale` alone do the reverse",
            plain(given)
        );
        found.push(case.found(Severity::Warning, case.key(key), meaning, "one of the two forms", &EXPLICIT));
    }
    if given.is_none() {
        found.extend(scales(case, m, all, temperature));
    }
    found
}

/// `mscale` and `mscale_all_dim` by themselves.
fn scales(case: &Case<'_>, m: Option<f64>, all: Option<f64>, temperature: impl Fn(f64) -> f64) -> Option<AuditFinding> {
    let usual = plain(temperature(1.0));
    match (m.filter(|m| *m != 0.0), all.filter(|all| *all != 0.0)) {
        (Some(m), Some(all)) => {
            let softmax = plain(temperature(all).powi(2));
            let meaning = format!(
                "`mscale` {} over `mscale_all_dim` {} gives the factor {}; engines that ignore the pair run with {usual}, and \
                 DeepSeek's attention needs the softmax scale times {softmax} besides, which some leave out",
                plain(m),
                plain(all),
                plain(temperature(m) / temperature(all))
            );
            let instead = "the pair only for weights that were trained with it; then check the logits' temperature";
            Some(case.found(Severity::Warning, case.key("mscale_all_dim"), meaning, instead, &BOTH))
        }
        (Some(alone), None) | (None, Some(alone)) => {
            let key = if m.is_some() { "mscale" } else { "mscale_all_dim" };
            let meaning = format!(
                "`{key}` {} stands alone: transformers then ignores it and runs with {usual}, engines that read it with {}",
                plain(alone),
                plain(temperature(alone))
            );
            Some(case.found(Severity::Warning, case.key(key), meaning, "both keys, or neither", &BOTH))
        }
        (None, None) => None,
    }
}
