//! A factor that is not the ratio of the lengths: those in the file, or those that are served.

use super::case::{Case, alike, plain, tokens};
use crate::findings::{AuditFinding, Severity};
use crate::positions::{AnyMethod, Method};
use crate::units::{Stretch, Tokens};

pub(super) fn check(case: &Case<'_>) -> Vec<AuditFinding> {
    let mut found = Vec::new();
    found.extend(in_the_file(case));
    found.extend(for_the_target(case));
    found.extend(as_deployed(case));
    found
}

/// The factor against `max_position_embeddings / original_max_position_embeddings`.
fn in_the_file(case: &Case<'_>) -> Option<AuditFinding> {
    // Llama 3's factor divides wavelengths and was never the ratio: 8 for 131,072 / 8,192.
    if !matches!(case.scaling(), "yarn" | "longrope" | "linear") {
        return None;
    }
    let (factor, (_, original), longest) = (case.number("factor")?, case.original()?, case.longest()?);
    let ratio = longest / original;
    if alike(factor, ratio) || original > longest {
        return None;
    }
    let known = ["huggingface/transformers #38224", "huggingface/transformers #40320"];
    let (factor_, lengths) = (plain(factor), format!("{} / {}", tokens(longest), tokens(original)));
    if alike(ratio, 1.0) {
        let reach = original * factor;
        let meaning = format!(
            "the factor is {factor_}, and the longest length is still the original one, {}: engines that compute the factor as \
             max / original get 1 and do nothing, engines that size tables by `max_position_embeddings` end there, others \
             reach {}",
            tokens(original),
            tokens(reach)
        );
        let instead = format!("\"max_position_embeddings\": {reach}");
        return Some(case.found(Severity::Warning, case.key("factor"), meaning, instead, &known));
    }
    let meaning = format!(
        "the factor is {factor_}, but max / original is {lengths} = {}: transformers before #40320 ran with the ratio, others \
         with the factor",
        plain(ratio)
    );
    let instead = format!("\"factor\": {}, or lengths whose ratio is {factor_}", plain(ratio));
    Some(case.found(Severity::Error, case.key("factor"), meaning, instead, &known))
}

/// The factor against target / trained.
fn for_the_target(case: &Case<'_>) -> Option<AuditFinding> {
    let target = case.served.target?.as_f64();
    let factor = case.number("factor")?;
    let trained = case.original().map(|(_, original)| original).or_else(|| case.longest())?;
    let (needed, reach) = (target / trained, factor * trained);
    let scaling = case.scaling();
    // Without an original length a linear file may hold the stretched length already.
    let stretched = scaling == "linear" && case.original().is_none() && alike(target, trained);
    if alike(factor, needed) || stretched || !matches!(scaling, "yarn" | "longrope" | "linear" | "llama3") {
        return None;
    }
    let said =
        format!("the factor is {}, and target / trained is {} / {}", plain(factor), tokens(target), tokens(trained));
    let (key, instead) = (case.key("factor"), format!("\"factor\": {}", plain(needed)));
    if reach < target {
        // Llama 3.1 serves 131,072 tokens with factor 8 on 8,192: its bounds, not the factor, carry it.
        let severity = if scaling == "llama3" { Severity::Note } else { Severity::Error };
        let meaning = format!("{said} = {}: the stretch ends at {} tokens", plain(needed), tokens(reach));
        return Some(case.found(severity, key, meaning, instead, &[]));
    }
    let meaning = format!(
        "{said} = {}: a static factor larger than needed costs short texts, at every request",
        plain(needed.max(1.0))
    );
    Some(case.found(Severity::Warning, key, meaning, instead, &["QwenLM/Qwen3 #1567"]))
}

/// The factor of a retrofit that was described in a scenario, against target / trained.
pub(super) fn described(method: &AnyMethod, factor: Stretch, trained: Tokens, target: Tokens) -> Option<AuditFinding> {
    let needed = target.as_f64() / trained.as_f64();
    // Dynamic methods follow the length whatever their factor, and Llama 3's factor was never the ratio.
    let free = ["dynamic", "dynamic_vllm", "dynamic_step", "dynamic_paper", "llama3", "none"];
    if method.reaches_any_length() || free.contains(&method.name()) || alike(factor.0, needed) {
        return None;
    }
    let (severity, consequence) = if factor.0 < needed {
        (Severity::Error, format!("the stretch ends at {} tokens", tokens(factor.0 * trained.as_f64())))
    } else {
        (Severity::Warning, "a static factor larger than needed costs short texts, at every request".to_owned())
    };
    Some(AuditFinding {
        severity,
        check: String::new(),
        file: "the scenario".to_owned(),
        key: "deployed.factor".to_owned(),
        line: None,
        meaning: format!(
            "the factor is {factor}, and target / trained is {target} / {trained} = {}: {consequence}",
            plain(needed)
        ),
        instead: format!("factor {}", plain(needed)),
        known: vec!["QwenLM/Qwen3 #1567".to_owned()],
    })
}

/// The factor in the file against the one that the deployment means to run.
fn as_deployed(case: &Case<'_>) -> Option<AuditFinding> {
    let meant = case.served.factor?.0;
    let written = case.number("factor").filter(|_| case.scaling() != "default").unwrap_or(1.0);
    if alike(meant, written) {
        return None;
    }
    let key = if case.rope().is_some() { case.key("factor") } else { "rope_parameters".to_owned() };
    let meaning = format!("the deployment means factor {}, and the file says {}", plain(meant), plain(written));
    Some(case.found(Severity::Error, key, meaning, format!("\"factor\": {}", plain(meant)), &[]))
}
