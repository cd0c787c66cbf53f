//! Repairs: cells that undo a question's damage without buying it with another question.

use std::collections::BTreeMap;

use super::Evidence;
use super::badness::{Badness, ByDocument};
use super::verdict::tolerance;
use crate::findings::{Question, Ruling};
use crate::measurement::{Arm, Cell, Outcome};
use crate::stats::{CONFIDENCE, Estimate, Resamples, judge, mean};
use crate::units::Stretch;

/// Which axes a repair changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    /// Another method at the deployed factor.
    Method,
    /// Another factor under the deployed method.
    Factor,
    /// Both at once.
    Both,
}

/// The best admissible cell of one kind of change.
#[derive(Clone, Debug)]
pub(super) struct Repair {
    pub(super) change: Change,
    /// The best cell over all documents.
    pub(super) cell: Cell,
    /// The method and factor that it stands for in the grid.
    pub(super) level: (String, Stretch),
    /// Share of the damage removed; absent where no interval exists.
    pub(super) fraction: Option<Estimate>,
    /// The same in every resample, for comparisons.
    pub(super) resampled: Vec<f64>,
}

/// A cell that would repair the question but damages another one.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    pub(super) cell: Cell,
    /// The question that it damages, and by how much in that question's unit.
    pub(super) price: (Question, Estimate),
    /// Share of the damage that it would remove.
    pub(super) fraction: f64,
}

/// A retrofit that is not adapted costs some short-range loss; up to so much, in nats per token, a repair may cost
/// elsewhere. PoSE's Table 6 (arXiv 2309.10400) has 0.8 to 3.5 % in perplexity for tuned extensions, that is up to 0.035 nats,
/// and 15 to 19 % (0.14 to 0.18 nats) for the usable untuned ones.
const PRICE: f64 = 0.1;

/// In retrieval, a share of facts.
const PRICE_RECALL: f64 = 0.1;

/// Below so many documents the best cell is chosen and estimated on the same ones.
pub(super) const FEWEST_TO_SPLIT: usize = 4;

/// The repairs of a question, each the best of its kind, and the cells that were refused.
pub(super) fn repairs(evidence: &Evidence<'_>, badness: &Badness, question: Question) -> (Vec<Repair>, Vec<Refused>) {
    let mut admissible: BTreeMap<Change, Vec<(Cell, (String, Stretch))>> = BTreeMap::new();
    let mut refused = Vec::new();
    let Some(gap) = Gap::of(evidence, badness, question) else { return (Vec::new(), refused) };
    for (change, cell, level) in candidates(evidence) {
        let Some(values) = badness.get(&cell, question) else { continue };
        match price(evidence, badness, &cell, question, gap.damage()) {
            Some(price) => {
                let fraction = gap.fraction_of(&values.by_document).unwrap_or(f64::NAN);
                if fraction >= 0.5 && !refused.iter().any(|other: &Refused| other.cell == cell) {
                    refused.push(Refused { cell, price, fraction });
                }
            }
            None => admissible.entry(change).or_default().push((cell, level)),
        }
    }
    let best = admissible
        .into_iter()
        .filter_map(|(change, cells)| best(&gap, badness, question, change, &cells))
        .collect();
    (best, refused)
}

/// Every measured cell of the grid that differs from the deployed one, and how.
fn candidates(evidence: &Evidence<'_>) -> Vec<(Change, Cell, (String, Stretch))> {
    let scenario = evidence.scenario;
    let (deployed, factor) = &scenario.deployed;
    let mut found = Vec::new();
    for method in &scenario.methods {
        for other in &scenario.factors {
            let cell = Cell::grid(method.clone(), *other);
            let change = match (method == deployed, other == factor) {
                (true, true) => continue,
                (false, true) => Change::Method,
                (true, false) => Change::Factor,
                (false, false) => Change::Both,
            };
            let is_measured = evidence
                .cells
                .iter()
                .any(|(known, outcome)| *known == cell && cell.arm == Arm::Grid && matches!(outcome, Outcome::Measured(_)));
            if is_measured && cell != scenario.deployed_cell() {
                found.push((change, cell, (method.label(), *other)));
            }
        }
    }
    found
}

/// What a cell costs in another quality question, where that is more than a repair may cost.
fn price(
    evidence: &Evidence<'_>,
    badness: &Badness,
    cell: &Cell,
    question: Question,
    damage: f64,
) -> Option<(Question, Estimate)> {
    let others: &[Question] = match question {
        Question::ShortRange => &[Question::LongRange],
        Question::LongRange => &[Question::ShortRange],
        _ => &[Question::ShortRange, Question::LongRange],
    };
    others.iter().find_map(|&other| {
        let change = badness.change(cell, other)?;
        let tolerated = tolerance(evidence.scenario, other);
        // A large repair may cost a little more, in the same unit.
        let share = if question == Question::Retrieval { 0.0 } else { 0.25 * damage };
        let most = tolerated.max(if other == Question::Retrieval { PRICE_RECALL } else { PRICE }).max(share);
        (judge(change, tolerated) == Ruling::Worse && change.point > most).then_some((other, change))
    })
}

/// The damage to be repaired, by document.
struct Gap {
    documents: Vec<u32>,
    deployed: Vec<f64>,
    reference: Vec<f64>,
    resamples: Resamples,
}

impl Gap {
    fn of(evidence: &Evidence<'_>, badness: &Badness, question: Question) -> Option<Self> {
        let deployed = &badness.get(&evidence.scenario.deployed_cell(), question)?.by_document;
        let reference = &badness.reference(question)?.by_document;
        let documents: Vec<u32> = deployed.keys().filter(|document| reference.contains_key(document)).copied().collect();
        let take = |values: &ByDocument| documents.iter().filter_map(|document| values.get(document)).copied().collect();
        let (deployed, reference) = (take(deployed), take(reference));
        Some(Self { deployed, reference, resamples: Resamples::new(documents.len())?, documents })
    }

    fn damage(&self) -> f64 {
        mean(&self.deployed).unwrap_or(0.0) - mean(&self.reference).unwrap_or(0.0)
    }

    /// The values of these documents, in their order; nothing if one is missing.
    fn aligned(&self, values: &ByDocument) -> Option<Vec<f64>> {
        self.documents.iter().map(|document| values.get(document).copied()).collect()
    }

    fn fraction_of(&self, values: &ByDocument) -> Option<f64> {
        let repaired = self.aligned(values)?;
        Some((mean(&self.deployed)? - mean(&repaired)?) / self.damage())
    }

    /// The fraction repaired in every resample of documents.
    fn resampled(&self, repaired: &[f64]) -> Vec<f64> {
        self.resamples.map(|drawn| {
            let sum = |values: &[f64]| drawn.iter().filter_map(|&i| values.get(i as usize)).sum::<f64>();
            (sum(&self.deployed) - sum(repaired)) / (sum(&self.deployed) - sum(&self.reference))
        })
    }
}

/// The best of the candidates; chosen on one half of the documents and estimated on the other, both ways, so that
/// picking the smallest of several noisy values does not flatter it.
fn best(
    gap: &Gap,
    badness: &Badness,
    question: Question,
    change: Change,
    cells: &[(Cell, (String, Stretch))],
) -> Option<Repair> {
    let aligned: Vec<(usize, Vec<f64>)> = cells
        .iter()
        .enumerate()
        .filter_map(|(i, (cell, _))| Some((i, gap.aligned(&badness.get(cell, question)?.by_document)?)))
        .filter(|(_, values)| values.iter().all(|value| value.is_finite()))
        .collect();
    let choose = |keep: &dyn Fn(usize) -> bool| {
        let score = |values: &[f64]| {
            values.iter().enumerate().filter(|(i, _)| keep(*i)).map(|(_, value)| value).sum::<f64>()
        };
        aligned.iter().min_by(|a, b| score(&a.1).total_cmp(&score(&b.1)))
    };
    let (overall, values) = choose(&|_| true)?;
    let repaired: Vec<f64> = if gap.documents.len() < FEWEST_TO_SPLIT {
        values.clone()
    } else {
        let (even, odd) = (choose(&|i| i % 2 == 0)?, choose(&|i| i % 2 == 1)?);
        (0..gap.documents.len())
            .filter_map(|i| if i % 2 == 0 { odd.1.get(i) } else { even.1.get(i) })
            .copied()
            .collect()
    };
    let resampled = gap.resampled(&repaired);
    let point = (mean(&gap.deployed)? - mean(&repaired)?) / gap.damage();
    let (cell, level) = cells.get(*overall)?.clone();
    let fraction = gap.resamples.interval(point, resampled.clone(), CONFIDENCE);
    Some(Repair { change, cell, level, fraction, resampled })
}
