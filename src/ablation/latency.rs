//! Is the deployed arm slower than the reference arm of the same run?

use std::collections::{BTreeMap, BTreeSet};

use crate::findings::{Question, Ruling, Verdict};
use crate::measurement::{Cell, Measurement, Outcome, Quantity, spoken};
use crate::stats::{CONFIDENCE, Estimate, Resamples};
use crate::units::Tokens;

use super::Evidence;
use super::board::ruling;
use super::words::amount;

/// What was timed: prefill or decode, at one context length.
type Timing = (Quantity, u32);

/// Seconds of one arm by block.
type Arm = BTreeMap<u32, f64>;

/// The three arms of one timing.
#[derive(Debug, Default)]
struct Arms {
    deployed: Arm,
    reference: Arm,
    /// The reference a second time: whatever differs from the first is noise of this machine.
    control: Arm,
    protocols: BTreeSet<String>,
}

/// One timing's ratio, judged.
#[derive(Debug)]
struct Judged {
    timing: Timing,
    ratio: Option<Estimate>,
    deployed: Option<Estimate>,
    reference: Option<Estimate>,
    ruling: Ruling,
}

/// The verdict on latency: the worst ratio over what was timed.
///
/// With k ratios each interval has confidence `1 - 0.05 / k` (Bonferroni), so that looking for the worst of many
/// does not raise false alarms.
pub(super) fn verdict(evidence: &Evidence, cell: &Cell) -> Verdict {
    let tolerance = evidence.scenario.tolerance.latency;
    let mut verdict = Verdict {
        question: Question::Latency,
        ruling: Ruling::Incomparable,
        quantity: Quantity::Prefill.name().to_owned(),
        unit: "ratio".to_owned(),
        against: "reference".to_owned(),
        change: None,
        deployed: None,
        reference: None,
        tolerance,
        protocol: "time of the deployed arm over that of the unscaled arm, interleaved in one run".to_owned(),
        why: None,
    };
    let timings = match timings(evidence, cell) {
        Ok(timings) => timings,
        Err(why) => {
            verdict.why = Some(why);
            return verdict;
        }
    };
    let confidence = 1.0 - (1.0 - CONFIDENCE) / timings.len() as f64;
    let judged: Vec<Judged> =
        timings.iter().map(|(timing, arms)| judge(*timing, arms, tolerance, confidence)).collect();
    let Some(worst) = judged.iter().max_by(|a, b| rank(a).partial_cmp(&rank(b)).unwrap_or(std::cmp::Ordering::Equal))
    else {
        return verdict;
    };
    let (quantity, length) = worst.timing;
    verdict.quantity = quantity.name().to_owned();
    verdict.change = worst.ratio;
    verdict.deployed = worst.deployed;
    verdict.reference = worst.reference;
    verdict.protocol = format!(
        "{} at {} tokens, the worst of {}: {}, seconds a pass",
        quantity.name(),
        Tokens(length as usize),
        judged.len(),
        verdict.protocol
    );
    verdict.ruling = overall(&judged, worst);
    verdict.why = doubt(worst, verdict.ruling, tolerance);
    let held_back = super::speed::held_back(evidence).filter(|events| *events > 0.0);
    let held_back = held_back.map(|events| {
        format!(
            "the device was held back for heat or power {events} times while it was timed, so its times say nothing"
        )
    });
    if let Some(why) = held_back.or_else(|| fired_control(&timings, tolerance)) {
        verdict.ruling = Ruling::Undecided;
        verdict.why = Some(why);
    } else if *cell == Cell::unscaled() && verdict.change.is_some() {
        // The same cell cannot be slower than itself: the control has said that this machine is steady enough.
        verdict.ruling = Ruling::WithinNoise;
        verdict.why = None;
    }
    verdict
}

/// Better only if every timing is; otherwise what the worst one says.
fn overall(judged: &[Judged], worst: &Judged) -> Ruling {
    match worst.ruling {
        Ruling::WithinNoise | Ruling::Better if judged.iter().any(|one| one.ruling != Ruling::Better) => {
            Ruling::WithinNoise
        }
        ruling => ruling,
    }
}

fn rank(judged: &Judged) -> (u8, f64) {
    let severity = match judged.ruling {
        Ruling::Worse => 4,
        Ruling::Undecided => 3,
        Ruling::Incomparable => 2,
        Ruling::WithinNoise => 1,
        Ruling::Better => 0,
    };
    (severity, judged.ratio.map_or(0.0, |ratio| ratio.point))
}

fn doubt(worst: &Judged, ruling: Ruling, tolerance: f64) -> Option<String> {
    match (ruling, worst.ratio) {
        (Ruling::Undecided, None) => Some("an interval needs at least 2 blocks of positive timings".to_owned()),
        (Ruling::Undecided, Some(ratio)) => Some(format!(
            "the ratio of {}, {}, crosses the tolerance of {tolerance} with {} blocks",
            worst.timing.0.name(),
            amount(Question::Latency, &ratio),
            ratio.n
        )),
        _ => None,
    }
}

/// The first control whose two equal arms differ beyond the tolerance.
fn fired_control(timings: &BTreeMap<Timing, Arms>, tolerance: f64) -> Option<String> {
    timings.iter().find_map(|((quantity, length), arms)| {
        let control = ratio(&arms.control, &arms.reference, CONFIDENCE)?;
        matches!(judge_ratio(&control, tolerance), Ruling::Worse | Ruling::Better).then(|| {
            format!(
                "the null control fired: the same arm timed twice ({} at {} tokens) differs by {}, so this machine is too unsteady for a latency verdict",
                quantity.name(),
                Tokens(*length as usize),
                amount(Question::Latency, &control)
            )
        })
    })
}

fn judge(timing: Timing, arms: &Arms, tolerance: f64, confidence: f64) -> Judged {
    let ratio = ratio(&arms.deployed, &arms.reference, confidence);
    let seconds = |arm: &Arm| {
        let values: Vec<f64> = arm.values().copied().collect();
        Resamples::new(values.len())?.mean(&values, CONFIDENCE)
    };
    Judged {
        timing,
        ratio,
        deployed: seconds(&arms.deployed),
        reference: seconds(&arms.reference),
        ruling: ratio.map_or(Ruling::Undecided, |ratio| judge_ratio(&ratio, tolerance)),
    }
}

/// The geometric mean of the ratios within blocks.
fn ratio(above: &Arm, below: &Arm, confidence: f64) -> Option<Estimate> {
    let logs: Vec<f64> = above.iter().filter_map(|(block, seconds)| Some((seconds / below.get(block)?).ln())).collect();
    Some(Resamples::new(logs.len())?.mean(&logs, confidence)?.rescaled(f64::exp))
}

fn judge_ratio(ratio: &Estimate, tolerance: f64) -> Ruling {
    ruling(&ratio.rescaled(f64::ln), tolerance.ln().abs())
}

fn timings(evidence: &Evidence, cell: &Cell) -> Result<BTreeMap<Timing, Arms>, String> {
    let unscaled = rows(evidence, &Cell::unscaled())?;
    let same = *cell == Cell::unscaled();
    let deployed = if same { unscaled } else { rows(evidence, cell)? };
    let mut timings: BTreeMap<Timing, Arms> = BTreeMap::new();
    for (rows, is_reference) in [(unscaled, true), (deployed, false)] {
        for reading in rows.iter().map(|row| &row.reading).filter(|reading| reading.probe == Question::Latency.name()) {
            let (Some(length), Quantity::Prefill | Quantity::Decode) = (reading.at.length, reading.quantity) else {
                continue;
            };
            let arms = timings.entry((reading.quantity, length)).or_default();
            arms.protocols.insert(reading.protocol.clone());
            let arm = match (is_reference, reading.repeat) {
                (true, 0) => &mut arms.reference,
                (true, 1) => &mut arms.control,
                // A deployed cell that is the unscaled one is compared with itself through the control.
                (false, repeat) if repeat == u32::from(same) => &mut arms.deployed,
                _ => continue,
            };
            arm.insert(reading.document, reading.value);
        }
    }
    for arms in timings.values_mut() {
        // The unscaled arm stands in the blocks of every timing of the run; only this cell's own say how steady it was.
        let own: BTreeSet<u32> = arms.deployed.keys().copied().collect();
        arms.reference.retain(|block, _| own.contains(block));
        arms.control.retain(|block, _| own.contains(block));
    }
    check(&timings)?;
    Ok(timings)
}

fn check(timings: &BTreeMap<Timing, Arms>) -> Result<(), String> {
    if timings.is_empty() {
        return Err("no timings were measured".to_owned());
    }
    for ((quantity, length), arms) in timings {
        let name = format!("{} at {} tokens", quantity.name(), Tokens(*length as usize));
        if arms.protocols.len() > 1 {
            let list: Vec<&str> = arms.protocols.iter().map(String::as_str).collect();
            return Err(format!("{name} was timed under different protocols: {}", list.join(", ")));
        }
        if arms.deployed.is_empty() || arms.reference.is_empty() {
            return Err(format!("{name} was timed for one arm only"));
        }
        let all = arms.deployed.values().chain(arms.reference.values()).chain(arms.control.values());
        if let Some(value) = all.into_iter().find(|value| !(value.is_finite() && **value > 0.0)) {
            return Err(format!("{name} has a timing that is no positive number: {value}"));
        }
    }
    Ok(())
}

fn rows<'a>(evidence: &Evidence<'a>, cell: &Cell) -> Result<&'a [Measurement], String> {
    match evidence.outcome(cell) {
        Some(Outcome::Measured(rows)) => Ok(rows),
        Some(Outcome::Failed { reason }) => Err(format!("{} failed: {reason}", spoken(&cell.label()))),
        None => Err(format!("{} was not measured", spoken(&cell.label()))),
    }
}
