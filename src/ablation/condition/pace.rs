//! Time: is the deployment slower than its healthy replay, and which fault slows an engine in the same way?

use std::collections::BTreeMap;

use super::ranking::Suspicion;
use super::search::Candidate;
use super::signature::Signature;
use super::words::number;
use crate::faults::{Fault, Site};
use crate::findings::Axis;
use crate::measurement::{Quantity, Reading};
use crate::stats::{CONFIDENCE, Estimate, Resamples};

/// The deployment is slow where the whole interval of a ratio lies above this.
const SLOW: f64 = 1.2;

/// The same engine timed twice must not differ by more than this.
const STEADY: f64 = 1.2;

/// Ratios of the times of an engine to those of the healthy replay, by what was timed and at which length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pace {
    /// Time ratio of each timing, in the order of quantity and length.
    pub ratios: BTreeMap<(Quantity, u32), Estimate>,
    /// Whether the healthy replay, timed twice, tied with itself everywhere.
    pub steady: bool,
}

/// The probe of timings of the deployment beside a hypothesis, in the same rounds: what tells near ones apart.
pub const BESIDE: &str = "latency_beside";

/// The pace in rows of timings: repeat 0 is the engine, 1 and 2 the healthy replay.
#[must_use]
pub fn pace(readings: &[Reading]) -> Pace {
    of_rounds(readings.iter().filter(|reading| reading.probe != BESIDE))
}

fn of_rounds<'a>(readings: impl Iterator<Item = &'a Reading>) -> Pace {
    type Blocks = BTreeMap<u32, [Option<f64>; 3]>;
    let mut timings: BTreeMap<(Quantity, u32), Blocks> = BTreeMap::new();
    for reading in readings {
        let (Some(length), Quantity::Prefill | Quantity::Decode) = (reading.at.length, reading.quantity) else {
            continue;
        };
        let block = timings.entry((reading.quantity, length)).or_default().entry(reading.document).or_default();
        if let Some(place) = block.get_mut(reading.repeat as usize) {
            *place = Some(reading.value);
        }
    }
    let count = timings.len().max(1) as f64;
    let ratio = |blocks: &Blocks, above: usize, confidence: f64| {
        let logs: Vec<f64> = blocks
            .values()
            .filter_map(|block| Some((block.get(above).copied()?? / block.get(1).copied()??).ln()))
            .collect();
        Some(Resamples::new(logs.len())?.mean(&logs, confidence)?.rescaled(f64::exp))
    };
    let mut pace = Pace { ratios: BTreeMap::new(), steady: true };
    for (timing, blocks) in &timings {
        // The worst of several ratios is looked for, so each has its share of the error.
        if let Some(estimate) = ratio(blocks, 0, 1.0 - (1.0 - CONFIDENCE) / count) {
            pace.ratios.insert(*timing, estimate);
        }
        let control = ratio(blocks, 2, CONFIDENCE);
        pace.steady &= control.is_none_or(|control| control.low <= STEADY && control.high >= 1.0 / STEADY);
    }
    pace
}

/// One round of timings hides a slow engine no better than this: below it, none is looked for.
const GLIMPSE: f64 = 1.1;

/// The shortest of several rounds hides it better; a healthy engine seldom seems so slow.
const GLANCE: f64 = 1.15;

/// Whether anything may be slow, so that more rounds are worth their time: the shortest times of two engines differ.
#[must_use]
pub fn may_be_slow(readings: &[Reading]) -> bool {
    let threshold = if readings.iter().any(|reading| reading.document > 0) { GLANCE } else { GLIMPSE };
    let mut least: BTreeMap<(Quantity, u32), [f64; 2]> = BTreeMap::new();
    for reading in readings {
        let (Some(length), Quantity::Prefill | Quantity::Decode) = (reading.at.length, reading.quantity) else {
            continue;
        };
        let times = least.entry((reading.quantity, length)).or_insert([f64::INFINITY; 2]);
        if let Some(time) = times.get_mut(reading.repeat as usize) {
            *time = time.min(reading.value);
        }
    }
    least.values().any(|[engine, healthy]| engine / healthy > threshold)
}

/// How unlike two paces are, as a logarithm of time: at the measured ratios, and at the nearest ends of their intervals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unlikeness {
    point: f64,
    least: f64,
}

impl Pace {
    /// The timings that are slow beyond doubt.
    fn slow(&self) -> impl Iterator<Item = (&(Quantity, u32), &Estimate)> {
        self.ratios.iter().filter(|(_, ratio)| self.steady && ratio.low > SLOW)
    }

    /// Whether more rounds may tell that an engine is slow: it seems so, and no interval says it yet.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.steady && self.slow().next().is_none() && self.ratios.values().any(|ratio| ratio.point > SLOW)
    }

    /// Whether an engine that answers alike takes the time, too: most of what makes this one slow.
    ///
    /// Either all of the time is that engine's or none of it is, so half of it, as a logarithm, decides.
    #[must_use]
    pub fn is_explained_by(&self, other: &Self) -> bool {
        let sums = self.slow().filter_map(|(timing, own)| Some((own.point.ln(), other.ratios.get(timing)?.point.ln())));
        let (own, others) = sums.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        own > 0.0 && others > own / 2.0
    }

    /// How unlike another pace this one is.
    fn distance(&self, other: &Self) -> Option<Unlikeness> {
        unlikeness(self.ratios.iter().filter_map(|(timing, ratio)| {
            let ((own, own_error), (others, others_error)) = (logarithm(ratio), logarithm(other.ratios.get(timing)?));
            Some((own - others, own_error.hypot(others_error)))
        }))
    }

    /// How unlike an engine that takes the same time this one is.
    fn distance_from_level(&self) -> Option<Unlikeness> {
        unlikeness(self.ratios.values().map(logarithm))
    }

    fn words(&self) -> String {
        let all: Vec<String> = self
            .ratios
            .iter()
            .map(|((quantity, length), ratio)| {
                format!(
                    "{} at {length} tokens {} times [{}, {}]",
                    quantity.name(),
                    number(ratio.point),
                    number(ratio.low),
                    number(ratio.high)
                )
            })
            .collect();
        all.join(", ")
    }
}

/// The logarithm of a ratio of times, and the half of its interval.
fn logarithm(ratio: &Estimate) -> (f64, f64) {
    (ratio.point.ln(), (ratio.high.ln() - ratio.low.ln()) / 2.0)
}

/// The root mean square of differences of logarithms with their errors; one counts the less the less is known of it.
fn unlikeness(differences: impl Iterator<Item = (f64, f64)>) -> Option<Unlikeness> {
    let (mut weights, mut point, mut least) = (0.0, 0.0, 0.0);
    for (apart, error) in differences {
        let weight = 1.0 / (error * error + ALIKE * ALIKE);
        weights += weight;
        point += weight * apart.powi(2);
        least += weight * (apart.abs() - error).max(0.0).powi(2);
    }
    let root = |sum: f64| (sum / weights).sqrt();
    (weights > 0.0).then(|| Unlikeness { point: root(point), least: root(least) })
}

/// What a hypothesis takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Timed {
    /// The fault.
    pub candidate: Candidate,
    /// The engine that has it, beside the healthy replay.
    pace: Pace,
    /// The deployment beside it; empty where they were not timed in the same rounds.
    beside: Pace,
}

impl Timed {
    /// From the rows of a hypothesis.
    #[must_use]
    pub fn of(candidate: Candidate, readings: &[Reading]) -> Self {
        let beside = of_rounds(readings.iter().filter(|reading| reading.probe == BESIDE));
        Self { candidate, pace: pace(readings), beside }
    }

    /// How unlike the deployment it is. What was timed in the same rounds knows better than what lies minutes apart.
    fn distance(&self, deployed: &Pace) -> Option<Unlikeness> {
        self.beside.distance_from_level().or_else(|| deployed.distance(&self.pace))
    }
}

/// The suspicion that the deployment is slow, named by its place alone; nothing where it is not.
#[must_use]
pub fn slow(pace: &Pace, signature: &Signature) -> Option<Suspicion> {
    let worst = pace.slow().max_by(|a, b| a.1.point.total_cmp(&b.1.point))?;
    let mut suspicion = Suspicion::of(Axis::Condition, &format!("unknown ({})", Site::Latency.name()), signature);
    suspicion.site = Some(Site::Latency);
    suspicion.shape = "latency_only".to_owned();
    // A table that grows shows at the lengths beyond its end alone.
    let first = pace.slow().map(|((_, length), _)| *length).min().unwrap_or(worst.0.1);
    let fast = pace.ratios.keys().map(|(_, length)| *length).filter(|length| *length < first).max().unwrap_or(0);
    suspicion.onset = Some(Estimate {
        point: f64::from(if fast == 0 { 0 } else { first }),
        low: f64::from(fast),
        high: f64::from(if fast == 0 { 0 } else { first }),
        confidence: CONFIDENCE,
        n: worst.1.n,
    });
    suspicion.evidence.push(format!("the deployment takes longer than its healthy replay: {}", pace.words()));
    Some(suspicion)
}

/// Paces that are closer than this to the deployment's name the fault: a tenth of the time.
const ALIKE: f64 = 0.1;

/// Beside the closest one, a candidate that is farther by less than this is not told from it.
const APART: f64 = 0.05;

/// The suspicion of a slow deployment under the names of the candidates that are as slow, the closest first; under its
/// place alone where none is.
#[must_use]
pub fn named_by_pace(unknown: Suspicion, near: &[(&Candidate, Unlikeness)]) -> Vec<Suspicion> {
    let Some((_, nearest)) = near.first() else { return vec![unknown] };
    let mut named: Vec<Suspicion> = near
        .iter()
        .filter(|(_, distance)| distance.point <= ALIKE.max(nearest.point + APART))
        .take(MOST_NAMED)
        .map(|(candidate, distance)| {
            let mut suspicion = Suspicion { name: candidate.name.clone(), ..unknown.clone() };
            suspicion.exact = distance.least <= ALIKE;
            suspicion.evidence.push(format!(
                "a replay with {} is as slow at every length, within {} % of the time ({} % beyond what the intervals leave open)",
                candidate.name,
                number(100.0 * (distance.point.exp() - 1.0)),
                number(100.0 * (distance.least.exp() - 1.0))
            ));
            suspicion
        })
        .collect();
    if nearest.least > ALIKE {
        named.insert(0, unknown);
    }
    named
}

/// The suspicions about outputs and those about time, ranked together: a fault of each kind comes before what resembles one.
#[must_use]
pub fn with_pace(outputs: Vec<Suspicion>, slow: Vec<Suspicion>) -> Vec<Suspicion> {
    let (mut first, rest): (Vec<Suspicion>, Vec<Suspicion>) = outputs
        .into_iter()
        .filter(|one| one.axis != Axis::None)
        .enumerate()
        .map(|(index, one)| (index == 0 || one.exact, one))
        .fold((Vec::new(), Vec::new()), |(mut first, mut rest), (leads, one)| {
            if leads {
                first.push(one);
            } else {
                rest.push(one);
            }
            (first, rest)
        });
    first.extend(slow);
    first.extend(rest);
    first
}

/// How many candidates are named beside each other.
pub const MOST_NAMED: usize = 3;

/// The candidates by how alike their pace is to the deployment's, the closest first, each with its distance.
#[must_use]
pub fn closest<'a>(deployed: &Pace, timed: &'a [Timed]) -> Vec<(&'a Candidate, Unlikeness)> {
    let mut near: Vec<(&Candidate, Unlikeness)> = timed
        .iter()
        .filter(|one| one.candidate.fault.site() == Site::Latency)
        .filter_map(|one| Some((&one.candidate, one.distance(deployed)?)))
        .collect();
    near.sort_by(|a, b| a.1.point.total_cmp(&b.1.point));
    near
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurement::Place;

    fn timings(slow: f64, control: f64) -> Vec<Reading> {
        let mut rows = Vec::new();
        for block in 0..4_u32 {
            for (repeat, ratio) in [slow, 1.0, control].into_iter().enumerate() {
                rows.push(Reading {
                    quantity: Quantity::Decode,
                    probe: "latency".to_owned(),
                    protocol: "latency/1".to_owned(),
                    document: block,
                    repeat: repeat as u32,
                    at: Place { length: Some(512), ..Place::default() },
                    value: ratio * (1.0 + 0.01 * f64::from(block)),
                    count: 16,
                });
            }
        }
        rows
    }

    fn unsteady(slow: f64, noise: f64) -> Pace {
        let mut rows = timings(slow, 1.0);
        let arms = rows.iter_mut().filter(|row| row.repeat == 0);
        arms.for_each(|row| row.value *= if row.document % 2 == 0 { 1.0 + noise } else { 1.0 - noise });
        pace(&rows)
    }

    #[test]
    fn a_noisy_clock_refuses_no_name_and_a_steady_one_does() {
        let fault = crate::faults::AnyFault::named("host_sync").unwrap();
        let known = [Timed::of(Candidate { name: "host_sync".to_owned(), fault }, &timings(2.0, 1.0))];
        let names = |deployed: Pace| -> Vec<String> {
            let unknown = slow(&deployed, &Signature::default()).unwrap();
            named_by_pace(unknown, &closest(&deployed, &known)).into_iter().map(|one| one.name).collect()
        };
        assert_eq!(names(unsteady(2.4, 0.3)), ["host_sync"], "2.4 times, give or take 0.7");
        assert_eq!(names(unsteady(2.4, 0.01)), ["unknown (latency)", "host_sync"]);
    }

    #[test]
    fn what_was_timed_in_the_same_rounds_decides_between_near_ones() {
        let known = |name: &str, apart: f64, together: f64| {
            let mut rows = timings(apart, 1.0);
            rows.extend(timings(together, 1.0).into_iter().map(|row| Reading { probe: BESIDE.to_owned(), ..row }));
            let fault = crate::faults::AnyFault::named(name).unwrap();
            Timed::of(Candidate { name: name.to_owned(), fault }, &rows)
        };
        let deployed = pace(&timings(2.0, 1.0));
        // Minutes apart the other one looked closer.
        let known = [known("gathered_rows", 2.0, 1.06), known("host_sync", 1.9, 1.0)];
        let near: Vec<&str> = closest(&deployed, &known).into_iter().map(|(one, _)| one.name.as_str()).collect();
        assert_eq!(near, ["host_sync", "gathered_rows"]);
    }

    #[test]
    fn time_is_explained_by_an_engine_that_takes_most_of_it() {
        let deployed = pace(&timings(1.4, 1.0));
        assert!(deployed.is_explained_by(&pace(&timings(1.35, 1.0))));
        assert!(!deployed.is_explained_by(&pace(&timings(1.05, 1.0))), "something else takes the time");
        assert!(!deployed.is_explained_by(&Pace::default()));
    }

    #[test]
    fn what_seems_slow_is_timed_again_and_what_is_or_is_not_never() {
        assert!(unsteady(1.5, 0.3).is_open());
        assert!(!unsteady(1.5, 0.001).is_open(), "slow beyond doubt");
        assert!(!unsteady(1.05, 0.02).is_open(), "not slow");
    }

    #[test]
    fn slow_is_flagged_and_noise_is_not() {
        let none = Signature::default();
        assert!(slow(&pace(&timings(1.6, 1.0)), &none).is_some());
        assert!(slow(&pace(&timings(1.1, 1.0)), &none).is_none());
        assert!(slow(&pace(&timings(1.6, 1.5)), &none).is_none(), "the null control fired");
    }
}
