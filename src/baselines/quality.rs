//! Short range, long range and retrieval against a baseline, document by document.

use std::collections::BTreeMap;

use super::compare::{Comparison, Test};
use super::side::{Side, listed, quantity};
use crate::ablation;
use crate::findings::{Question, Ruling};
use crate::measurement::Measurement;
use crate::stats::{Standing, paired_difference, standing};

/// The test of a quality question; nothing where neither side has rows.
pub(super) fn test(comparison: &Comparison<'_>, question: Question) -> Option<Test> {
    let rows = |side: Side<'_>| side.scored(question, comparison.trained).into_iter().cloned().collect::<Vec<_>>();
    let (before, now) = (rows(comparison.baseline), rows(comparison.run));
    if before.is_empty() && now.is_empty() {
        return None;
    }
    let tolerance = match question {
        Question::ShortRange => comparison.tolerance.short_range,
        Question::LongRange => comparison.tolerance.long_range,
        _ => comparison.tolerance.retrieval,
    };
    let quantity = quantity(question);
    let mut test = comparison.open(question, quantity.name(), quantity.unit(), tolerance);
    let (old, new) = (listed(&before), listed(&now));
    test.verdict.protocol = if new.is_empty() { old.clone() } else { new.clone() };
    test.verdict.why = comparison.why_not(&old, &new).or_else(|| why_unpaired(comparison, &before, &now));
    if test.verdict.why.is_some() {
        return Some(test);
    }
    let values = |side: Side<'_>| side.values(question, comparison.trained).into_values().collect::<Vec<f64>>();
    let (before, now) = (values(comparison.baseline), values(comparison.run));
    if let Some(why) = not_finite(&before) {
        test.verdict.why = Some(format!("the baseline has {why}"));
    } else if let Some(why) = not_finite(&now) {
        // A loss that overflowed cannot be averaged, and needs no average to be worse.
        test.verdict.ruling = Ruling::Worse;
        test.verdict.why = Some(format!("the run has {why}"));
    } else {
        test.rule(&now, &before, sign(question), tolerance);
        test.begins = begins(comparison, question, tolerance);
    }
    Some(test)
}

/// More loss is worse, and less recall.
fn sign(question: Question) -> f64 {
    if question == Question::Retrieval { -1.0 } else { 1.0 }
}

fn why_unpaired(comparison: &Comparison<'_>, before: &[Measurement], now: &[Measurement]) -> Option<String> {
    if comparison.baseline.text != comparison.run.text {
        return Some("the documents are of different text".to_owned());
    }
    let (before, now) = (counts(before), counts(now));
    if !before.keys().eq(now.keys()) {
        return Some(format!("the baseline has {} documents, the run has {} or others", before.len(), now.len()));
    }
    let mut pairs = before.iter().zip(now.values());
    let (document, old, new) = pairs.find_map(|((document, old), new)| (old != new).then_some((document, old, new)))?;
    Some(format!("document {document} has {old} scored places in the baseline and {new} in the run"))
}

/// Scored places by document.
fn counts(rows: &[Measurement]) -> BTreeMap<u32, u64> {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(row.reading.document).or_default() += u64::from(row.reading.count);
    }
    counts
}

fn not_finite(values: &[f64]) -> Option<String> {
    let broken = values.iter().filter(|value| !value.is_finite()).count();
    (broken > 0).then(|| format!("{broken} of {} documents whose value is not a finite number", values.len()))
}

/// Where along positions (or distances) the damage begins; nothing where there is none, or from the first place on.
fn begins(comparison: &Comparison<'_>, question: Question, tolerance: f64) -> Option<u32> {
    let profile = |side: Side<'_>| ablation::profile(question, side.rows(side.deployed));
    let (before, now) = (profile(comparison.baseline), profile(comparison.run));
    let mut healthy = false;
    for (&(from, _), old) in &before {
        let new = now.iter().find(|((start, _), _)| *start == from).map(|(_, new)| new)?;
        let pairs: Vec<(f64, f64)> =
            old.iter().filter_map(|(document, old)| Some((*new.get(document)?, *old))).collect();
        let (new, old): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        let damage = paired_difference(&new, &old)?;
        let damage = if sign(question) < 0.0 { damage.negated() } else { damage };
        if standing(&damage, tolerance) == Standing::Above {
            return healthy.then_some(from);
        }
        healthy = true;
    }
    None
}
