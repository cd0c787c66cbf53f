//! One side of a comparison: the rows of a run or of a baseline that answer a question.

use std::collections::{BTreeMap, BTreeSet};

use super::record::rows_of;
use crate::ablation;
use crate::findings::Question;
use crate::measurement::{Cell, CellId, Measurement, Outcome, Quantity};
use crate::units::Tokens;

/// One side of a comparison.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// Every cell and what became of it.
    pub cells: &'a [(Cell, Outcome)],
    /// The cell that is deployed; the two sides may differ in it.
    pub deployed: &'a CellId,
    /// Hash of the documents as token ids; documents of different text are never paired.
    pub text: &'a str,
    /// All that a duration depends on besides the program, in words; durations compare only where these are equal.
    pub machine: &'a str,
}

impl<'a> Side<'a> {
    /// The rows of one cell.
    pub(super) fn rows(self, cell: &CellId) -> &'a [Measurement] {
        self.cells.iter().find(|(candidate, _)| candidate.id() == *cell).map_or(&[], |(_, outcome)| rows_of(outcome))
    }

    /// The rows of the deployed cell that a quality question is about.
    pub(super) fn scored(self, question: Question, trained: Tokens) -> Vec<&'a Measurement> {
        let quantity = quantity(question);
        let beyond = |row: &Measurement| row.reading.at.from.is_some_and(|from| from as usize >= trained.0);
        self.rows(self.deployed)
            .iter()
            .filter(|row| row.reading.probe == question.name() && row.reading.quantity == quantity)
            .filter(|row| row.reading.count > 0 && (question != Question::LongRange || beyond(row)))
            .collect()
    }

    /// The value of a quality question for each document of the deployed cell.
    pub(super) fn values(self, question: Question, trained: Tokens) -> BTreeMap<u32, f64> {
        ablation::document_values(question, self.rows(self.deployed), trained)
    }

    /// Seconds of a cell by length and block; the median where an arm was timed more than once in a block.
    pub(super) fn times(self, cell: &CellId, quantity: Quantity) -> BTreeMap<u32, BTreeMap<u32, f64>> {
        self.times_of(cell, quantity, None)
    }

    /// As [`Side::times`], of one repeat alone.
    pub(super) fn times_of(
        self,
        cell: &CellId,
        quantity: Quantity,
        repeat: Option<u32>,
    ) -> BTreeMap<u32, BTreeMap<u32, f64>> {
        let mut times: BTreeMap<u32, BTreeMap<u32, Vec<f64>>> = BTreeMap::new();
        for reading in timed(self.rows(cell), quantity).map(|row| &row.reading) {
            if let Some(length) = reading.at.length.filter(|_| repeat.is_none_or(|repeat| repeat == reading.repeat)) {
                times.entry(length).or_default().entry(reading.document).or_default().push(reading.value);
            }
        }
        times
            .into_iter()
            .map(|(length, blocks)| {
                let blocks = blocks.into_iter().filter_map(|(block, times)| Some((block, median(times)?)));
                (length, blocks.collect())
            })
            .collect()
    }

    /// The protocols of a cell's timings.
    pub(super) fn timed_under(self, cell: &CellId, quantity: Quantity) -> String {
        listed(timed(self.rows(cell), quantity))
    }

    /// Median of the fixed piece of work in seconds; nothing where it was not timed.
    pub(super) fn kernel(self) -> Option<f64> {
        let rows = self.cells.iter().flat_map(|(_, outcome)| rows_of(outcome));
        median(rows.filter(|row| row.reading.quantity == Quantity::FixedKernel).map(|row| row.reading.value).collect())
    }

    /// Whether the device was held back for heat or power while anything was timed.
    pub(super) fn held_back(self) -> bool {
        let mut rows = self.cells.iter().flat_map(|(_, outcome)| rows_of(outcome));
        rows.any(|row| row.reading.quantity == Quantity::Throttling && row.reading.value > 0.0)
    }
}

/// The quantity that a quality question is about.
pub(super) fn quantity(question: Question) -> Quantity {
    if question == Question::Retrieval { Quantity::Recall } else { Quantity::Nll }
}

fn timed(rows: &[Measurement], quantity: Quantity) -> impl Iterator<Item = &Measurement> {
    rows.iter().filter(move |row| row.reading.probe == Question::Latency.name() && row.reading.quantity == quantity)
}

/// The protocols of rows, separated by commas.
pub(super) fn listed<'a>(rows: impl IntoIterator<Item = &'a Measurement>) -> String {
    let protocols: BTreeSet<&str> = rows.into_iter().map(|row| row.reading.protocol.as_str()).collect();
    protocols.into_iter().collect::<Vec<_>>().join(", ")
}

/// The median; nothing for no values.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.get(values.len().checked_sub(1)? / 2)?, values.get(values.len() / 2)?);
    Some(f64::midpoint(*low, *high))
}
