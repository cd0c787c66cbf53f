//! The answer in at most two sentences.

use crate::findings::{Axis, Cause, Question, Recommendation, Ruling, Verdict};

use super::Evidence;
use super::words::{amount, share};

/// What got worse and what is to blame; then what to do.
pub(super) fn answer(
    evidence: &Evidence,
    verdicts: &[Verdict],
    causes: &[Cause],
    recommendation: Option<&Recommendation>,
) -> String {
    let worse: Vec<&Verdict> = verdicts.iter().filter(|verdict| verdict.ruling == Ruling::Worse).collect();
    let first = if worse.is_empty() { healthy(verdicts) } else { damaged(evidence, &worse, causes) };
    match recommendation {
        Some(best) if !worse.is_empty() || !is_deployed(evidence, best) => {
            let quality = |verdict: &&Verdict| verdict.question != Question::Latency;
            if is_deployed(evidence, best) {
                format!(
                    "{first} Nothing measured that serves {} tokens is better than what is deployed.",
                    evidence.scenario.target
                )
            } else if worse.iter().any(quality) {
                format!("{first} Deploy {} instead.", best.label())
            } else {
                first
            }
        }
        _ => first,
    }
}

fn is_deployed(evidence: &Evidence, best: &Recommendation) -> bool {
    let deployed = evidence.deployed();
    deployed.healthy().label() == best.label()
}

/// The sentence where nothing is worse.
fn healthy(verdicts: &[Verdict]) -> String {
    let list = |keep: &dyn Fn(Ruling) -> bool| {
        let words: Vec<&str> =
            verdicts.iter().filter(|verdict| keep(verdict.ruling)).map(|verdict| verdict.question.words()).collect();
        join(&words)
    };
    let unjudged = |ruling| matches!(ruling, Ruling::Undecided | Ruling::Incomparable);
    let open = list(&unjudged);
    let fine = list(&|ruling| !unjudged(ruling));
    match (fine.is_empty(), open.is_empty()) {
        (true, true) => "No question was asked.".to_owned(),
        (true, false) => format!("Nothing could be judged: {open}."),
        (false, true) => format!("Nothing got worse: {fine} held."),
        (false, false) => format!("Nothing is shown to be worse, but {open} could not be judged ({fine} held)."),
    }
}

/// The sentence that names what got worse and why, with questions of the same cause together.
fn damaged(evidence: &Evidence, worse: &[&Verdict], causes: &[Cause]) -> String {
    let mut groups: Vec<(String, Vec<String>, Vec<String>)> = Vec::new();
    for verdict in worse {
        let cause = causes.iter().find(|cause| cause.question == verdict.question);
        let why = cause.map_or_else(String::new, |cause| blamed(evidence, cause));
        let repair = cause.filter(|cause| cause.axis != Axis::Undecided).and_then(|cause| cause.repair.as_ref());
        let removed = repair.map(|repair| share(&repair.fraction));
        match groups.iter_mut().find(|(other, _, _)| *other == why) {
            Some((_, amounts, shares)) => {
                amounts.push(got_worse(verdict));
                shares.extend(removed);
            }
            None => groups.push((why, vec![got_worse(verdict)], removed.into_iter().collect())),
        }
    }
    let joined = |words: &[String]| join(&words.iter().map(String::as_str).collect::<Vec<_>>());
    let parts: Vec<String> = groups
        .into_iter()
        .map(|(why, amounts, shares)| {
            let of = if amounts.len() == 1 { "of it" } else { "of these" };
            let removes = if shares.is_empty() { String::new() } else { format!(" removes {} {of}", joined(&shares)) };
            format!("{}: {why}{removes}", joined(&amounts))
        })
        .collect();
    capitalised(&format!("{}.", parts.join("; ")))
}

fn got_worse(verdict: &Verdict) -> String {
    let words = verdict.question.words();
    match verdict.change {
        None => format!("{words} broke (values that are not numbers)"),
        Some(change) if verdict.question == Question::Latency => {
            format!("{} takes {} as long", verdict.quantity, amount(verdict.question, &change))
        }
        Some(change) if verdict.question == Question::Retrieval => {
            format!("{words} lost {}", amount(verdict.question, &change.negated()))
        }
        Some(change) => format!("{words} got worse by {}", amount(verdict.question, &change)),
    }
}

fn blamed(evidence: &Evidence, cause: &Cause) -> String {
    let (method, factor) = &evidence.scenario.deployed;
    // With a repair, the caller adds what it removes, for all questions of this cause at once.
    let removes = if cause.repair.is_some() { "" } else { " makes it healthy" };
    let by = cause.repair.as_ref().map(|repair| repair.by.clone());
    let to = |fallback: &str| by.clone().unwrap_or_else(|| fallback.to_owned());
    match cause.axis {
        Axis::Method => format!(
            "the method is to blame, switching `{}` to `{}` at the same factor{removes}",
            method.label(),
            to("another method")
        ),
        Axis::Factor => format!(
            "the factor is to blame, switching {factor} to {} with the same method{removes}",
            to("another factor")
        ),
        Axis::Interaction => {
            format!("method and factor are to blame together, only changing both (to {}){removes}", to("another cell"))
        }
        Axis::Condition if cause.repair.is_some() => {
            // What removes the damage is the fault's repair, never the fault.
            format!("the implementation is to blame, repairing {}", cause.name)
        }
        Axis::Condition => format!("the implementation is to blame ({})", cause.name),
        Axis::None | Axis::Undecided => undecided(cause),
    }
}

fn undecided(cause: &Cause) -> String {
    if cause.question == Question::Latency {
        return "the cause is undecided, as only the deployed and the unscaled arm were timed".to_owned();
    }
    let why = cause.evidence.last().map(String::as_str).unwrap_or_default();
    format!("the cause is undecided, {why}")
}

/// Words as a list: `a, b and c`.
pub(crate) fn join(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
