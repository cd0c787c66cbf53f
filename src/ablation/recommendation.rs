//! The cell to deploy: all questions within tolerance if there is one, else the least excess over them.

use super::Evidence;
use super::badness::{Badness, QUALITY};
use super::evidence::signed;
use super::verdict::{tolerance, unit};
use crate::findings::{Question, Recommendation, Rejected};
use crate::measurement::{Arm, Cell};
use crate::stats::Estimate;

/// A share of facts weighs as much as so many nats per token when excesses are added up.
const NATS_PER_RECALL: f64 = 1.0;

/// A cell's changes, and by how much they exceed the tolerances together, in nats per token.
struct Candidate<'a> {
    cell: &'a Cell,
    changes: Vec<(Question, Estimate)>,
    excess: f64,
}

/// The best measured cell of the grid, and every other method at its best factor.
pub(super) fn recommend(evidence: &Evidence<'_>, badness: &Badness) -> Option<Recommendation> {
    let mut candidates: Vec<Candidate<'_>> = evidence
        .cells
        .iter()
        .filter(|(cell, _)| cell.arm == Arm::Grid)
        .filter_map(|(cell, _)| candidate(evidence, badness, cell))
        .collect();
    candidates.sort_by(|a, b| a.excess.total_cmp(&b.excess));
    let best = candidates.first()?;
    let mut rejected: Vec<Rejected> = Vec::new();
    for other in candidates.iter().skip(1) {
        let method = other.cell.method.label();
        if other.cell.method != best.cell.method && !rejected.iter().any(|known| known.method == method) {
            rejected.push(Rejected { method, factor: other.cell.factor.0, because: sentences(evidence, other) });
        }
    }
    let mut because = sentences(evidence, best);
    because.push(if best.excess == 0.0 {
        "every quality question is within its tolerance".to_owned()
    } else {
        format!(
            "no cell is within every tolerance; this one exceeds them least, by {:.3} nats/token together (a share of \
             facts counts as {NATS_PER_RECALL} nats/token)",
            best.excess
        )
    });
    Some(Recommendation { method: best.cell.method.label(), factor: best.cell.factor.0, because, rejected })
}

fn candidate<'a>(evidence: &Evidence<'_>, badness: &Badness, cell: &'a Cell) -> Option<Candidate<'a>> {
    let asked = QUALITY.into_iter().filter(|question| badness.reference(*question).is_some());
    // A cell that lacks a question, or has one that is not finite, cannot be recommended.
    let changes: Vec<(Question, Estimate)> =
        asked.map(|question| Some((question, badness.change(cell, question)?))).collect::<Option<_>>()?;
    if changes.is_empty() {
        return None;
    }
    let excess = changes
        .iter()
        .map(|(question, change)| {
            let weight = if *question == Question::Retrieval { NATS_PER_RECALL } else { 1.0 };
            weight * (change.point - tolerance(evidence.scenario, *question)).max(0.0)
        })
        .sum();
    Some(Candidate { cell, changes, excess })
}

fn sentences(evidence: &Evidence<'_>, candidate: &Candidate<'_>) -> Vec<String> {
    candidate
        .changes
        .iter()
        .map(|(question, change)| {
            let shown = if *question == Question::Retrieval { change.negated() } else { *change };
            format!(
                "{}: {} {} against the reference (tolerance {})",
                question.words(),
                signed(&shown),
                unit(*question),
                tolerance(evidence.scenario, *question)
            )
        })
        .collect()
}
