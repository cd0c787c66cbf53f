//! From rows to one value for each document.

use std::collections::{BTreeMap, BTreeSet};

use crate::findings::Question;
use crate::measurement::{Measurement, Quantity, Reading};
use crate::units::Tokens;

/// One value for each document, and the protocols that they were measured under.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Values {
    pub(super) by_document: BTreeMap<u32, f64>,
    pub(super) protocols: BTreeSet<String>,
}

/// Which rows stand for a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The rows that the question is about.
    Whole,
    /// The healthy reference's rows, inside its context.
    Reference,
}

/// The value of a quality question for each document, as every ruling on it is made of them: a loss is the mean over scored
/// tokens, recall the plain mean over bins of distance.
#[must_use]
pub fn by_document(question: Question, rows: &[Measurement], trained: Tokens, part: Part) -> BTreeMap<u32, f64> {
    values(question, rows, trained, part).by_document
}

/// A half-open range of positions or distances in tokens.
pub(super) type Bin = (u32, u32);

/// The quantity that a quality question is about; latency has two and is judged elsewhere.
pub(super) fn quantity(question: Question) -> Quantity {
    match question {
        Question::Retrieval => Quantity::Recall,
        _ => Quantity::Nll,
    }
}

/// The value of a question for each document.
///
/// A loss is the mean over scored tokens (rows weighted by their counts). Recall is the plain mean over distance bins,
/// so that many near facts do not outweigh a few far ones.
pub(super) fn values(question: Question, rows: &[Measurement], trained: Tokens, part: Part) -> Values {
    let belongs = |reading: &&Reading| is_of(question, reading) && is_in_part(question, reading, trained, part);
    let readings = || rows.iter().map(|row| &row.reading).filter(belongs);
    let protocols = readings().map(|reading| reading.protocol.clone()).collect();
    let by_document = if question == Question::Retrieval {
        let mut bins: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
        for ((document, _), value) in
            weighted_means(readings().map(|reading| ((reading.document, bin(reading)), reading)))
        {
            bins.entry(document).or_default().push(value);
        }
        bins.into_iter().map(|(document, means)| (document, means.iter().sum::<f64>() / means.len() as f64)).collect()
    } else {
        weighted_means(readings().map(|reading| (reading.document, reading)))
    };
    Values { by_document, protocols }
}

/// The value of a question for each document of a cell's rows; see `docs/method.md`, "Values".
#[must_use]
pub fn document_values(question: Question, rows: &[Measurement], trained: Tokens) -> BTreeMap<u32, f64> {
    values(question, rows, trained, Part::Whole).by_document
}

/// The value of each bin (of positions, or of distances for retrieval) for each document.
#[must_use]
pub fn profile(question: Question, rows: &[Measurement]) -> BTreeMap<Bin, BTreeMap<u32, f64>> {
    let readings = rows.iter().map(|row| &row.reading).filter(|reading| is_of(question, reading));
    let mut profile: BTreeMap<Bin, BTreeMap<u32, f64>> = BTreeMap::new();
    for ((bin, document), value) in weighted_means(readings.map(|reading| ((bin(reading), reading.document), reading)))
    {
        profile.entry(bin).or_default().insert(document, value);
    }
    profile
}

/// The mean of the values of each key, weighted by their counts; keys without a count are absent.
fn weighted_means<'a, K: Ord>(readings: impl Iterator<Item = (K, &'a Reading)>) -> BTreeMap<K, f64> {
    let mut sums: BTreeMap<K, (f64, f64)> = BTreeMap::new();
    for (key, reading) in readings.filter(|(_, reading)| reading.count > 0) {
        let sum = sums.entry(key).or_default();
        sum.0 += reading.value * f64::from(reading.count);
        sum.1 += f64::from(reading.count);
    }
    sums.into_iter().map(|(key, (sum, count))| (key, sum / count)).collect()
}

fn is_of(question: Question, reading: &Reading) -> bool {
    reading.probe == question.name() && reading.quantity == quantity(question)
}

fn is_in_part(question: Question, reading: &Reading, trained: Tokens, part: Part) -> bool {
    let (from, to) = bin(reading);
    match (question, part) {
        (Question::LongRange, _) => from as usize >= trained.0,
        // Distances up to half of the trained length always lie inside the truncated reference's sliding window.
        (Question::Retrieval, Part::Reference) => to as usize <= trained.0 / 2,
        _ => true,
    }
}

fn bin(reading: &Reading) -> Bin {
    let at = &reading.at;
    match reading.quantity {
        Quantity::Recall => (at.distance_from.unwrap_or(0), at.distance_to.unwrap_or(u32::MAX)),
        _ => (at.from.unwrap_or(0), at.to.unwrap_or(u32::MAX)),
    }
}
