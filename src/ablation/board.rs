//! One question's board: the damage of every cell against the healthy reference, document by document.

use std::collections::BTreeSet;

use crate::findings::{Question, Ruling};
use crate::measurement::{Arm, Cell, Outcome, spoken};
use crate::stats::{CONFIDENCE, Estimate, Resamples, Standing, standing};

use super::Evidence;
use super::rows::{Part, Values, values};

/// The quality questions; latency has no grid.
pub(super) const QUALITY: [Question; 3] = [Question::ShortRange, Question::LongRange, Question::Retrieval];

/// A question with the damage of each grid cell, or the reason why it cannot be asked.
#[derive(Clone, Debug)]
pub(super) struct Board<'a> {
    pub(super) question: Question,
    pub(super) tolerance: f64,
    /// The reference's cell.
    pub(super) reference_cell: Cell,
    /// The reference's values, one for each document that all cells share; empty if there is no healthy reference.
    pub(super) reference: Vec<f64>,
    /// Draws of those documents; absent below two of them.
    pub(super) resamples: Option<Resamples>,
    /// The protocols of the reference's rows.
    pub(super) protocol: String,
    /// Why nothing can be compared.
    pub(super) obstacle: Option<String>,
    /// Every cell of the grid, the unscaled one included.
    pub(super) entries: Vec<Entry<'a>>,
}

/// A cell of the grid and its damage.
#[derive(Clone, Debug)]
pub(super) struct Entry<'a> {
    pub(super) cell: &'a Cell,
    pub(super) damage: Damage,
}

/// How much worse than the reference a cell is; positive is worse, whatever the quantity's direction.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Damage {
    /// One difference for each of the board's documents, in the quantity's unit.
    Measured(Vec<f64>),
    /// The cell gave values that are not numbers: damage beyond any tolerance.
    Broken(String),
    /// There is nothing to compare, and why.
    Absent(String),
}

impl Damage {
    /// The differences, if there are any.
    pub(super) fn measured(&self) -> Option<&[f64]> {
        match self {
            Self::Measured(values) => Some(values),
            Self::Broken(_) | Self::Absent(_) => None,
        }
    }
}

impl Board<'_> {
    /// The entry of a cell.
    pub(super) fn entry(&self, cell: &Cell) -> Option<&Entry<'_>> {
        self.entries.iter().find(|entry| entry.cell == cell)
    }

    /// The mean damage of a cell with its interval; nothing if it has none.
    pub(super) fn damage(&self, cell: &Cell) -> Option<Estimate> {
        self.interval(self.entry(cell)?.damage.measured()?)
    }

    /// The mean of one value for each document with its interval.
    pub(super) fn interval(&self, values: &[f64]) -> Option<Estimate> {
        Some(self.question.possible(self.resamples.as_ref()?.mean(values, CONFIDENCE)?))
    }

    /// The mean of the quantity itself, one value for each document, with its interval.
    pub(super) fn level(&self, values: &[f64]) -> Option<Estimate> {
        Some(self.question.level(self.resamples.as_ref()?.mean(values, CONFIDENCE)?))
    }

    /// The ruling on a cell's damage.
    pub(super) fn ruling(&self, cell: &Cell) -> Ruling {
        match self.entry(cell).map(|entry| &entry.damage) {
            Some(Damage::Broken(_)) => Ruling::Worse,
            Some(Damage::Measured(_)) => {
                self.damage(cell).map_or(Ruling::Undecided, |damage| ruling(&damage, self.tolerance))
            }
            Some(Damage::Absent(_)) | None => Ruling::Incomparable,
        }
    }

    /// Damage turned back into a change of the quantity: a loss rises, recall falls.
    pub(super) fn change(&self, damage: Estimate) -> Estimate {
        if self.change_falls() { damage.negated() } else { damage }
    }

    /// Whether damage is a fall of the quantity: recall falls, a loss rises.
    pub(super) fn change_falls(&self) -> bool {
        self.question == Question::Retrieval
    }
}

/// What the interval of a damage says against its tolerance.
#[must_use]
pub fn ruling(damage: &Estimate, tolerance: f64) -> Ruling {
    match standing(damage, tolerance) {
        Standing::Above => Ruling::Worse,
        Standing::Below => Ruling::Better,
        Standing::Inside => Ruling::WithinNoise,
        Standing::Across => Ruling::Undecided,
    }
}

/// The boards of all quality questions that the scenario asks.
pub(super) fn boards<'a>(evidence: &Evidence<'a>) -> Vec<Board<'a>> {
    QUALITY.into_iter().filter(|question| evidence.asks(*question)).map(|question| board(evidence, question)).collect()
}

fn board<'a>(evidence: &Evidence<'a>, question: Question) -> Board<'a> {
    let tolerance = match question {
        Question::ShortRange => evidence.scenario.tolerance.short_range,
        Question::LongRange => evidence.scenario.tolerance.long_range,
        _ => evidence.scenario.tolerance.retrieval,
    };
    let reference_cell = if question == Question::ShortRange { Cell::unscaled() } else { Cell::truncated() };
    let mut board = Board {
        question,
        tolerance,
        reference_cell,
        reference: Vec::new(),
        resamples: None,
        protocol: String::new(),
        obstacle: None,
        entries: Vec::new(),
    };
    let reference = match read(evidence, question, &board.reference_cell, Part::Reference) {
        Ok(reference) => reference,
        Err(why) => {
            board.obstacle = Some(why);
            return board;
        }
    };
    let deployed = read(evidence, question, &evidence.deployed(), Part::Whole);
    let shared: BTreeSet<u32> = match &deployed {
        Ok(values) => {
            reference.by_document.keys().filter(|key| values.by_document.contains_key(key)).copied().collect()
        }
        Err(_) => reference.by_document.keys().copied().collect(),
    };
    if let Some(document) = shared.iter().find(|key| reference.by_document.get(key).is_some_and(|y| !y.is_finite())) {
        let label = spoken(&board.reference_cell.label());
        board.obstacle = Some(format!("the reference, {label}, is not a number on document {document}"));
        return board;
    }
    board.reference = shared.iter().filter_map(|key| reference.by_document.get(key)).copied().collect();
    board.protocol = listed(&reference);
    board.resamples = Resamples::new(shared.len());
    board.entries = grid_cells(evidence)
        .map(|cell| Entry {
            cell,
            damage: damage(read(evidence, question, cell, Part::Whole), &reference, &shared, question),
        })
        .collect();
    board
}

/// The cells of the grid, in the order of the run.
fn grid_cells<'a>(evidence: &Evidence<'a>) -> impl Iterator<Item = &'a Cell> + use<'a> {
    evidence.cells.iter().map(|(cell, _)| cell).filter(|cell| cell.arm == Arm::Grid)
}

/// A cell's values, or why it has none.
fn read(evidence: &Evidence, question: Question, cell: &Cell, part: Part) -> Result<Values, String> {
    match evidence.outcome(cell) {
        None => Err(format!("{} was not measured", spoken(&cell.label()))),
        Some(Outcome::Failed { reason }) => Err(format!("{} failed: {reason}", spoken(&cell.label()))),
        Some(Outcome::Measured(rows)) => {
            let values = values(question, rows, evidence.scenario.trained, part);
            if values.by_document.is_empty() {
                return Err(format!("{} has no rows for {}", spoken(&cell.label()), question.words()));
            }
            Ok(values)
        }
    }
}

fn damage(read: Result<Values, String>, reference: &Values, shared: &BTreeSet<u32>, question: Question) -> Damage {
    let values = match read {
        Ok(values) => values,
        Err(why) => return Damage::Absent(why),
    };
    if values.protocols != reference.protocols {
        let (ours, theirs) = (listed(&values), listed(reference));
        return Damage::Absent(format!("it was measured under `{ours}`, its reference under `{theirs}`"));
    }
    let sign = if question == Question::Retrieval { -1.0 } else { 1.0 };
    let differences: Vec<f64> = shared
        .iter()
        .filter_map(|key| Some(sign * (values.by_document.get(key)? - reference.by_document.get(key)?)))
        .collect();
    if differences.len() != shared.len() || differences.is_empty() {
        return Damage::Absent(format!("it was measured on {} of {} documents", differences.len(), shared.len()));
    }
    let broken = differences.iter().filter(|difference| !difference.is_finite()).count();
    if broken > 0 {
        return Damage::Broken(format!("not a number on {broken} of {} documents", differences.len()));
    }
    Damage::Measured(differences)
}

fn listed(values: &Values) -> String {
    values.protocols.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}
