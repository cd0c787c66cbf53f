//! One ruling for each question, from the intervals alone.

use crate::findings::{Question, Ruling, Verdict};
use crate::measurement::spoken;
use crate::stats::Estimate;

use super::board::{Board, Damage, ruling};
use super::words::plain;
use super::{Evidence, latency, rows};

/// More documents than this are not worth proposing.
const MOST_DOCUMENTS: f64 = 10_000.0;

/// The verdicts on all questions that the scenario asks, in the order of the reports.
pub(super) fn verdicts(evidence: &Evidence, boards: &[Board]) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> = boards.iter().map(|board| quality(evidence, board)).collect();
    if evidence.asks(Question::Latency) {
        verdicts.push(latency::verdict(evidence, &evidence.deployed()));
    }
    verdicts
}

fn quality(evidence: &Evidence, board: &Board) -> Verdict {
    let cell = evidence.deployed();
    let mut verdict = Verdict {
        question: board.question,
        ruling: Ruling::Incomparable,
        quantity: rows::quantity(board.question).name().to_owned(),
        unit: rows::quantity(board.question).unit().to_owned(),
        against: "reference".to_owned(),
        change: None,
        deployed: None,
        reference: board.level(&board.reference),
        tolerance: board.tolerance,
        protocol: protocol(board),
        why: None,
    };
    if let Some(obstacle) = &board.obstacle {
        verdict.why = Some(obstacle.clone());
        return verdict;
    }
    match board.entry(&cell).map(|entry| &entry.damage) {
        None => verdict.why = Some(format!("{} was not measured", spoken(&cell.label()))),
        Some(Damage::Absent(why)) => verdict.why = Some(why.clone()),
        Some(Damage::Broken(why)) => {
            verdict.ruling = Ruling::Worse;
            verdict.why = Some(format!("{} is {why}, which is beyond any tolerance", spoken(&cell.label())));
        }
        Some(Damage::Measured(values)) => {
            let damage = board.interval(values);
            verdict.change = damage.map(|damage| board.change(damage));
            verdict.deployed = board.level(&raw(board, values));
            verdict.ruling = damage.map_or(Ruling::Undecided, |damage| ruling(&damage, board.tolerance));
            verdict.why = doubt(board, damage.as_ref(), verdict.ruling);
        }
    }
    verdict
}

/// The quantity itself, from the damage against the reference.
pub(super) fn raw(board: &Board, damage: &[f64]) -> Vec<f64> {
    let sign = if board.change_falls() { -1.0 } else { 1.0 };
    board.reference.iter().zip(damage).map(|(reference, damage)| reference + sign * damage).collect()
}

fn doubt(board: &Board, damage: Option<&Estimate>, ruling: Ruling) -> Option<String> {
    match damage {
        None => Some(format!("an interval needs at least 2 documents, this run has {}", board.reference.len())),
        Some(damage) if ruling == Ruling::Undecided => Some(format!(
            "the interval of the damage, {}, crosses the tolerance of {} with {} documents",
            super::words::amount(board.question, damage),
            plain(board.question, board.tolerance),
            damage.n
        )),
        Some(_) => None,
    }
}

fn protocol(board: &Board) -> String {
    let scored = match board.question {
        Question::ShortRange => {
            "loss with at most 256 tokens of context, against the unscaled model on the same windows"
        }
        Question::LongRange => {
            "loss beyond the trained length, against the unscaled model with its context truncated, on the same tokens"
        }
        _ => {
            "recall over all distances, against that of the unscaled model with its context truncated, at distances \
             inside that context"
        }
    };
    if board.protocol.is_empty() { scored.to_owned() } else { format!("{scored} ({})", board.protocol) }
}

/// About how many documents would bring the interval to one side of the tolerance; nothing if it is hopeless.
///
/// The interval shrinks with the square root of the documents, and must fit between the point and the nearest
/// end of the tolerance.
pub(super) fn documents_to_decide(change: &Estimate, tolerance: f64) -> Option<usize> {
    let half = (change.high - change.low) / 2.0;
    let room = (change.point.abs() - tolerance).abs();
    let needed = (change.n as f64 * (half / room).powi(2)).round();
    (needed.is_finite() && needed > change.n as f64 && needed <= MOST_DOCUMENTS).then_some(needed as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_to_decide_grow_with_the_square() {
        let change = Estimate { point: 0.03, low: 0.01, high: 0.05, confidence: 0.95, n: 4 };
        assert_eq!(documents_to_decide(&change, 0.02), Some(16));
        assert_eq!(documents_to_decide(&change, 0.03), None);
    }
}
