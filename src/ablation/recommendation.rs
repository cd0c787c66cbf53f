//! The cell to deploy, and why not the others.

use std::cmp::Ordering;

use crate::findings::{Question, Recommendation, Rejected, Ruling, Verdict};
use crate::measurement::{Arm, Cell, Outcome, spoken};
use crate::stats::mean;

use super::Evidence;
use super::admission::serves;
use super::board::{Board, Damage};
use super::latency;
use super::words::{amount, number, plain};

/// How good a cell is over all questions, in units of each question's tolerance; time counts where it was measured and got
/// worse, so that a cell is not preferred for not having been timed.
///
/// The tolerances are the author's own rate of exchange between nats and recall.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Score {
    /// Questions that got worse.
    worse: usize,
    /// Damage above the tolerances, summed.
    excess: f64,
    /// All damage, gains included, summed.
    total: f64,
}

impl Score {
    fn order(&self, other: &Self) -> Ordering {
        let worse = (self.worse > 0).cmp(&(other.worse > 0));
        worse.then(self.excess.total_cmp(&other.excess)).then(self.total.total_cmp(&other.total))
    }
}

/// The best cell that serves the target length; nothing if the grid holds none.
pub(super) fn recommend(evidence: &Evidence, boards: &[Board]) -> Option<Recommendation> {
    let boards: Vec<&Board> = boards.iter().filter(|board| board.obstacle.is_none()).collect();
    let (best, _) = grid(evidence)
        .filter(|cell| serves(evidence, cell).is_ok())
        .filter_map(|cell| Some((cell, score(evidence, &boards, cell)?)))
        .min_by(|(_, a), (_, b)| a.order(b))?;
    let mut because: Vec<String> = boards.iter().filter_map(|board| priced(board, best)).collect();
    because.push(match timed(evidence, best) {
        Some(verdict) => {
            let price = if verdict.ruling == Ruling::Worse { ": the price of this cell" } else { "" };
            time_of(&verdict) + price
        }
        None if *best == Cell::unscaled() => "latency: it is the model that times are compared with".to_owned(),
        None => "latency: it was not timed".to_owned(),
    });
    if *best == evidence.deployed() {
        because.insert(0, "it is what is deployed, and no measured cell that serves the target is better".to_owned());
    }
    because.push("it was chosen on the same documents that these numbers come from".to_owned());
    let mut methods: Vec<&Cell> = Vec::new();
    for cell in grid(evidence).filter(|cell| cell.method != best.method) {
        if !methods.iter().any(|other| other.method == cell.method) {
            methods.push(cell);
        }
    }
    let rejected = methods.into_iter().map(|first| reject(evidence, &boards, best, first)).collect();
    Some(Recommendation {
        method: best.method.label(),
        factor: best.factor.0,
        adapted: best.adapted.0,
        because,
        rejected,
    })
}

fn grid<'a>(evidence: &Evidence<'a>) -> impl Iterator<Item = &'a Cell> {
    evidence.cells.iter().map(|(cell, _)| cell).filter(|cell| cell.arm == Arm::Grid)
}

/// The verdict on a cell's time, where it was timed beside the unscaled model.
///
/// That model itself has none: the ratio of its two arms says how steady the machine is, and nothing of the cell.
fn timed(evidence: &Evidence, cell: &Cell) -> Option<Verdict> {
    if *cell == Cell::unscaled() {
        return None;
    }
    let verdict = latency::verdict(evidence, cell);
    verdict.change.is_some().then_some(verdict)
}

/// Where a cell stands in time: `latency: decode 1.010x [..] .., within noise (tolerance 1.1x, n = 6)`.
fn time_of(verdict: &Verdict) -> String {
    let ratio = verdict.change.map_or_else(String::new, |change| {
        format!("{}, {}", amount(Question::Latency, &change), verdict.ruling.words())
    });
    let n = verdict.change.map_or(0, |change| change.n);
    format!(
        "latency: {} {ratio} (tolerance {}, n = {n} blocks)",
        verdict.quantity,
        plain(Question::Latency, verdict.tolerance)
    )
}

/// The score of a cell that has numbers for every quality question that was measured.
fn score(evidence: &Evidence, boards: &[&Board], cell: &Cell) -> Option<Score> {
    let mut score = Score { worse: 0, excess: 0.0, total: 0.0 };
    for board in boards {
        let damage = mean(board.entry(cell)?.damage.measured()?)?;
        let damage = if board.tolerance > 0.0 { damage / board.tolerance } else { damage };
        score.worse += usize::from(board.ruling(cell) == Ruling::Worse);
        score.excess += (damage - f64::from(u8::from(board.tolerance > 0.0))).max(0.0);
        score.total += damage;
    }
    if let Some(Verdict { ruling: Ruling::Worse, change: Some(ratio), tolerance, .. }) = timed(evidence, cell) {
        let damage = ratio.point.ln() / tolerance.ln().max(f64::MIN_POSITIVE);
        score.worse += 1;
        score.excess += (damage - 1.0).max(0.0);
        score.total += damage;
    }
    (!boards.is_empty()).then_some(score)
}

/// Where a cell stands on a question: `short range: 0.021 nats/token [..] against the reference, undecided ..`.
fn standing_of(board: &Board, cell: &Cell) -> Option<String> {
    let question = board.question.words();
    match &board.entry(cell)?.damage {
        Damage::Broken(why) => Some(format!("{question}: {why}")),
        Damage::Absent(why) => Some(format!("{question}: {why}")),
        Damage::Measured(_) => {
            let damage = board.damage(cell)?;
            Some(format!(
                "{question}: damage {} against the reference, {} (tolerance {}, n = {})",
                amount(board.question, &damage),
                board.ruling(cell).words(),
                plain(board.question, board.tolerance),
                damage.n
            ))
        }
    }
}

/// Where the recommended cell stands; a question that it makes worse is its price.
fn priced(board: &Board, cell: &Cell) -> Option<String> {
    let price = if board.ruling(cell) == Ruling::Worse { ": the price of this cell" } else { "" };
    standing_of(board, cell).map(|standing| standing + price)
}

/// A method at its best factor, and why it is not the one.
fn reject(evidence: &Evidence, boards: &[&Board], best: &Cell, first: &Cell) -> Rejected {
    let scored = |serving: bool| {
        grid(evidence)
            .filter(|cell| cell.method == first.method && (!serving || serves(evidence, cell).is_ok()))
            .filter_map(|cell| Some((cell, score(evidence, boards, cell)?)))
            .min_by(|(_, a), (_, b)| a.order(b))
    };
    let chosen = scored(true).or_else(|| scored(false));
    let cell = chosen.map_or(first, |(cell, _)| cell);
    let mut because: Vec<String> = serves(evidence, cell).err().into_iter().collect();
    if let Some(Outcome::Failed { reason }) = evidence.outcome(cell) {
        because.push(format!("it failed: {reason}"));
    } else {
        let unhealthy = |board: &&&Board| !matches!(board.ruling(cell), Ruling::Better | Ruling::WithinNoise);
        because.extend(boards.iter().filter(unhealthy).filter_map(|board| standing_of(board, cell)));
        because.extend(timed(evidence, cell).map(|verdict| time_of(&verdict)));
    }
    if let (Some((_, score)), Some(winner)) = (chosen, self::score(evidence, boards, best)) {
        because.push(format!(
            "over all questions its damage is {} tolerances, that of {} is {}",
            number(score.total),
            spoken(&best.label()),
            number(winner.total)
        ));
    }
    Rejected { method: first.method.label(), factor: cell.factor.0, adapted: cell.adapted.0, because }
}
