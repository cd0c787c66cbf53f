//! Timing taken apart: ratios, how decoding slows with the context, which part of the work is slow, and the machine's noise.

use std::collections::BTreeMap;

use super::Evidence;
use crate::findings::{MachineNoise, PartTime, Peak, Question, Slope, Speed, TimedRatio};
use crate::measurement::{Arm, Cell, Measurement, Outcome, Quantity, arms};
use crate::stats::{Estimate, mean, mean_estimate, paired_difference};
use crate::units::Tokens;

/// Values by block, by context length.
type Times = BTreeMap<u32, BTreeMap<u32, f64>>;

/// One arm's rows.
struct TimedArm<'a> {
    name: &'static str,
    rows: Vec<&'a Measurement>,
}

impl TimedArm<'_> {
    fn times(&self, quantity: Quantity) -> Times {
        let mut times = Times::new();
        for reading in self.rows.iter().map(|row| &row.reading).filter(|reading| reading.quantity == quantity) {
            if let Some(length) = reading.at.length {
                times.entry(length).or_default().insert(reading.document, reading.value);
            }
        }
        times
    }
}

/// What the timings of a run say, taken apart; nothing where nothing was timed.
pub(super) fn speed(evidence: &Evidence) -> Option<Speed> {
    let [deployed, reference, control, bare] = timed_arms(evidence);
    if deployed.rows.is_empty() || reference.rows.is_empty() {
        return None;
    }
    let mut speed = Speed { noise: noise(evidence), held_back: held_back(evidence), ..Speed::default() };
    for quantity in [Quantity::Prefill, Quantity::Decode] {
        let below = reference.times(quantity);
        for arm in [&deployed, &control, &bare] {
            for (length, above) in arm.times(quantity) {
                let ratio = below.get(&length).and_then(|below| ratio(&above, below));
                let seconds = estimate(&above);
                speed.ratios.extend(ratio.zip(seconds).map(|(ratio, seconds)| TimedRatio {
                    quantity: quantity.name().to_owned(),
                    arm: arm.name.to_owned(),
                    length: length as usize,
                    seconds,
                    ratio,
                }));
            }
        }
    }
    for arm in [&deployed, &reference, &bare] {
        let slope = slope(&arm.times(Quantity::Decode));
        speed.slopes.extend(slope.map(|seconds| Slope { arm: arm.name.to_owned(), seconds }));
        speed.memory.extend(peaks(arm));
    }
    speed.parts = Quantity::PARTS.into_iter().flat_map(|part| part_times(&deployed, &reference, part)).collect();
    speed.slow = slow(&deployed, &reference, &speed.parts);
    Some(speed)
}

/// How often the device was held back while it was timed; nothing where the system does not tell.
pub(super) fn held_back(evidence: &Evidence) -> Option<f64> {
    let events: Vec<f64> = machine(evidence, Quantity::Throttling).collect();
    (!events.is_empty()).then(|| events.iter().sum())
}

fn timed_arms<'a>(evidence: &Evidence<'a>) -> [TimedArm<'a>; 4] {
    let rows = |cell: &Cell, repeat: u32| -> Vec<&'a Measurement> {
        let Some(Outcome::Measured(rows)) = evidence.outcome(cell) else { return Vec::new() };
        let timed = |row: &&Measurement| row.reading.probe == Question::Latency.name() && row.reading.repeat == repeat;
        rows.iter().filter(timed).collect()
    };
    let (deployed, unscaled) = (evidence.deployed(), Cell::unscaled());
    [
        TimedArm { name: "deployed", rows: rows(&deployed, 0) },
        TimedArm { name: "reference", rows: rows(&unscaled, 0) },
        TimedArm { name: "control", rows: rows(&unscaled, 1) },
        TimedArm { name: "no_positions", rows: rows(&deployed.latency(), arms::NO_POSITIONS) },
    ]
}

/// The machine's own readings of a quantity, in their order.
fn machine<'a>(evidence: &Evidence<'a>, quantity: Quantity) -> impl Iterator<Item = f64> + use<'a> {
    let timings = evidence.cells.iter().filter(|(cell, _)| cell.arm == Arm::Latency);
    let rows = timings.filter_map(|(_, outcome)| match outcome {
        Outcome::Measured(rows) => Some(rows),
        Outcome::Failed { .. } => None,
    });
    rows.flatten().filter(move |row| row.reading.quantity == quantity).map(|row| row.reading.value)
}

fn noise(evidence: &Evidence) -> Option<MachineNoise> {
    let mut times: Vec<f64> = machine(evidence, Quantity::FixedKernel).collect();
    let seconds = mean_estimate(&times)?;
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times.get(((times.len() - 1) as f64 * share).round() as usize).copied();
    let (low, middle, high) = (at(0.1)?, at(0.5)?, at(0.9)?);
    Some(MachineNoise { seconds, spread: (high - low) / middle })
}

fn values(blocks: &BTreeMap<u32, f64>) -> Vec<f64> {
    blocks.values().copied().collect()
}

fn estimate(blocks: &BTreeMap<u32, f64>) -> Option<Estimate> {
    mean_estimate(&values(blocks))
}

/// The geometric mean of the ratios within blocks.
fn ratio(above: &BTreeMap<u32, f64>, below: &BTreeMap<u32, f64>) -> Option<Estimate> {
    let logs = above.iter().filter_map(|(block, seconds)| Some((seconds / below.get(block)?).ln()));
    Some(mean_estimate(&logs.collect::<Vec<_>>())?.rescaled(f64::exp))
}

/// Seconds a token more for every 1,000 tokens of context: least squares over the lengths, one slope a block.
fn slope(times: &Times) -> Option<Estimate> {
    let blocks: std::collections::BTreeSet<u32> = times.values().flat_map(|blocks| blocks.keys().copied()).collect();
    let of_block = |block: u32| {
        let points: Vec<(f64, f64)> = times
            .iter()
            .filter_map(|(length, blocks)| Some((f64::from(*length) / 1000.0, *blocks.get(&block)?)))
            .collect();
        let (x, y): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
        let (x_mean, y_mean) = (mean(&x)?, mean(&y)?);
        let spread: f64 = x.iter().map(|x| (x - x_mean).powi(2)).sum();
        let product: f64 = points.iter().map(|(x, y)| (x - x_mean) * (y - y_mean)).sum();
        (spread > 0.0).then(|| product / spread)
    };
    mean_estimate(&blocks.into_iter().filter_map(of_block).collect::<Vec<_>>())
}

fn peaks(arm: &TimedArm<'_>) -> Vec<Peak> {
    let pages = arm.times(Quantity::FreshPages);
    arm.times(Quantity::PeakMemory)
        .into_iter()
        .filter_map(|(length, blocks)| {
            Some(Peak {
                arm: arm.name.to_owned(),
                length: length as usize,
                bytes: *blocks.values().next()? as u64,
                fresh_pages: pages.get(&length).and_then(estimate),
            })
        })
        .collect()
}

/// A part's time in both arms at each length, and the difference paired by block.
fn part_times(deployed: &TimedArm<'_>, reference: &TimedArm<'_>, part: Quantity) -> Vec<PartTime> {
    let below = reference.times(part);
    deployed
        .times(part)
        .into_iter()
        .filter_map(|(length, above)| {
            let below = below.get(&length)?;
            let pairs = above.iter().filter_map(|(block, above)| Some((*above, *below.get(block)?)));
            let (above, below): (Vec<f64>, Vec<f64>) = pairs.unzip();
            Some(PartTime {
                part: part.name().to_owned(),
                length: length as usize,
                deployed: mean_estimate(&above)?,
                reference: mean_estimate(&below)?,
                excess: paired_difference(&above, &below)?,
            })
        })
        .collect()
}

/// Which part of a decoded token takes longer, at the largest length; nothing where none is shown to.
fn slow(deployed: &TimedArm<'_>, reference: &TimedArm<'_>, parts: &[PartTime]) -> Option<String> {
    let (above, below) = (deployed.times(Quantity::Decode), reference.times(Quantity::Decode));
    let (length, above) = above.iter().next_back()?;
    let below = below.get(length)?;
    let whole = ratio(above, below).filter(|ratio| ratio.low > 1.0)?;
    let slowest = parts
        .iter()
        .filter(|part| part.length == *length as usize)
        .max_by(|a, b| a.excess.point.total_cmp(&b.excess.point))
        // A small part that is surely slower is not what is slow.
        .filter(|part| part.excess.low > 0.0)?;
    let all: f64 =
        parts.iter().filter(|part| part.length == slowest.length).map(|part| part.excess.point.max(0.0)).sum();
    let micro = |seconds: f64| format!("{:.1}", seconds * 1e6);
    Some(format!(
        "{} is what is slow: timed apart it takes {} microseconds [{}, {}] more a decoded token at {} tokens, {:.0} % of all that \
         grew (n = {}); the whole token takes {:.3}x [{:.3}, {:.3}]",
        Quantity::named(&slowest.part).unwrap_or(Quantity::OtherWork).part_words(),
        micro(slowest.excess.point),
        micro(slowest.excess.low),
        micro(slowest.excess.high),
        Tokens(*length as usize),
        100.0 * slowest.excess.point / all,
        slowest.excess.n,
        whole.point,
        whole.low,
        whole.high,
    ))
}
