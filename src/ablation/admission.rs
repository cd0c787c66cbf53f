//! Which cells may count as a repair: those that do not buy one question with another.

use crate::findings::Question;
use crate::measurement::Cell;
use crate::positions::Method as _;

use super::Evidence;
use super::board::{Board, Damage};
use super::words::{amount, plain};

/// A repair may cost at most this share of what it is to mend, so that a trade is not called a repair.
///
/// Healthy methods lose a few hundredths of a nat at short range and must stay below it.
const PRICE: f64 = 0.5;

/// A repair may lose at most this share of what the extension gains over not stretching at all.
const EXTENSION: f64 = 0.25;

/// Checks that a cell's repair of a question is not paid for by another question.
///
/// Without this, factor 1 would repair every damage at short range: it is the unscaled model, and gives up the
/// extension that the retrofit is for.
///
/// # Errors
/// The sentence that says what the repair would cost.
pub(super) fn admit(evidence: &Evidence, boards: &[Board], question: Question, cell: &Cell) -> Result<(), String> {
    let others: &[Question] = match question {
        Question::ShortRange => &[Question::LongRange],
        Question::LongRange => &[Question::ShortRange],
        Question::Retrieval => &[Question::ShortRange, Question::LongRange],
        Question::Latency => &[],
    };
    for &other in others {
        let board = boards.iter().find(|board| board.question == other);
        match board.and_then(|board| Some((board, &board.entry(cell)?.damage))) {
            Some((_, Damage::Broken(why))) => return Err(format!("its {} is {why}", other.words())),
            Some((board, Damage::Measured(values))) => {
                let price = price(evidence, boards, question, board);
                let Some(damage) = board.interval(values) else { continue };
                if damage.low > price {
                    return Err(format!(
                        "it loses {} at {}, and a repair may cost {}",
                        amount(other, &damage),
                        other.words(),
                        plain(other, price)
                    ));
                }
            }
            Some((_, Damage::Absent(_))) | None if other == Question::LongRange => serves(evidence, cell)?,
            Some((_, Damage::Absent(_))) | None => {}
        }
    }
    Ok(())
}

/// Whether a cell's nominal length reaches the target.
///
/// # Errors
/// The sentence that says how far it reaches.
pub fn serves(evidence: &Evidence, cell: &Cell) -> Result<(), String> {
    let scenario = evidence.scenario;
    if cell.method.reaches_any_length() {
        return Ok(());
    }
    let reach = cell.factor.0 * scenario.trained.as_f64();
    if reach + 0.5 < scenario.target.as_f64() {
        return Err(format!("factor {} stretches to {reach:.0} tokens, not to {}", cell.factor, scenario.target));
    }
    Ok(())
}

/// What a repair of `question` may cost on the other board, in its unit.
///
/// Half of the deployed cell's damage, converted by the scenario's own rate of exchange, its tolerances; at long
/// range never more than a quarter of what not stretching at all would cost; and never less than the tolerance.
fn price(evidence: &Evidence, boards: &[Board], question: Question, other: &Board) -> f64 {
    let Some(board) = boards.iter().find(|board| board.question == question) else { return other.tolerance };
    let mean = |board: &Board, cell: &Cell| match &board.entry(cell)?.damage {
        Damage::Measured(values) => crate::stats::mean(values),
        Damage::Broken(_) => Some(f64::INFINITY),
        Damage::Absent(_) => None,
    };
    let rate = if board.tolerance > 0.0 { other.tolerance / board.tolerance } else { 1.0 };
    let mut price = mean(board, &evidence.deployed()).map_or(0.0, |damage| PRICE * damage * rate);
    if other.question == Question::LongRange {
        price = mean(other, &Cell::unscaled()).map_or(price, |unscaled| price.min(EXTENSION * unscaled));
    }
    price.max(other.tolerance)
}
