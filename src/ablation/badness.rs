//! The badness of every cell in every question, one value a document.

use std::collections::BTreeMap;

use super::Evidence;
use crate::findings::Question;
use crate::measurement::{Cell, CellId, Measurement, Outcome, Quantity};
use crate::stats::{Estimate, paired_difference};
use crate::units::Tokens;

/// Badness by document: nats per token, or the share of facts missed.
pub(super) type ByDocument = BTreeMap<u32, f64>;

/// One cell's badness in one question, and how it was measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Values {
    pub(super) by_document: ByDocument,
    pub(super) protocol: String,
}

/// Badness of every measured cell in the quality questions.
pub(super) struct Badness {
    of: BTreeMap<(CellId, Question), Values>,
    reference: BTreeMap<Question, Values>,
    failed: BTreeMap<CellId, String>,
}

/// The quality questions; latency is judged by itself.
pub(super) const QUALITY: [Question; 3] = [Question::ShortRange, Question::LongRange, Question::Retrieval];

impl Badness {
    pub(super) fn of(evidence: &Evidence<'_>) -> Self {
        let trained = evidence.scenario.trained;
        let mut all = Self { of: BTreeMap::new(), reference: BTreeMap::new(), failed: BTreeMap::new() };
        for (cell, outcome) in evidence.cells {
            match outcome {
                Outcome::Failed { reason } => {
                    all.failed.insert(cell.id(), reason.clone());
                }
                Outcome::Measured(rows) => {
                    for question in QUALITY {
                        let values = values(rows, question, trained, |_| true);
                        if !values.by_document.is_empty() {
                            all.of.insert((cell.id(), question), values);
                        }
                    }
                }
            }
        }
        for question in QUALITY {
            if let Some(values) = reference(evidence, question) {
                all.reference.insert(question, values);
            }
        }
        all
    }

    /// A cell's badness, if it was measured.
    pub(super) fn get(&self, cell: &Cell, question: Question) -> Option<&Values> {
        self.of.get(&(cell.id(), question))
    }

    /// The healthy reference's badness, if it was measured.
    pub(super) fn reference(&self, question: Question) -> Option<&Values> {
        self.reference.get(&question)
    }

    /// Why a cell failed, if it did.
    pub(super) fn failure(&self, cell: &Cell) -> Option<&str> {
        self.failed.get(&cell.id()).map(String::as_str)
    }

    /// A cell's badness minus the reference's, paired by document; nothing where they cannot be compared.
    pub(super) fn change(&self, cell: &Cell, question: Question) -> Option<Estimate> {
        let (values, reference) = (self.get(cell, question)?, self.reference(question)?);
        if values.protocol != reference.protocol {
            return None;
        }
        let (after, before) = paired(&values.by_document, &reference.by_document);
        paired_difference(&after, &before)
    }
}

/// The values of the documents that both hold, in the same order.
pub(super) fn paired(one: &ByDocument, other: &ByDocument) -> (Vec<f64>, Vec<f64>) {
    one.iter().filter_map(|(document, value)| Some((*value, *other.get(document)?))).unzip()
}

/// The healthy reference (`docs/method.md`, "The reference").
fn reference(evidence: &Evidence<'_>, question: Question) -> Option<Values> {
    let scenario = evidence.scenario;
    let stretched = scenario.target > scenario.trained;
    let cell = match question {
        Question::LongRange | Question::Retrieval if stretched => Cell::truncated(),
        _ => Cell::unscaled(),
    };
    let rows = evidence.cells.iter().find_map(|(other, outcome)| match outcome {
        Outcome::Measured(rows) if *other == cell => Some(rows),
        _ => None,
    })?;
    // A window advanced by half of the trained length always holds the nearer half.
    let within = scenario.trained.0 as u32 / 2;
    let seen = |row: &Measurement| {
        question != Question::Retrieval || !stretched || row.reading.at.distance_to.is_some_and(|end| end <= within)
    };
    let values = values(rows, question, scenario.trained, seen);
    (!values.by_document.is_empty()).then_some(values)
}

/// Badness by document from a cell's rows.
///
/// Losses are weighted by their tokens; recall is the plain mean over distance bins, so that each distance counts alike.
fn values(rows: &[Measurement], question: Question, trained: Tokens, keep: impl Fn(&Measurement) -> bool) -> Values {
    let mut sums: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
    let mut protocol = String::new();
    for row in rows.iter().filter(|row| belongs(row, question, trained) && keep(row)) {
        let reading = &row.reading;
        let (badness, weight) = match question {
            Question::Retrieval => (1.0 - reading.value, 1.0),
            _ => (reading.value, f64::from(reading.count)),
        };
        let sum = sums.entry(reading.document).or_default();
        sum.0 += badness * weight;
        sum.1 += weight;
        protocol.clone_from(&reading.protocol);
    }
    let by_document =
        sums.into_iter().filter(|(_, (_, weight))| *weight > 0.0).map(|(d, (sum, weight))| (d, sum / weight)).collect();
    Values { by_document, protocol }
}

fn belongs(row: &Measurement, question: Question, trained: Tokens) -> bool {
    let reading = &row.reading;
    match question {
        Question::ShortRange => reading.probe == "short_range" && reading.quantity == Quantity::Nll,
        Question::LongRange => {
            reading.probe == "long_range"
                && reading.quantity == Quantity::Nll
                && reading.at.from.is_some_and(|from| from as usize >= trained.0)
        }
        Question::Retrieval => reading.probe == "retrieval" && reading.quantity == Quantity::Recall,
        Question::Latency => false,
    }
}
