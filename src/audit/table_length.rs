//! Tables and masks that are shorter than what is served.

use super::case::{Case, plain, tokens};
use crate::findings::{AuditFinding, Severity};
use crate::positions::Method;

pub(super) fn check(case: &Case<'_>) -> Vec<AuditFinding> {
    let (Some(target), Some(longest)) = (case.served.target.map(crate::units::Tokens::as_f64), case.longest()) else {
        return Vec::new();
    };
    if target <= longest || case.positions.is_some_and(|positions| positions.declared.0.reaches_any_length()) {
        return Vec::new();
    }
    let known = ["mit-han-lab/llm-awq #332", "vllm-project/vllm-ascend #1266", "vllm-project/vllm #55910"];
    let ends = format!("`max_position_embeddings` is {}, and {} are to be served", tokens(longest), tokens(target));
    let trained = case.original().map_or(longest, |(_, original)| original);
    let factor = case.number("factor").filter(|_| case.scaling() != "default").unwrap_or(1.0);
    let reaches = factor * trained >= 0.99 * target || matches!(case.scaling(), "dynamic" | "llama3");
    let longer = format!("\"max_position_embeddings\": {target}");
    if reaches {
        let meaning = format!(
            "{ends}: engines that size tables and masks by the key alone wrap, clamp, regrow or stop at {}, and others \
             multiply it by the factor",
            tokens(longest)
        );
        vec![case.found(Severity::Warning, "max_position_embeddings", meaning, longer, &known)]
    } else {
        let meaning = format!("{ends}, and no scaling of the file reaches that far: positions beyond are unseen");
        let instead = format!("a scaling whose factor is {} or more, and {longer}", plain(target / trained));
        vec![case.found(Severity::Error, "max_position_embeddings", meaning, instead, &known)]
    }
}
