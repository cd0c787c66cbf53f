//! A run against a baseline: paired by document, and only where both were measured in the same way.

use std::collections::{BTreeMap, BTreeSet};

use super::record::rows_of;
use crate::findings::{Question, Ruling, Verdict};
use crate::measurement::{Cell, CellId, Measurement, Outcome, Quantity};
use crate::scenario::Tolerance;
use crate::stats::Estimate;
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
}

/// The verdicts of a run against the baseline called `against`, one for each quantity that either side measured.
///
/// * `trained`: long range is the loss at positions from here on.
/// * `difference`: the paired mean of `run - baseline` with its interval, or nothing where there are too few pairs.
/// * `judge`: the ruling on a change of which more is worse, against a tolerance in the same unit.
///
/// Latency is the ratio of the deployed cell to the unscaled cell of the same run, so that a faster machine is no
/// improvement; its change is the ratio of the two sides' ratios. Its blocks are not paired across runs, they are
/// independent repeats, for which pairing in order is as good as any.
#[must_use]
pub fn compare(
    against: &str,
    baseline: Side<'_>,
    run: Side<'_>,
    trained: Tokens,
    tolerance: &Tolerance,
    difference: impl Fn(&[f64], &[f64]) -> Option<Estimate>,
    judge: impl Fn(Estimate, f64) -> Ruling,
) -> Vec<Verdict> {
    let comparison = Comparison { against, baseline, run, trained, difference, judge };
    let verdicts = [
        comparison.quality(Question::ShortRange, Quantity::Nll, tolerance.short_range),
        comparison.quality(Question::LongRange, Quantity::Nll, tolerance.long_range),
        comparison.quality(Question::Retrieval, Quantity::Recall, tolerance.retrieval),
        comparison.latency(Quantity::Prefill, tolerance.latency),
        comparison.latency(Quantity::Decode, tolerance.latency),
    ];
    verdicts.into_iter().flatten().collect()
}

struct Comparison<'a, D, J> {
    against: &'a str,
    baseline: Side<'a>,
    run: Side<'a>,
    trained: Tokens,
    difference: D,
    judge: J,
}

impl<'a, D: Fn(&[f64], &[f64]) -> Option<Estimate>, J: Fn(Estimate, f64) -> Ruling> Comparison<'a, D, J> {
    fn quality(&self, question: Question, quantity: Quantity, tolerance: f64) -> Option<Verdict> {
        let rows = |side: Side<'a>| side.rows(side.deployed, question, quantity, self.trained);
        let (before, now) = (rows(self.baseline), rows(self.run));
        let mut verdict = self.verdict(question, quantity, quantity.unit(), tolerance, (&before, &now))?;
        if verdict.why.is_some() {
            return Some(verdict);
        }
        let (before, now) = (by_document(&before), by_document(&now));
        verdict.why = self.why_unpaired(&before, &now);
        if verdict.why.is_some() {
            return Some(verdict);
        }
        let values = |side: &BTreeMap<u32, Mean>| -> Vec<f64> { side.values().map(Mean::value).collect() };
        let (before, now) = (values(&before), values(&now));
        if let Some(why) = not_finite(&before) {
            verdict.why = Some(format!("the baseline has {why}"));
            return Some(verdict);
        }
        if let Some(why) = not_finite(&now) {
            // A loss that overflowed cannot be averaged, and needs no average to be worse.
            verdict.ruling = Ruling::Worse;
            verdict.why = Some(format!("the run has {why}"));
            return Some(verdict);
        }
        verdict.deployed = self.mean(&now);
        verdict.reference = self.mean(&before);
        verdict.change = (self.difference)(&now, &before);
        let worsening = if quantity == Quantity::Recall { negated } else { |change| change };
        self.rule(&mut verdict, worsening, tolerance);
        Some(verdict)
    }

    fn latency(&self, quantity: Quantity, tolerance: f64) -> Option<Verdict> {
        let unscaled = Cell::unscaled().id();
        let rows = |side: Side<'a>, cell: &CellId| side.rows(cell, Question::Latency, quantity, self.trained);
        let (before, now) = (rows(self.baseline, self.baseline.deployed), rows(self.run, self.run.deployed));
        let mut verdict = self.verdict(Question::Latency, quantity, "ratio", tolerance, (&before, &now))?;
        if verdict.why.is_some() {
            return Some(verdict);
        }
        let ratios = |side: Side<'a>, deployed: &[&Measurement], name: &str| {
            if *side.deployed == unscaled {
                return Err(format!("{name} deploys the unscaled model, which has no reference"));
            }
            log_ratios(deployed, &rows(side, &unscaled)).map_err(|why| format!("{name}: {why}"))
        };
        let both = ratios(self.baseline, &before, &format!("baseline `{}`", self.against))
            .and_then(|before| Ok((before, ratios(self.run, &now, "the run")?)));
        let (before, now) = match both {
            Ok((before, now)) if before.lengths == now.lengths => (before.values, now.values),
            Ok(_) => {
                verdict.why = Some("they were timed at different lengths".to_owned());
                return Some(verdict);
            }
            Err(why) => {
                verdict.why = Some(why);
                return Some(verdict);
            }
        };
        verdict.deployed = self.mean(&now).map(exponential);
        verdict.reference = self.mean(&before).map(exponential);
        let pairs = before.len().min(now.len());
        let (before, now) = (before.get(..pairs).unwrap_or_default(), now.get(..pairs).unwrap_or_default());
        verdict.change = (self.difference)(now, before);
        self.rule(&mut verdict, |change| change, tolerance.ln());
        verdict.change = verdict.change.map(exponential);
        Some(verdict)
    }

    /// A verdict that is incomparable until shown otherwise; nothing where neither side has rows.
    fn verdict(
        &self,
        question: Question,
        quantity: Quantity,
        unit: &str,
        tolerance: f64,
        (before, now): (&[&Measurement], &[&Measurement]),
    ) -> Option<Verdict> {
        if before.is_empty() && now.is_empty() {
            return None;
        }
        let (old, new) = (protocols(before), protocols(now));
        let why = if before.is_empty() {
            Some(format!("baseline `{}` did not measure it on its deployed cell", self.against))
        } else if now.is_empty() {
            Some("the run did not measure it on its deployed cell".to_owned())
        } else if old != new {
            Some(format!("the protocols differ: baseline `{old}`, run `{new}`"))
        } else {
            None
        };
        Some(Verdict {
            question,
            ruling: Ruling::Incomparable,
            quantity: quantity.name().to_owned(),
            unit: unit.to_owned(),
            against: self.against.to_owned(),
            change: None,
            deployed: None,
            reference: None,
            tolerance,
            protocol: if new.is_empty() { old } else { new },
            why,
        })
    }

    fn why_unpaired(&self, before: &BTreeMap<u32, Mean>, now: &BTreeMap<u32, Mean>) -> Option<String> {
        if self.baseline.text != self.run.text {
            return Some("the documents are of different text".to_owned());
        }
        if !before.keys().eq(now.keys()) {
            return Some(format!("the baseline has {} documents, the run has {} or others", before.len(), now.len()));
        }
        let mut pairs = before.iter().zip(now.values());
        let (document, old, new) = pairs
            .find_map(|((document, old), new)| (old.count != new.count).then_some((document, old.count, new.count)))?;
        Some(format!("document {document} has {old} scored places in the baseline and {new} in the run"))
    }

    /// A mean with its interval is a paired difference against nothing.
    fn mean(&self, values: &[f64]) -> Option<Estimate> {
        (self.difference)(values, &vec![0.0; values.len()])
    }

    fn rule(&self, verdict: &mut Verdict, worsening: fn(Estimate) -> Estimate, tolerance: f64) {
        if let Some(change) = verdict.change {
            verdict.ruling = (self.judge)(worsening(change), tolerance);
        } else {
            verdict.ruling = Ruling::Undecided;
            verdict.why = Some("there are too few pairs for an interval".to_owned());
        }
        if verdict.ruling == Ruling::Undecided && verdict.why.is_none() {
            verdict.why = Some("the interval touches the tolerance: more documents or blocks would decide".to_owned());
        }
    }
}

impl<'a> Side<'a> {
    /// The rows of one cell that answer the question.
    fn rows(self, cell: &CellId, question: Question, quantity: Quantity, trained: Tokens) -> Vec<&'a Measurement> {
        let beyond = |row: &Measurement| row.reading.at.from.is_some_and(|from| from as usize >= trained.0);
        self.cells
            .iter()
            .filter(|(candidate, _)| candidate.id() == *cell)
            .flat_map(|(_, outcome)| rows_of(outcome))
            .filter(|row| row.reading.probe == question.name() && row.reading.quantity == quantity)
            .filter(|row| row.reading.count > 0 && (question != Question::LongRange || beyond(row)))
            .collect()
    }
}

/// A mean weighted by what each value is already the mean of.
#[derive(Default)]
struct Mean {
    sum: f64,
    count: u64,
}

impl Mean {
    fn value(&self) -> f64 {
        self.sum / self.count as f64
    }
}

fn by_document(rows: &[&Measurement]) -> BTreeMap<u32, Mean> {
    let mut documents: BTreeMap<u32, Mean> = BTreeMap::new();
    for row in rows {
        let mean = documents.entry(row.reading.document).or_default();
        mean.sum += row.reading.value * f64::from(row.reading.count);
        mean.count += u64::from(row.reading.count);
    }
    documents
}

fn protocols(rows: &[&Measurement]) -> String {
    let protocols: BTreeSet<&str> = rows.iter().map(|row| row.reading.protocol.as_str()).collect();
    protocols.into_iter().collect::<Vec<_>>().join(", ")
}

fn not_finite(values: &[f64]) -> Option<String> {
    let broken = values.iter().filter(|value| !value.is_finite()).count();
    (broken > 0).then(|| format!("{broken} of {} documents whose value is not a finite number", values.len()))
}

/// The logarithm of deployed over unscaled time for each block, the mean over the lengths.
struct LogRatios {
    lengths: BTreeSet<Option<u32>>,
    values: Vec<f64>,
}

fn log_ratios(deployed: &[&Measurement], unscaled: &[&Measurement]) -> Result<LogRatios, String> {
    let (deployed, unscaled) = (medians(deployed), medians(unscaled));
    if !deployed.keys().eq(unscaled.keys()) {
        return Err("the unscaled model was not timed beside the deployed cell in every block".to_owned());
    }
    let mut blocks: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for ((&(block, _), time), reference) in deployed.iter().zip(unscaled.values()) {
        let ratio = (time / reference).ln();
        if !ratio.is_finite() {
            return Err(format!("a time of block {block} is not a positive number"));
        }
        blocks.entry(block).or_default().push(ratio);
    }
    let lengths = deployed.keys().map(|&(_, length)| length).collect();
    let values = blocks.values().map(|ratios| ratios.iter().sum::<f64>() / ratios.len() as f64).collect();
    Ok(LogRatios { lengths, values })
}

/// The median over repeats for each block and length: one interrupted timing does not move it.
fn medians(rows: &[&Measurement]) -> BTreeMap<(u32, Option<u32>), f64> {
    let mut times: BTreeMap<(u32, Option<u32>), Vec<f64>> = BTreeMap::new();
    for row in rows {
        times.entry((row.reading.document, row.reading.at.length)).or_default().push(row.reading.value);
    }
    times
        .into_iter()
        .filter_map(|(place, mut times)| {
            times.sort_by(f64::total_cmp);
            let (low, high) = (times.get((times.len() - 1) / 2)?, times.get(times.len() / 2)?);
            Some((place, f64::midpoint(*low, *high)))
        })
        .collect()
}

fn negated(change: Estimate) -> Estimate {
    Estimate { point: -change.point, low: -change.high, high: -change.low, ..change }
}

fn exponential(change: Estimate) -> Estimate {
    Estimate { point: change.point.exp(), low: change.low.exp(), high: change.high.exp(), ..change }
}
