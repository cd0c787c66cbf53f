//! Sentences with their numbers.

use super::Evidence;
use super::badness::Badness;
use super::repair::{Change, Refused, Repair};
use crate::findings::{Question, Verdict};
use crate::stats::Estimate;

/// `+1.17 [+1.12, +1.21]`.
pub(super) fn signed(estimate: &Estimate) -> String {
    format!("{:+.3} [{:+.3}, {:+.3}]", estimate.point, estimate.low, estimate.high)
}

/// `98 % [96, 100]`.
pub(super) fn percent(estimate: &Estimate) -> String {
    format!("{:.0} % [{:.0}, {:.0}]", 100.0 * estimate.point, 100.0 * estimate.low, 100.0 * estimate.high)
}

/// What moved, by how much.
pub(super) fn change(verdict: &Verdict) -> String {
    let quantity = &verdict.quantity;
    match &verdict.change {
        Some(change) if verdict.question == Question::Latency => format!(
            "{quantity} takes {:.3} [{:.3}, {:.3}] times as long as the reference (n = {} blocks)",
            change.point, change.low, change.high, change.n
        ),
        Some(change) => format!(
            "{quantity} changed by {} {} against the reference (n = {} documents)",
            signed(change),
            verdict.unit,
            change.n
        ),
        None => format!("{quantity}: {}", verdict.why.as_deref().unwrap_or("no change could be computed")),
    }
}

/// What holds whichever cause ranks first.
pub(super) fn common(verdict: &Verdict, repairs: &[Repair], refused: &[Refused]) -> Vec<String> {
    let mut sentences = vec![change(verdict)];
    for (change, words) in [(Change::Method, "method at the deployed factor"), (Change::Factor, "factor of the deployed method")]
    {
        if !repairs.iter().any(|repair| repair.change == change) {
            sentences.push(format!("no other {words} is an admissible repair"));
        }
    }
    sentences.extend(refused.iter().map(|refused| {
        let (question, price) = &refused.price;
        format!(
            "{} would remove {:.0} % of it, but costs {} {} in {}: not a repair",
            refused.cell.label(),
            100.0 * refused.fraction,
            signed(price),
            super::verdict::unit(*question),
            question.words()
        )
    }));
    sentences
}

/// What one repair does and costs.
pub(super) fn of_repair(
    evidence: &Evidence<'_>,
    badness: &Badness,
    verdict: &Verdict,
    repair: &Repair,
) -> Vec<String> {
    let mut sentences = Vec::new();
    let deployed = evidence.scenario.deployed_cell().label();
    if let Some(fraction) = &repair.fraction {
        sentences.push(format!(
            "{} in place of {deployed} removes {} of the damage (n = {} documents)",
            repair.cell.label(),
            percent(fraction),
            fraction.n
        ));
    }
    if let Some(left) = badness.change(&repair.cell, verdict.question) {
        sentences.push(format!(
            "with {} the difference from the reference is {} {}",
            repair.cell.label(),
            signed(&if verdict.question == Question::Retrieval { left.negated() } else { left }),
            verdict.unit
        ));
    }
    sentences
}
