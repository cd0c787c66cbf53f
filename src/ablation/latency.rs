//! The ruling on latency: ratios of interleaved timings, with a null control.

use std::collections::BTreeMap;

use super::Evidence;
use crate::findings::{Question, Ruling, Verdict};
use crate::measurement::{Cell, Outcome, Quantity};
use crate::stats::{CONFIDENCE, Estimate, judge, mean_estimate, mean_with_confidence};

/// Seconds by block, of one arm at one quantity and length.
type Blocks = BTreeMap<u32, f64>;

/// What was timed: prefill or decode, and at which length in tokens.
type Point = (Quantity, u32);

/// The worst ratio over prefill, decode and lengths.
///
/// The intervals are widened (Bonferroni) so that all of them together hold with the stated confidence. The same arm
/// timed twice must tie within the tolerance everywhere; where it does not, nothing is flagged.
pub(super) fn verdict(evidence: &Evidence<'_>) -> Verdict {
    let scenario = evidence.scenario;
    let tolerance = scenario.tolerance.latency;
    let deployed = times(evidence, &scenario.deployed_cell(), 0);
    let reference = times(evidence, &Cell::unscaled(), 0);
    let again = times(evidence, &Cell::unscaled(), 1);
    let confidence = 1.0 - (1.0 - CONFIDENCE) / deployed.len().max(1) as f64;
    let ruled: Vec<(Point, Estimate, Ruling)> = deployed
        .iter()
        .filter_map(|(point, blocks)| {
            let change = log_ratio(blocks, reference.get(point)?, confidence)?;
            Some((*point, change, judge(change, tolerance.ln())))
        })
        .collect();
    let restless = reference.iter().find_map(|(point, blocks)| {
        let change = log_ratio(again.get(point)?, blocks, confidence)?;
        matches!(judge(change, tolerance.ln()), Ruling::Worse | Ruling::Better).then_some((*point, change))
    });
    // The worst ruling first, then the largest ratio.
    let rank = |ruling: &Ruling| match ruling {
        Ruling::Worse => 3,
        Ruling::Undecided => 2,
        Ruling::WithinNoise => 1,
        _ => 0,
    };
    let worst = ruled.iter().max_by(|a, b| rank(&a.2).cmp(&rank(&b.2)).then(a.1.point.total_cmp(&b.1.point)));
    let mut verdict = empty(tolerance);
    let Some(((quantity, length), change, ruling)) = worst else {
        verdict.why = Some("no block of timings pairs deployed with reference".to_owned());
        return verdict;
    };
    verdict.ruling = *ruling;
    verdict.quantity = quantity.name().to_owned();
    verdict.change = Some(change.map(f64::exp));
    let level = |times: &BTreeMap<Point, Blocks>| {
        mean_estimate(&times.get(&(*quantity, *length))?.values().copied().collect::<Vec<_>>())
    };
    (verdict.deployed, verdict.reference) = (level(&deployed), level(&reference));
    verdict.protocol = format!(
        "{} at {} tokens, the worst of {} (prefill and decode at each length), against the unscaled model in the same run",
        quantity.name(),
        crate::units::Tokens(*length as usize),
        ruled.len(),
    );
    if let Some(((quantity, length), change)) = restless {
        verdict.ruling = Ruling::Undecided;
        verdict.why = Some(format!(
            "the machine is too restless: the same model timed twice differs by a factor of {:.3} in {} at {length} tokens",
            change.point.exp(),
            quantity.name(),
        ));
    } else if verdict.ruling == Ruling::Undecided {
        verdict.why = Some("the interval touches the tolerance; more `sizes.latency_blocks` would narrow it".to_owned());
    }
    verdict
}

fn empty(tolerance: f64) -> Verdict {
    Verdict {
        question: Question::Latency,
        ruling: Ruling::Incomparable,
        quantity: Quantity::Prefill.name().to_owned(),
        unit: super::verdict::unit(Question::Latency).to_owned(),
        against: "reference".to_owned(),
        change: None,
        deployed: None,
        reference: None,
        tolerance,
        protocol: String::new(),
        why: None,
    }
}

/// Timings of a cell's arm.
fn times(evidence: &Evidence<'_>, cell: &Cell, repeat: u32) -> BTreeMap<Point, Blocks> {
    let mut times: BTreeMap<Point, Blocks> = BTreeMap::new();
    for (other, outcome) in evidence.cells {
        let Outcome::Measured(rows) = outcome else { continue };
        for reading in rows.iter().map(|row| &row.reading).filter(|_| other == cell) {
            if reading.probe == "latency"
                && reading.repeat == repeat
                && let Some(length) = reading.at.length
            {
                times.entry((reading.quantity, length)).or_default().insert(reading.document, reading.value);
            }
        }
    }
    times
}

/// The mean of the logarithm of the ratio, paired by block; nothing where a time is not above 0.
fn log_ratio(after: &Blocks, before: &Blocks, confidence: f64) -> Option<Estimate> {
    let ratios: Vec<f64> =
        after.iter().filter_map(|(block, time)| Some((time / before.get(block)?).ln())).collect();
    mean_with_confidence(&ratios, confidence)
}
