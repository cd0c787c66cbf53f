//! Latency against a baseline: ratios to the unscaled arm everywhere, seconds on the same machine only.

use std::collections::BTreeMap;

use super::compare::{Comparison, Test};
use super::parts;
use super::side::Side;
use crate::findings::{Question, Ruling};
use crate::measurement::{Cell, CellId, Quantity};
use crate::stats::mean_estimate;

/// Logarithms by length, one for each block.
type Logs = BTreeMap<u32, Vec<f64>>;

/// What is timed.
const TIMED: [Quantity; 2] = [Quantity::Prefill, Quantity::Decode];

/// The tests of everything that either side timed.
pub(super) fn tests(comparison: &Comparison<'_>) -> Vec<Test> {
    let mut tests = ratio_tests(comparison);
    tests.extend(seconds_tests(comparison));
    let restless = || unrest(comparison).filter(|unrest| unrest.least > comparison.tolerance.latency.ln());
    let doubt = held_back(comparison).or_else(|| Some(restless()?.why));
    for test in tests.iter_mut().filter(|test| test.verdict.change.is_some()) {
        if let Some(doubt) = &doubt {
            test.verdict.ruling = Ruling::Undecided;
            test.verdict.why = Some(doubt.clone());
        } else if test.verdict.ruling == Ruling::Worse {
            test.verdict.why = test.length.and_then(|length| parts::grown(comparison, length));
        }
    }
    tests
}

/// Why no timing says anything: one side's device was slowed down while it was timed.
fn held_back(comparison: &Comparison<'_>) -> Option<String> {
    let when = match (comparison.run.held_back(), comparison.baseline.held_back()) {
        (true, _) => "while it was timed",
        (false, true) => "when the baseline was timed",
        (false, false) => return None,
    };
    Some(format!("the device was held back for heat or power {when}, so its times say nothing"))
}

/// From which tolerance on no timing looks worse, and from which on none is silenced by the null control.
pub(super) struct Silence {
    /// The smallest tolerance from which on nothing looks worse.
    pub(super) from: f64,
    /// Below it the null control leaves everything undecided; infinite where a device was held back.
    pub(super) judged_from: f64,
}

/// What the tolerance would have to be. A control leaves a test undecided at small tolerances and lets it speak from some
/// tolerance on; a test that lies beyond no such tolerance never fires.
pub(super) fn silence(comparison: &Comparison<'_>) -> Silence {
    if held_back(comparison).is_some() {
        return Silence { from: 1.0, judged_from: f64::INFINITY };
    }
    let unrest = unrest(comparison).map_or(0.0, |unrest| unrest.least.max(0.0));
    let machine = unrest.max(machine_change(comparison).map_or(0.0, |change| change.ln().abs()));
    let ratios = ratio_tests(comparison).into_iter().map(|test| (test, unrest));
    let seconds = seconds_tests(comparison).into_iter().map(|test| (test, machine));
    let fires_below = ratios.chain(seconds).filter_map(|(test, judged_from)| {
        let least = test.verdict.change?.low;
        (least.ln() > judged_from).then_some(least)
    });
    Silence { from: fires_below.fold(1.0, f64::max), judged_from: unrest.exp() }
}

fn ratio_tests(comparison: &Comparison<'_>) -> Vec<Test> {
    let unscaled = Cell::unscaled().id();
    let is_unscaled = [comparison.baseline, comparison.run].iter().all(|side| *side.deployed == unscaled);
    // The unscaled model is 1 of itself: where its seconds compare, they say all there is to say.
    let asked = |quantity: &Quantity| !is_unscaled || seconds_test(comparison, *quantity).is_none();
    TIMED.into_iter().filter(asked).flat_map(|quantity| ratios(comparison, quantity)).collect()
}

fn seconds_tests(comparison: &Comparison<'_>) -> Vec<Test> {
    TIMED.into_iter().filter_map(|quantity| seconds_test(comparison, quantity)).collect()
}

/// The test of absolute time; nothing across machines.
fn seconds_test(comparison: &Comparison<'_>, quantity: Quantity) -> Option<Test> {
    if comparison.baseline.machine == comparison.run.machine { seconds(comparison, quantity) } else { None }
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
    if let Some(change) = machine_change(comparison).filter(|change| change.ln().abs() > tolerance.ln()) {
        test.verdict.ruling = Ruling::Undecided;
        test.verdict.why = Some(format!(
            "the machine itself has another speed: one fixed piece of work takes {change:.3} of the time it took then"
        ));
    }
    Some(test.exponential())
}

/// The time of the fixed piece of work over what it was; nothing where either side did not time it.
fn machine_change(comparison: &Comparison<'_>) -> Option<f64> {
    Some(comparison.run.kernel()? / comparison.baseline.kernel()?)
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
    quotient(&side.times(side.deployed, quantity), &side.times(&unscaled, quantity))
}

fn quotient(
    above: &BTreeMap<u32, BTreeMap<u32, f64>>,
    below: &BTreeMap<u32, BTreeMap<u32, f64>>,
) -> Result<Logs, String> {
    let mut logs = Logs::new();
    for (length, times) in above {
        for (block, time) in times {
            // The unscaled model has blocks beside other cells too, of which this one knows nothing.
            let reference = below
                .get(length)
                .and_then(|times| times.get(block))
                .ok_or_else(|| "the unscaled model was not timed beside the deployed cell in every block".to_owned())?;
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

/// How much the same arm timed twice differs from itself.
struct Unrest {
    /// The near end of the interval of the difference, as a logarithm.
    least: f64,
    why: String,
}

/// The timing at which the unscaled arm of either side differs from itself most.
fn unrest(comparison: &Comparison<'_>) -> Option<Unrest> {
    let sides = [("", comparison.run), (" when the baseline was measured", comparison.baseline)];
    let all = sides.into_iter().flat_map(|(when, side)| TIMED.map(|quantity| (when, side, quantity)));
    all.flat_map(|(when, side, quantity)| unrest_of(when, side, quantity)).max_by(|a, b| a.least.total_cmp(&b.least))
}

fn unrest_of(when: &str, side: Side<'_>, quantity: Quantity) -> Vec<Unrest> {
    let unscaled: CellId = Cell::unscaled().id();
    let own = side.times(side.deployed, quantity);
    // The unscaled arm stands in the blocks of every timing of the run; only the deployed cell's own say how steady the
    // machine was while that was timed.
    let arm = |repeat| {
        let mut times = side.times_of(&unscaled, quantity, Some(repeat));
        for (length, blocks) in &mut times {
            let own = own.get(length);
            blocks.retain(|block, _| own.is_some_and(|own| own.contains_key(block)));
        }
        times
    };
    let of_length = |(length, logs): (u32, Vec<f64>)| {
        let control = mean_estimate(&logs)?;
        let why = format!(
            "the null control fired: the same arm timed twice ({} at {length} tokens) differs by {:.3}x{when}, so this \
             machine is too unsteady for a verdict",
            quantity.name(),
            control.point.exp()
        );
        Some(Unrest { least: control.low.max(-control.high), why })
    };
    quotient(&arm(1), &arm(0)).unwrap_or_default().into_iter().filter_map(of_length).collect()
}
