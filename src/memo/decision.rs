//! The decision in three sentences, and the paired differences that it rests on.

use super::candidates::Candidate;
use super::sources::Sources;
use super::{ALTERNATIVES, Decision, Difference, Dossier, Standing};
use crate::ablation::{Part, by_document, join};
use crate::findings::{Question, Ruling};
use crate::measurement::spoken;
use crate::reports::document::Claim;
use crate::reports::{capitalised, evidence, numbers};
use crate::stats::paired_difference;

/// The alternatives: the next best candidates that are not the same under another name.
pub(super) fn alternatives(candidates: &[Candidate]) -> Vec<&Candidate> {
    candidates.iter().skip(1).filter(|candidate| candidate.same_as.is_none()).take(ALTERNATIVES).collect()
}

/// Decides; `candidates` are in their order, and there is at least one.
pub(super) fn decision(dossier: &Dossier<'_>, candidates: &[Candidate], sources: &mut Sources) -> Decision {
    let alternatives = alternatives(candidates);
    let differences: Vec<Difference> = candidates
        .first()
        .into_iter()
        .flat_map(|chosen| alternatives.iter().map(move |other| (chosen, *other)))
        .flat_map(|(chosen, other)| differences(dossier, chosen, other, sources))
        .collect();
    let chosen = candidates.first();
    Decision {
        cell: chosen.map(|chosen| chosen.label.clone()).unwrap_or_default(),
        id: chosen.map(|chosen| chosen.id.clone()).unwrap_or_default(),
        alternatives: alternatives.iter().map(|other| other.label.clone()).collect(),
        meets_all: chosen.is_some_and(Candidate::meets_all),
        sentences: chosen.map(|chosen| sentences(dossier, candidates, chosen, &differences)).unwrap_or_default(),
        differences,
    }
}

fn differences(dossier: &Dossier<'_>, chosen: &Candidate, other: &Candidate, sources: &mut Sources) -> Vec<Difference> {
    let quality = [Question::ShortRange, Question::LongRange, Question::Retrieval];
    let of = |question| {
        let values = |candidate: &Candidate| {
            by_document(question, dossier.rows(&candidate.cell), dossier.run.trained, Part::Whole)
        };
        let (mine, theirs) = (values(chosen), values(other));
        let shared = || mine.keys().filter(|key| theirs.contains_key(key));
        let pick = |of: &std::collections::BTreeMap<u32, f64>| {
            shared().filter_map(|key| of.get(key).copied()).collect::<Vec<f64>>()
        };
        let (mine, theirs) = (pick(&mine), pick(&theirs));
        // A loss favours the lower value, recall the higher one.
        let falls = question != Question::Retrieval;
        let advantage = if falls { paired_difference(&theirs, &mine) } else { paired_difference(&mine, &theirs) }?;
        let advantage = question.possible(advantage);
        let made = format!(
            "{}; paired by document, the other minus this one where lower is better",
            evidence::made_of(question)
        );
        let filter = evidence::filter(dossier.run, question);
        Some(Difference {
            alternative: other.label.clone(),
            question,
            unit: if falls { "nats/token" } else { "share" }.to_owned(),
            advantage,
            sources: vec![sources.rows(question, &chosen.cell, Some(&other.cell), &filter, &made)],
        })
    };
    quality.into_iter().filter_map(of).collect()
}

fn sentences(
    dossier: &Dossier<'_>,
    candidates: &[Candidate],
    chosen: &Candidate,
    differences: &[Difference],
) -> Vec<Claim> {
    let approaches = numbers::counted(candidates.iter().filter(|other| other.same_as.is_none()).count(), "approach")
        .replace("approachs", "approaches");
    let mut safe = candidates.iter().filter(|candidate| candidate.same_as.is_none() && candidate.meets_all());
    let (meeting, safest) = (safe.clone().count(), safe.next());
    let target = dossier.run.target;
    let measured = chosen.standings.iter().filter(|standing| standing.ruling != Ruling::Incomparable).count();
    let constraints = numbers::counted(measured, "measured constraint");
    let keep = if chosen.label == dossier.run.findings.deployed { "Keep" } else { "Deploy" };
    let name = spoken(&chosen.label);
    let first = if chosen.meets_all() {
        let others = match meeting {
            1 => "the only one".to_owned(),
            n => format!("one of {n}, and the one with the least damage,"),
        };
        format!(
            "{keep} {name} for {target} tokens: of {approaches} measured it is {others} that meets all {constraints}."
        )
    } else if chosen.fails() {
        format!(
            "No candidate meets all constraints at {target} tokens; the least bad of {approaches} is {name}, and its \
             price is {}.",
            price(chosen)
        )
    } else if meeting == 0 {
        format!(
            "No candidate is shown to meet all constraints at {target} tokens; of {approaches} measured {name} fails \
             none, but {} still undecided{}.",
            listed(chosen, Ruling::Undecided),
            beyond(chosen)
        )
    } else {
        format!(
            "{keep} {name} for {target} tokens: of {approaches} measured it fails no constraint with the least damage, \
             but {} still undecided; {meeting} with more damage {} all {constraints}, {} first.",
            listed(chosen, Ruling::Undecided),
            if meeting == 1 { "meets" } else { "meet" },
            safest.map_or_else(String::new, |other| spoken(&other.label)),
        )
    };
    let all: Vec<String> = chosen.standings.iter().flat_map(|standing| standing.sources.clone()).collect();
    let second = Claim::new(
        format!(
            "Against the reference: {}.",
            chosen.standings.iter().map(standing_words).collect::<Vec<_>>().join("; ")
        ),
        all.clone(),
    );
    vec![Claim::new(first, all), second, against(candidates, differences)]
}

fn listed(chosen: &Candidate, ruling: Ruling) -> String {
    let words: Vec<&str> =
        chosen.standings.iter().filter(|s| s.ruling == ruling).map(|s| s.constraint.words()).collect();
    match words.as_slice() {
        [one] => format!("{one} is"),
        [first @ .., last] => format!("{} and {last} are", first.join(", ")),
        [] => String::new(),
    }
}

/// What a cell that fails nothing may cost all the same: means beyond what is accepted, and what was not measured.
fn beyond(chosen: &Candidate) -> String {
    let costly = chosen.standings.iter().filter(|s| s.ruling == Ruling::Undecided && s.margin.is_some_and(|m| m < 0.0));
    let costly: Vec<String> = costly.map(standing_words).collect();
    let missing = listed(chosen, Ruling::Incomparable);
    let mut words = String::new();
    if !costly.is_empty() {
        words += &format!(", {} in the mean beyond what is accepted", costly.join(" and "));
    }
    if !missing.is_empty() {
        words += &format!(", and {missing} not measured");
    }
    words
}

/// What the chosen cell costs beyond what is accepted.
fn price(chosen: &Candidate) -> String {
    let failed = chosen.standings.iter().filter(|standing| standing.ruling == Ruling::Worse);
    failed.map(standing_words).collect::<Vec<_>>().join(" and ")
}

/// A standing in words: `short range +0.050 nats/token [+0.037, +0.063] (accepted 0.020, failed)`.
pub(super) fn standing_words(standing: &Standing) -> String {
    let question = standing.constraint.words();
    match &standing.change {
        Some(change) => format!(
            "{question}{} {}, n = {} (accepted {}, {})",
            standing.timing.as_ref().map_or_else(String::new, |timing| format!(" ({timing})")),
            numbers::estimate(&standing.unit, change, numbers::change),
            change.n,
            numbers::tolerance(&standing.unit, standing.tolerance),
            standing.status()
        ),
        None => match standing.expected {
            Some(expected) => format!(
                "{question} not timed, {expected:.3}x by its operations (accepted {}, {})",
                numbers::tolerance(&standing.unit, standing.tolerance),
                standing.status()
            ),
            None => format!("{question} not measured"),
        },
    }
}

/// The third sentence: what the alternatives would give and take.
fn against(candidates: &[Candidate], differences: &[Difference]) -> Claim {
    let parts: Vec<String> = alternatives(candidates)
        .into_iter()
        .map(|other| {
            let of = differences.iter().filter(|difference| difference.alternative == other.label);
            let words: Vec<String> = of.map(difference_words).collect();
            let fails: Vec<&str> = other
                .standings
                .iter()
                .filter(|standing| standing.ruling == Ruling::Worse)
                .map(|standing| standing.constraint.words())
                .collect();
            let fails = if fails.is_empty() { String::new() } else { format!(" (it fails {})", join(&fails)) };
            format!("{}{fails}: {}", other.label, words.join(", "))
        })
        .collect();
    let sources = differences.iter().flat_map(|difference| difference.sources.clone());
    if parts.is_empty() {
        return Claim::new(
            "No other approach of this run serves the target, so there is nothing to defend it against.",
            [],
        );
    }
    Claim::new(capitalised(&format!("against the alternatives, paired by document: {}.", parts.join("; "))), sources)
}

fn difference_words(difference: &Difference) -> String {
    let e = &difference.advantage;
    let side = if e.low > 0.0 {
        "better"
    } else if e.high < 0.0 {
        "worse"
    } else {
        "not told apart"
    };
    let amount = numbers::estimate(&difference.unit, e, numbers::change);
    match side {
        "worse" => format!(
            "{} worse by {}",
            difference.question.words(),
            numbers::estimate(&difference.unit, &e.negated(), numbers::change)
        ),
        "better" => format!("{} better by {amount}", difference.question.words()),
        _ => format!("{} not told apart ({amount})", difference.question.words()),
    }
}
