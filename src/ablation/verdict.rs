//! The ruling on a quality question.

use super::Evidence;
use super::badness::{Badness, Values, paired};
use crate::findings::{Question, Ruling, Verdict};
use crate::scenario::Scenario;
use crate::stats::{Estimate, judge, mean_estimate};

/// The tolerance of a question: nats per token, share of facts, or a ratio.
pub(super) fn tolerance(scenario: &Scenario, question: Question) -> f64 {
    match question {
        Question::ShortRange => scenario.tolerance.short_range,
        Question::LongRange => scenario.tolerance.long_range,
        Question::Retrieval => scenario.tolerance.retrieval,
        Question::Latency => scenario.tolerance.latency,
    }
}

/// The deployed cell against the healthy reference.
pub(super) fn verdict(evidence: &Evidence<'_>, badness: &Badness, question: Question) -> Verdict {
    let scenario = evidence.scenario;
    let deployed = scenario.deployed_cell();
    let (values, reference) = (badness.get(&deployed, question), badness.reference(question));
    // Recall is shown as it is, although it is judged by what is missed.
    let shown = |estimate: Estimate| match question {
        Question::Retrieval => estimate.negated().map(|missed| missed + 1.0),
        _ => estimate,
    };
    let level = |values: Option<&Values>| {
        let values: Vec<f64> = values?.by_document.values().copied().collect();
        mean_estimate(&values).map(shown)
    };
    let (ruling, change, why) = rule(scenario, badness, question);
    Verdict {
        question,
        ruling,
        quantity: if question == Question::Retrieval { "recall" } else { "nll" }.to_owned(),
        unit: unit(question).to_owned(),
        against: "reference".to_owned(),
        change: change.map(|change| if question == Question::Retrieval { change.negated() } else { change }),
        deployed: level(values),
        reference: level(reference),
        tolerance: tolerance(scenario, question),
        protocol: protocol(scenario, question),
        why,
    }
}

/// The ruling, the change in badness, and why there is none or it does not decide.
fn rule(scenario: &Scenario, badness: &Badness, question: Question) -> (Ruling, Option<Estimate>, Option<String>) {
    let deployed = scenario.deployed_cell();
    let incomparable = |why: String| (Ruling::Incomparable, None, Some(why));
    let Some(values) = badness.get(&deployed, question) else {
        let why = badness.failure(&deployed).map_or("has no rows".to_owned(), |reason| format!("failed: {reason}"));
        return incomparable(format!("the deployed cell {} {why}", deployed.label()));
    };
    let Some(reference) = badness.reference(question) else {
        return incomparable("the healthy reference was not measured".to_owned());
    };
    if values.protocol != reference.protocol {
        let why = format!("measured differently: `{}` and `{}`", values.protocol, reference.protocol);
        return incomparable(why);
    }
    let (after, before) = paired(&values.by_document, &reference.by_document);
    if before.iter().any(|value| !value.is_finite()) {
        return incomparable("the healthy reference's loss is not finite".to_owned());
    }
    let broken = after.iter().filter(|value| !value.is_finite()).count();
    if broken > 0 {
        let why = format!("the loss is not finite in {broken} of {} documents", after.len());
        return (Ruling::Worse, None, Some(why));
    }
    let Some(change) = badness.change(&deployed, question) else {
        let why = format!("{} documents pair up, an interval needs at least 2", after.len());
        return (Ruling::Undecided, None, Some(why));
    };
    let ruling = judge(change, tolerance(scenario, question));
    let why = (ruling == Ruling::Undecided).then(|| undecided(change, tolerance(scenario, question)));
    (ruling, Some(change), why)
}

/// Says how many documents would narrow the interval enough, if the effect stays where it is.
fn undecided(change: Estimate, tolerance: f64) -> String {
    let half = (change.high - change.low) / 2.0;
    let room = (change.point.abs() - tolerance).abs();
    let needed = (change.n as f64 * (half / room).powi(2)).ceil();
    if needed.is_finite() && needed < 10_000.0 {
        format!("the interval touches the tolerance; about {needed} documents would decide if the effect is as measured")
    } else {
        "the effect is as large as the tolerance: no number of documents decides".to_owned()
    }
}

/// The unit of a question's change.
pub(super) fn unit(question: Question) -> &'static str {
    match question {
        Question::ShortRange | Question::LongRange => "nats/token",
        Question::Retrieval => "share",
        Question::Latency => "ratio",
    }
}

fn protocol(scenario: &Scenario, question: Question) -> String {
    let (trained, target) = (scenario.trained, scenario.target);
    match question {
        Question::ShortRange => {
            "loss with at most 256 tokens of context, against the unscaled model on the same tokens and positions"
                .to_owned()
        }
        Question::LongRange => format!(
            "loss at positions {trained} to {target}, against the unscaled model with its context truncated to {trained} \
             tokens"
        ),
        Question::Retrieval if target > trained => format!(
            "recall over all distances to {target}, against the unscaled model at distances to {} (always in its window)",
            crate::units::Tokens(trained.0 / 2)
        ),
        Question::Retrieval => "recall over all distances, against the unscaled model".to_owned(),
        Question::Latency => String::new(),
    }
}
