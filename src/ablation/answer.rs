//! The answer in two sentences, what would settle what is open, and what the scenario expected.

use super::evidence::percent;
use super::repair::FEWEST_TO_SPLIT;
use crate::findings::{Axis, Cause, Expectation, Findings, Question, Ruling, Verdict};
use crate::scenario::Scenario;

/// At most two sentences for people: what got worse and why, and what to do.
pub(super) fn answer(findings: &Findings) -> String {
    let worse: Vec<&Verdict> = findings.verdicts.iter().filter(|v| v.ruling == Ruling::Worse).collect();
    if worse.is_empty() {
        let open: Vec<&str> = findings
            .verdicts
            .iter()
            .filter(|v| matches!(v.ruling, Ruling::Undecided | Ruling::Incomparable))
            .map(|v| v.question.words())
            .collect();
        return match (findings.verdicts.is_empty(), open.is_empty()) {
            (true, _) => "Nothing was asked that has a ruling.".to_owned(),
            (_, true) => format!("Nothing got worse with {}.", findings.deployed),
            _ => format!("Nothing is known to be worse with {}, but {} could not be judged.", findings.deployed, list(&open)),
        };
    }
    let damage: Vec<String> = worse.iter().map(|verdict| damage(verdict)).collect();
    let mut first = format!("{} is worse with {}", capital(&list(&damage)), findings.deployed);
    if worse.len() > 1 {
        first = first.replacen(" is worse", " are worse", 1);
    }
    let blamed: Vec<&Cause> =
        worse.iter().filter_map(|v| findings.causes.iter().find(|cause| cause.question == v.question)).collect();
    format!("{first}; {}. {}", blame(&blamed), advice(findings))
}

fn damage(verdict: &Verdict) -> String {
    match (&verdict.change, verdict.question) {
        (Some(change), Question::Latency) => format!("latency (x{:.2})", change.point),
        (Some(change), _) => format!("{} ({:+.2} {})", verdict.question.words(), change.point, verdict.unit),
        (None, _) => format!("{} (not finite)", verdict.question.words()),
    }
}

/// Who is to blame, said once where all questions agree.
fn blame(causes: &[&Cause]) -> String {
    let said = |cause: &Cause| match (cause.axis, &cause.repair) {
        (Axis::Method, Some(repair)) => format!(
            "the method is to blame: {} at the same factor removes {} of the damage",
            repair.by,
            percent(&repair.fraction)
        ),
        (Axis::Factor, Some(repair)) => format!(
            "the factor is to blame: x{} with the same method removes {} of the damage",
            repair.by,
            percent(&repair.fraction)
        ),
        (Axis::Interaction, Some(repair)) => {
            format!("only method and factor together repair it: {} removes {} of the damage", repair.by, percent(&repair.fraction))
        }
        _ => "the cause is undecided".to_owned(),
    };
    let all_alike = causes.windows(2).all(|pair| pair[0].axis == pair[1].axis);
    if causes.len() == 1 || all_alike && causes.iter().all(|cause| cause.repair.is_none()) {
        return causes.first().map(|cause| said(cause)).unwrap_or_default();
    }
    let sentences: Vec<String> =
        causes.iter().map(|cause| format!("in {} {}", cause.question.words(), said(cause))).collect();
    sentences.join("; ")
}

fn advice(findings: &Findings) -> String {
    let Some(best) = &findings.recommendation else {
        return "No measured cell can be recommended.".to_owned();
    };
    let cell = label(&best.method, best.factor);
    if cell == findings.deployed {
        return format!("Among the cells measured, {cell} is still the one that exceeds the tolerances least.");
    }
    format!("Of the cells measured, {cell} exceeds the tolerances least: deploy that instead, or adapt the model.")
}

fn label(method: &str, factor: f64) -> String {
    if factor == 1.0 { method.to_owned() } else { format!("{method} x{factor}") }
}

fn list(words: &[impl AsRef<str>]) -> String {
    match words {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [start @ .., last] => {
            let start: Vec<&str> = start.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", start.join(", "), last.as_ref())
        }
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// What is open and what would settle it.
pub(super) fn notes(verdict: &Verdict, causes: &[Cause]) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(why) = &verdict.why {
        notes.push(format!("{}: {why}", verdict.question.words()));
    }
    if verdict.ruling == Ruling::Worse
        && let Some(first) = causes.first()
    {
        if first.axis == Axis::Undecided {
            notes.extend(first.evidence.last().map(|why| format!("{}: {why}", verdict.question.words())));
        }
        let n = verdict.change.map_or(0, |change| change.n);
        if verdict.question != Question::Latency && n < FEWEST_TO_SPLIT {
            notes.push(format!(
                "{}: with {n} documents the best repair is chosen and estimated on the same ones, which flatters it",
                verdict.question.words()
            ));
        }
    }
    notes
}

/// What the scenario expected against what was found.
pub(super) fn expectations(scenario: &Scenario, causes: &[Cause]) -> Vec<Expectation> {
    scenario
        .expect
        .iter()
        .map(|(&question, &expected)| {
            let found = causes.iter().find(|cause| cause.question == question).map_or(Axis::Undecided, |cause| cause.axis);
            Expectation { question, expected, found, met: expected == found }
        })
        .collect()
}
