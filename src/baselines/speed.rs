//! Latency against a baseline: ratios to the unscaled arm everywhere, seconds on the same machine only.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::{Comparison, Test};
use super::side::Side;
use crate::findings::{Question, Ruling};
use crate::measurement::{Cell, CellId, Quantity};
use crate::stats::{Standing, mean_estimate, standing};

/// Logarithms by length, one for each block.
type Logs = BTreeMap<u32, Vec<f64>>;

/// What is timed.
const TIMED: [Quantity; 2] = [Quantity::Prefill, Quantity::Decode];

/// The tests of everything that either side timed.
pub(super) fn tests(comparison: &Comparison<'_>) -> Vec<Test> {
    let mut tests: Vec<Test> = TIMED.into_iter().flat_map(|quantity| ratios(comparison, quantity)).collect();
    if comparison.baseline.machine == comparison.run.machine {
        tests.extend(TIMED.into_iter().filter_map(|quantity| seconds(comparison, quantity)));
    }
    if let Some(fired) = fired_control(comparison.run, comparison.tolerance.latency) {
        for test in tests.iter_mut().filter(|test| test.verdict.change.is_some()) {
            test.verdict.ruling = Ruling::Undecided;
            test.verdict.why = Some(fired.clone());
        }
    }
    tests
}

/// One test a length of deployed over unscaled, now over then.
fn ratios(comparison: &Comparison<'_>, quantity: Quantity) -> Vec<Test> {
    let tolerance = comparison.tolerance.latency;
    let mut open = comparison.open(Question::Latency, quantity.name(), "ratio", tolerance);
    let under = |side: Side<'_>| side.timed_under(side.deployed, quantity);
    let (old, new) = (under(comparison.baseline), under(comparison.run));
    if old.is_empty() && new.is_empty() {
        return Vec::new();
    }
    open.verdict.protocol = if new.is_empty() { old.clone() } else { new.clone() };
    let logs = comparison.why_not(&old, &new).map_or_else(
        || {
            let before = log_ratios(comparison.baseline, quantity)
                .map_err(|why| format!("baseline `{}`: {why}", comparison.against))?;
            let now = log_ratios(comparison.run, quantity).map_err(|why| format!("the run: {why}"))?;
            Ok((before, now))
        },
        Err,
    );
    let (before, now) = match logs {
        Ok((before, now)) if before.keys().eq(now.keys()) => (before, now),
        Ok(_) => {
            open.verdict.why = Some("they were timed at different lengths".to_owned());
            return vec![open];
        }
        Err(why) => {
            open.verdict.why = Some(why);
            return vec![open];
        }
    };
    let pairs = before.iter().zip(now.values());
    pairs
        .map(|((length, before), now)| {
            let mut test = open.clone();
            test.length = Some(*length);
            in_order(&mut test, now, before, tolerance);
            test.exponential()
        })
        .collect()
}

/// The test of absolute time over all lengths, in units of one machine.
fn seconds(comparison: &Comparison<'_>, quantity: Quantity) -> Option<Test> {
    let tolerance = comparison.tolerance.latency;
    let under = |side: Side<'_>| side.timed_under(side.deployed, quantity);
    let (old, new) = (under(comparison.baseline), under(comparison.run));
    if old.is_empty() || old != new {
        return None;
    }
    let (before, now) = (log_seconds(comparison.baseline, quantity)?, log_seconds(comparison.run, quantity)?);
    let name = format!("{}_seconds", quantity.name());
    let mut test = comparison.open(Question::Latency, &name, "ratio", tolerance);
    test.verdict.protocol = format!("{new}, seconds on the same machine, geometric mean over the lengths");
    in_order(&mut test, &now, &before, tolerance);
    if let Some((then, now)) = comparison.baseline.kernel().zip(comparison.run.kernel())
        && (now / then).ln().abs() > tolerance.ln()
    {
        test.verdict.ruling = Ruling::Undecided;
        test.verdict.why = Some(format!(
            "the machine itself has another speed: one fixed piece of work takes {:.3} of the time it took then",
            now / then
        ));
    }
    Some(test.exponential())
}

/// Rules on logarithms whose blocks are paired in order.
fn in_order(test: &mut Test, now: &[f64], before: &[f64], tolerance: f64) {
    let pairs = before.len().min(now.len());
    let (before, now) = (before.get(..pairs).unwrap_or_default(), now.get(..pairs).unwrap_or_default());
    test.rule(now, before, 1.0, tolerance.ln());
}

/// Deployed over unscaled time for each block at each length.
pub(super) fn log_ratios(side: Side<'_>, quantity: Quantity) -> Result<Logs, String> {
    let unscaled = Cell::unscaled().id();
    if *side.deployed == unscaled {
        return Err("it deploys the unscaled model, which has no reference".to_owned());
    }
    let deployed = side.times(side.deployed, quantity);
    let mut reference = side.times(&unscaled, quantity);
    // Blocks of other timings, of candidates, have a deployed arm of their own.
    for (length, blocks) in &mut reference {
        blocks.retain(|block, _| deployed.get(length).is_some_and(|timed| timed.contains_key(block)));
    }
    quotient(&deployed, &reference)
}

fn quotient(
    above: &BTreeMap<u32, BTreeMap<u32, f64>>,
    below: &BTreeMap<u32, BTreeMap<u32, f64>>,
) -> Result<Logs, String> {
    let places = |times: &BTreeMap<u32, BTreeMap<u32, f64>>| -> BTreeSet<(u32, u32)> {
        times.iter().flat_map(|(length, blocks)| blocks.keys().map(|block| (*length, *block))).collect()
    };
    if places(above) != places(below) {
        return Err("the unscaled model was not timed beside the deployed cell in every block".to_owned());
    }
    let mut logs = Logs::new();
    for ((length, above), below) in above.iter().zip(below.values()) {
        for ((block, time), reference) in above.iter().zip(below.values()) {
            let ratio = (time / reference).ln();
            if !ratio.is_finite() {
                return Err(format!("a time of block {block} is not a positive number"));
            }
            logs.entry(*length).or_default().push(ratio);
        }
    }
    Ok(logs)
}

/// The logarithm of the deployed cell's seconds by block, the mean over the lengths.
fn log_seconds(side: Side<'_>, quantity: Quantity) -> Option<Vec<f64>> {
    let times = side.times(side.deployed, quantity);
    let mut blocks: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for (block, seconds) in times.values().flatten() {
        blocks.entry(*block).or_default().push(seconds.ln());
    }
    let logs: Vec<f64> = blocks.values().map(|logs| logs.iter().sum::<f64>() / logs.len() as f64).collect();
    logs.iter().all(|log| log.is_finite()).then_some(logs)
}

/// The first timing at which the unscaled arm differs from itself beyond the tolerance.
fn fired_control(side: Side<'_>, tolerance: f64) -> Option<String> {
    let unscaled: CellId = Cell::unscaled().id();
    TIMED.into_iter().find_map(|quantity| {
        let arm = |repeat| side.times_of(&unscaled, quantity, Some(repeat));
        let logs = quotient(&arm(1), &arm(0)).ok()?;
        logs.into_iter().find_map(|(length, logs)| {
            let control = mean_estimate(&logs)?;
            let fired = matches!(standing(&control, tolerance.ln()), Standing::Above | Standing::Below);
            fired.then(|| {
                format!(
                    "the null control fired: the same arm timed twice ({} at {length} tokens) differs by {:.3}x, so this \
                     machine is too unsteady for a verdict",
                    quantity.name(),
                    control.point.exp()
                )
            })
        })
    })
}
