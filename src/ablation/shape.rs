//! The shape of the damage along the position.

use std::collections::BTreeMap;

use super::Evidence;
use super::badness::{ByDocument, paired};
use super::verdict::tolerance;
use crate::findings::Question;
use crate::measurement::{Cell, Measurement, Outcome, Quantity};
use crate::stats::{Estimate, paired_difference};

/// Damage by bin: its first position and how much worse the deployed cell is there.
type Profile = Vec<(u32, Estimate)>;

/// The shape of a question's damage: `constant`, `growing`, `step@N`, or `none` where no bin is damaged.
///
/// Up to the trained length the deployed cell is compared with the unscaled model, beyond it with the truncated one.
/// A bin is damaged where the whole interval is beyond the tolerance. Damage from the first bin on is `constant`, or
/// `growing` where the last bin has decidedly more than twice the first one's; damage that begins later is a step at
/// the first damaged bin.
pub(super) fn shape(evidence: &Evidence<'_>, question: Question) -> String {
    let profile = match question {
        Question::Retrieval => recall(evidence),
        _ => loss(evidence),
    };
    let tolerance = match question {
        Question::Retrieval => tolerance(evidence.scenario, question),
        _ => tolerance(evidence.scenario, question).max(evidence.scenario.tolerance.long_range),
    };
    // Without readings by position only windows of one length were read, and damage there starts at 0.
    let Some((_, first)) = profile.first() else { return "constant".to_owned() };
    let damaged = |change: &Estimate| change.low > tolerance;
    let Some((start, begins)) = profile.iter().find(|(_, change)| damaged(change)) else { return "none".to_owned() };
    if !damaged(first) {
        return format!("step@{start}");
    }
    let grows = profile.last().is_some_and(|(_, last)| last.low > 2.0 * begins.high);
    if grows { "growing" } else { "constant" }.to_owned()
}

/// Loss by position bin.
fn loss(evidence: &Evidence<'_>) -> Profile {
    let trained = evidence.scenario.trained.0 as u32;
    let bins = |cell: &Cell| {
        by_bin(evidence, cell, |row| {
            let reading = &row.reading;
            let here = reading.probe == "long_range" && reading.quantity == Quantity::Nll;
            here.then_some((reading.at.from?, reading.value))
        })
    };
    let deployed = bins(&evidence.scenario.deployed_cell());
    let (near, far) = (bins(&Cell::unscaled()), bins(&Cell::truncated()));
    profile(&deployed, |start| if start < trained { near.get(&start) } else { far.get(&start) })
}

/// Facts missed by distance bin, against the truncated model at its nearest bin, which is always in its window.
fn recall(evidence: &Evidence<'_>) -> Profile {
    let bins = |cell: &Cell| {
        by_bin(evidence, cell, |row| {
            let reading = &row.reading;
            let here = reading.probe == "retrieval" && reading.quantity == Quantity::Recall;
            here.then_some((reading.at.distance_from?, 1.0 - reading.value))
        })
    };
    let deployed = bins(&evidence.scenario.deployed_cell());
    let reference = bins(&Cell::truncated());
    let within = evidence.scenario.trained.0 as u32 / 2;
    profile(&deployed, |start| reference.range(..=start).rfind(|(from, _)| **from < within).map(|(_, values)| values))
}

fn by_bin(
    evidence: &Evidence<'_>,
    cell: &Cell,
    bin: impl Fn(&Measurement) -> Option<(u32, f64)>,
) -> BTreeMap<u32, ByDocument> {
    let mut bins: BTreeMap<u32, ByDocument> = BTreeMap::new();
    for (other, outcome) in evidence.cells {
        if let (true, Outcome::Measured(rows)) = (other == cell, outcome) {
            for row in rows {
                if let Some((start, value)) = bin(row) {
                    bins.entry(start).or_default().insert(row.reading.document, value);
                }
            }
        }
    }
    bins
}

fn profile<'a>(
    deployed: &BTreeMap<u32, ByDocument>,
    reference: impl Fn(u32) -> Option<&'a ByDocument>,
) -> Profile {
    deployed
        .iter()
        .filter_map(|(start, values)| {
            let (after, before) = paired(values, reference(*start)?);
            Some((*start, paired_difference(&after, &before)?))
        })
        .collect()
}
