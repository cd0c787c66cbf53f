//! The answer in at most two sentences.

use crate::findings::{Axis, Cause, Question, Recommendation, Ruling, Verdict};

use super::Evidence;
use super::words::{amount, share};
use crate::measurement::spoken;

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
                format!("{first} Deploy {} instead.", spoken(&best.label()))
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

/// The questions that one thing is to blame for.
struct Group {
    /// What is to blame, and the switch that repairs it.
    blamed: Blamed,
    /// What got worse, by how much.
    damages: Vec<String>,
    /// What is switched to for each damage, and the share of it that goes away.
    repairs: Vec<(Option<String>, String)>,
}

/// What is to blame, as the questions of one cause share it.
#[derive(PartialEq)]
struct Blamed {
    /// Up to what is switched to.
    switching: String,
    /// After it.
    staying: &'static str,
}

/// The sentence that names what got worse and why, with questions of the same cause together.
fn damaged(evidence: &Evidence, worse: &[&Verdict], causes: &[Cause]) -> String {
    let mut groups: Vec<Group> = Vec::new();
    for verdict in worse {
        let cause = causes.iter().find(|cause| cause.question == verdict.question);
        let blamed = cause.map_or(Blamed { switching: String::new(), staying: "" }, |cause| blamed(evidence, cause));
        let repair = cause.filter(|cause| cause.axis != Axis::Undecided).and_then(|cause| cause.repair.as_ref());
        let target = cause.and_then(target);
        let repairs = repair.map(|repair| (target, share(&repair.fraction)));
        match groups.iter_mut().find(|group| group.blamed == blamed) {
            Some(group) => {
                group.damages.push(got_worse(verdict));
                group.repairs.extend(repairs);
            }
            None => {
                groups.push(Group {
                    blamed,
                    damages: vec![got_worse(verdict)],
                    repairs: repairs.into_iter().collect(),
                });
            }
        }
    }
    let parts: Vec<String> = groups.iter().map(Group::words).collect();
    capitalised(&format!("{}.", parts.join("; ")))
}

impl Group {
    fn words(&self) -> String {
        let joined = |words: &[String]| join(&words.iter().map(String::as_str).collect::<Vec<_>>());
        let Blamed { switching, staying } = &self.blamed;
        let damages = joined(&self.damages);
        let of = if self.damages.len() == 1 { "of it" } else { "of these" };
        let Some((first, _)) = self.repairs.first() else { return format!("{damages}: {switching}{staying}") };
        // What all of them switch to is said before the shares, else each share says its own.
        let common =
            first.as_ref().filter(|_| self.repairs.iter().all(|(target, _)| target.as_ref() == first.as_ref()));
        let shares: Vec<String> = self
            .repairs
            .iter()
            .map(|(target, share)| match target.as_ref().filter(|_| common.is_none()) {
                Some(target) => format!("{share} (to {target})"),
                None => share.clone(),
            })
            .collect();
        let to = common.map_or_else(String::new, |target| format!(" to {target}"));
        format!("{damages}: {switching}{to}{staying} removes {} {of}", joined(&shares))
    }
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

/// What the repair of a cause switches to; nothing where it switches nothing.
fn target(cause: &Cause) -> Option<String> {
    let by = &cause.repair.as_ref()?.by;
    match cause.axis {
        Axis::Method => Some(format!("`{by}`")),
        Axis::Factor | Axis::Interaction => Some(spoken(by)),
        Axis::Condition | Axis::None | Axis::Undecided => None,
    }
}

fn blamed(evidence: &Evidence, cause: &Cause) -> Blamed {
    let (method, factor) = &evidence.scenario.deployed;
    let (switching, staying, healthy) = match cause.axis {
        Axis::Method => (
            format!("the method is to blame, switching `{}`", method.label()),
            " at the same factor",
            " to another method at the same factor makes it healthy",
        ),
        Axis::Factor => (
            format!("the factor is to blame, switching {factor}"),
            " with the same method",
            " to another factor with the same method makes it healthy",
        ),
        Axis::Interaction => (
            "method and factor are to blame together, only changing both".to_owned(),
            "",
            " to another cell makes it healthy",
        ),
        Axis::Condition if cause.repair.is_some() => {
            // What removes the damage is the fault's repair, never the fault.
            (format!("the implementation is to blame, repairing {}", cause.name), "", "")
        }
        Axis::Condition => (format!("the implementation is to blame ({})", cause.name), "", ""),
        Axis::None | Axis::Undecided => (undecided(cause), "", ""),
    };
    // With a repair, the group adds what it removes, for all questions of this cause at once.
    Blamed { switching, staying: if cause.repair.is_some() { staying } else { healthy } }
}

fn undecided(cause: &Cause) -> String {
    if cause.question == Question::Latency {
        return "the cause is undecided, as the grid is not timed as a whole".to_owned();
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
