//! The signature of a deployment: which requests it answers otherwise than its healthy replay, and from which position on.

use std::collections::BTreeMap;

use crate::measurement::{Quantity, Reading};
use crate::probes::battery::Family;
use crate::stats::{CONFIDENCE, Estimate, mean};

/// Log-probabilities that differ by less than this, nats per token in the mean of a bin, are the same answer: two sound
/// kernels differ by as much.
pub const MATERIAL: f64 = 1e-3;

/// Damage that starts elsewhere than at position 0 and has this share of the last bin's at once is a step.
const AT_ONCE: f64 = 0.5;

/// A difference that at least doubles from the first to the last third of the positions grows.
const GROWS: f64 = 2.0;

/// Differences before this position begin at once: the first tokens see few others, so that nothing can show there.
const AT_START: u32 = 16;

/// A witness that the deployment answers otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Divergent {
    /// The witness.
    pub witness: String,
    /// Mean distance from the healthy replay's answer, nats per token.
    pub mean: f64,
    /// The same in the worst bin.
    pub worst: f64,
    /// The first position that differs, bracketed by its bin over all documents.
    pub onset: Estimate,
}

/// What the battery says of a deployment as a whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Signature {
    /// Witnesses that differ, in the battery's order.
    pub divergent: Vec<Divergent>,
    /// Witnesses that do not.
    pub alike: Vec<String>,
    /// Families whose equivalent requests the deployment answers differently, and its healthy replay does not.
    pub inconsistent: Vec<(Family, f64)>,
    /// The contract's word for where the difference lies.
    pub shape: String,
    /// The first position that differs, of the witness that the shape is read from.
    pub onset: Option<Estimate>,
}

/// Mean values of bins of positions by document.
type Profile = BTreeMap<(u32, u32), BTreeMap<u32, f64>>;

fn profile(readings: &[Reading], witness: &str, quantity: Quantity, repeat: u32) -> Profile {
    let mut profile = Profile::new();
    let mut sums: BTreeMap<(u32, u32, u32), (f64, f64)> = BTreeMap::new();
    for reading in readings {
        if reading.probe == witness && reading.quantity == quantity && reading.repeat == repeat {
            let at = (reading.at.from.unwrap_or(0), reading.at.to.unwrap_or(u32::MAX), reading.document);
            let sum = sums.entry(at).or_default();
            sum.0 += reading.value * f64::from(reading.count);
            sum.1 += f64::from(reading.count);
        }
    }
    for ((from, to, document), (sum, count)) in sums {
        profile.entry((from, to)).or_default().insert(document, sum / count);
    }
    profile
}

fn over_documents(values: &BTreeMap<u32, f64>) -> f64 {
    mean(&values.values().copied().collect::<Vec<_>>()).unwrap_or(0.0)
}

/// Whether a distance is more than two sound kernels differ by; what is no number is.
fn is_material(distance: f64) -> bool {
    distance.is_nan() || distance > MATERIAL
}

/// The signature of a battery's rows.
#[must_use]
pub fn signature(readings: &[Reading]) -> Signature {
    let mut signature = Signature::default();
    let mut seen = Vec::new();
    for reading in readings.iter().filter(|reading| reading.quantity == Quantity::Divergence) {
        if seen.contains(&reading.probe) {
            continue;
        }
        seen.push(reading.probe.clone());
        match divergent(readings, &reading.probe) {
            Some(divergent) => signature.divergent.push(divergent),
            None => signature.alike.push(reading.probe.clone()),
        }
    }
    signature.inconsistent = Family::ALL
        .into_iter()
        .filter_map(|family| {
            let worst = seen
                .iter()
                .filter(|witness| Family::of(witness) == family)
                .map(|witness| excess(readings, witness))
                .fold(0.0, f64::max);
            is_material(worst).then_some((family, worst))
        })
        .collect();
    signature.shape = shape(readings, &signature);
    signature.onset = telling(&signature).map(|divergent| divergent.onset);
    signature
}

fn divergent(readings: &[Reading], witness: &str) -> Option<Divergent> {
    let profile = profile(readings, witness, Quantity::Divergence, 0);
    let bins: Vec<f64> = profile.values().map(over_documents).collect();
    let worst = bins.iter().copied().fold(0.0, f64::max);
    if !is_material(worst) {
        return None;
    }
    let counted = readings
        .iter()
        .filter(|reading| reading.probe == witness && reading.quantity == Quantity::Divergence)
        .fold((0.0, 0.0), |(sum, count), reading| {
            (sum + reading.value * f64::from(reading.count), count + f64::from(reading.count))
        });
    Some(Divergent { witness: witness.to_owned(), mean: counted.0 / counted.1, worst, onset: onset(&profile)? })
}

/// The first bin that differs: in the mean over documents, and bracketed by the documents one by one.
fn onset(profile: &Profile) -> Option<Estimate> {
    let first = |values: &dyn Fn(&BTreeMap<u32, f64>) -> Option<f64>| {
        profile.iter().find(|(_, bin)| values(bin).is_some_and(is_material)).map(|(at, _)| *at)
    };
    let (point, end) = first(&|bin| Some(over_documents(bin)))?;
    let documents: Vec<u32> = profile.values().flat_map(BTreeMap::keys).copied().collect();
    let mut bracket = (point, end.saturating_sub(1));
    let mut distinct = documents;
    distinct.sort_unstable();
    distinct.dedup();
    for document in &distinct {
        if let Some((from, to)) = first(&|bin| bin.get(document).copied()) {
            bracket = (bracket.0.min(from), bracket.1.max(to.saturating_sub(1)));
        }
    }
    Some(Estimate {
        point: f64::from(point),
        // Nothing can show in the very first tokens, so what shows right behind them may have begun with them.
        low: f64::from(if bracket.0 < AT_START { 0 } else { bracket.0 }),
        high: f64::from(bracket.1),
        confidence: CONFIDENCE,
        n: distinct.len(),
    })
}

/// By how much more than its healthy replay a deployment differs from its own answers to equivalent requests.
fn excess(readings: &[Reading], witness: &str) -> f64 {
    let own = profile(readings, witness, Quantity::Inconsistency, 0);
    let healthy = profile(readings, witness, Quantity::Inconsistency, 1);
    own.iter()
        .map(|(at, bin)| over_documents(bin) - healthy.get(at).map_or(0.0, over_documents))
        .fold(0.0, |most, excess| if excess.is_nan() { f64::INFINITY } else { most.max(excess) })
}

/// The witness that shape and onset are read from: the longest plain one that differs, else the first that does.
fn telling(signature: &Signature) -> Option<&Divergent> {
    let plain = |name: &str| signature.divergent.iter().find(|divergent| divergent.witness == name);
    if let Some(long) = plain("one_shot") {
        return Some(long);
    }
    signature.divergent.iter().find(|divergent| Family::of(&divergent.witness) == Family::Plain).or_else(|| {
        let mut all: Vec<&Divergent> = signature.divergent.iter().collect();
        all.sort_by_key(|divergent| Family::of(&divergent.witness));
        all.first().copied()
    })
}

fn shape(readings: &[Reading], signature: &Signature) -> String {
    let Some(telling) = telling(signature) else { return "none".to_owned() };
    match Family::of(&telling.witness) {
        Family::Cache => return "cache_only".to_owned(),
        Family::Batch => return "batch_only".to_owned(),
        Family::Order => return "order_only".to_owned(),
        Family::Plain => {}
    }
    let bins: Vec<((u32, u32), f64)> = profile(readings, &telling.witness, Quantity::Divergence, 0)
        .iter()
        .map(|(at, bin)| (*at, over_documents(bin)))
        .collect();
    let onset = telling.onset.point as u32;
    let behind: Vec<f64> = bins.iter().filter(|((from, _), _)| *from >= onset).map(|(_, value)| *value).collect();
    let third = behind.len().div_ceil(3);
    let part = |values: &[f64]| mean(values).unwrap_or(0.0);
    let (first, last) = (part(behind.get(..third).unwrap_or(&behind)), part(&behind[behind.len() - third..]));
    if onset >= AT_START {
        let at_once = behind.iter().take(2).copied().fold(0.0, f64::max);
        return if at_once >= AT_ONCE * last { format!("step@{onset}") } else { "growing".to_owned() };
    }
    if last >= GROWS * first { "growing".to_owned() } else { "constant".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurement::Place;

    pub(super) fn row(witness: &str, from: u32, to: u32, document: u32, value: f64) -> Reading {
        Reading {
            quantity: Quantity::Divergence,
            probe: witness.to_owned(),
            protocol: "parity/1".to_owned(),
            document,
            repeat: 0,
            at: Place { from: Some(from), to: Some(to), ..Place::default() },
            value,
            count: to - from,
        }
    }

    fn rows(witness: &str, by_bin: &[f64]) -> Vec<Reading> {
        let edges = [0, 1, 2, 4, 8, 16, 32, 64, 128, 192, 256];
        let bins = by_bin.iter().zip(edges.windows(2));
        bins.flat_map(|(value, at)| (0..2).map(|d| row(witness, at[0], at[1], d, *value))).collect()
    }

    #[test]
    fn shapes_are_told_apart() {
        let shape_of = |rows: &[Reading]| signature(rows).shape;
        let clean = [0.0; 10];
        assert_eq!(shape_of(&rows("one_shot", &clean)), "none");
        assert_eq!(shape_of(&rows("one_shot", &[0.0, 0.1, 0.4, 0.4, 0.5, 0.4, 0.5, 0.4, 0.5, 0.4])), "constant");
        assert_eq!(shape_of(&rows("one_shot", &[0.0, 0.1, 0.1, 0.1, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9])), "growing");
        assert_eq!(shape_of(&rows("one_shot", &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.8, 0.7, 0.9])), "step@64");
        assert_eq!(shape_of(&rows("one_shot", &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.1, 0.3, 0.9])), "growing");
        for (witness, shape) in [("cached", "cache_only"), ("batch_left", "batch_only"), ("order", "order_only")] {
            let mut all = rows("one_shot", &clean);
            all.extend(rows(witness, &[0.5; 10]));
            assert_eq!(shape_of(&all), shape);
        }
    }

    #[test]
    fn the_onset_is_bracketed_by_the_documents() {
        let mut all = vec![row("one_shot", 0, 64, 0, 0.0), row("one_shot", 0, 64, 1, 0.0)];
        all.extend([row("one_shot", 64, 128, 0, 0.0), row("one_shot", 64, 128, 1, 0.4)]);
        all.extend([row("one_shot", 128, 192, 0, 0.5), row("one_shot", 128, 192, 1, 0.5)]);
        let onset = signature(&all).onset.unwrap();
        assert_eq!((onset.point, onset.low, onset.high, onset.n), (64.0, 64.0, 191.0, 2));
    }

    #[test]
    fn what_is_no_number_differs() {
        let found = signature(&[row("alone", 0, 64, 0, f64::NAN)]);
        assert_eq!(found.divergent.len(), 0, "NaN never reaches the rows: the comparison writes infinity");
        assert_eq!(signature(&[row("alone", 0, 64, 0, f64::INFINITY)]).divergent.len(), 1);
    }
}
