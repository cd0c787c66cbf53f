//! Where along the sequence the damage lies.

use std::collections::{BTreeMap, BTreeSet};

use crate::findings::Question;
use crate::measurement::{Cell, Outcome};
use crate::stats::{Course, Estimate, Profile, Setting, Shape, mean_estimate};
use crate::units::Tokens;

use super::Evidence;
use super::board::Board;
use super::rows::{Bin, profile};
use super::words::{amount, percent};

/// Damage that at least doubles from the first to the last bin grows; less is constant.
const GROWS: f64 = 2.0;

/// Bins with less than this share of the largest damage count as healthy: the shape is that of the bulk.
const BULK: f64 = 0.1;

/// A course whose squared misfit is beyond this, per free number, is none: pure noise has 1.
const MISFIT: f64 = 3.0;

/// Fewer draws than this share that choose the same course leave the shape unclear.
const SURE: f64 = 0.5;

/// How sentences on a loss by position begin: its numbers are the long-range probe's, whichever loss the question is about.
pub(crate) const ALONG: &str = "along the document";

/// The shape's name in files, and its sentences.
///
/// Losses are compared by position, recall by distance. The rule is told in `docs/method.md`, "The shape".
pub(super) fn shape(evidence: &Evidence, board: &Board) -> (String, Vec<String>) {
    let damages = damages(evidence, board);
    let bins: Vec<(Bin, Estimate)> =
        damages.iter().filter_map(|(bin, values)| Some((*bin, mean_estimate(values)?))).collect();
    let (name, change) = name_of(&damages, &bins, board.tolerance, &landmarks(evidence));
    let (Some((first, at_first)), Some((last, at_last))) = (bins.first(), bins.last()) else {
        return (name, Vec::new());
    };
    let (begin, where_) = match board.question {
        Question::Retrieval => (String::new(), "distances"),
        _ => (format!("{ALONG} "), "positions"),
    };
    let range = |bin: &Bin| format!("{where_} {} to {}", Tokens(bin.0 as usize), Tokens(bin.1 as usize));
    let mut sentences = vec![format!(
        "{begin}the damage is {} at {} and {} at {}: {name}",
        amount(board.question, at_first),
        range(first),
        amount(board.question, at_last),
        range(last)
    )];
    // Where the name says that nothing begins, a place where it would is only the course's.
    let begins = change.filter(|_| name == "growing" || name.starts_with("step@"));
    sentences.extend(begins.and_then(|change| onset(&change)).map(|onset| begin + &onset));
    (name, sentences)
}

/// Where something is known to change before anything is measured: the trained length, and the length that the deployed
/// factor stretches it to.
fn landmarks(evidence: &Evidence) -> Vec<u32> {
    let trained = evidence.scenario.trained.as_f64();
    let reach = trained * evidence.scenario.deployed.1.0;
    let mut places: Vec<u32> = [trained, reach].map(|place| place.round().min(f64::from(u32::MAX)) as u32).to_vec();
    places.dedup();
    places
}

/// Where the damage changes, as a sentence.
fn onset(change: &Shape) -> Option<String> {
    let onset = change.onset?;
    let tokens = |place: f64| Tokens(place.round() as usize);
    let how = if change.course == Course::Step { "steps up" } else { "begins to grow" };
    Some(format!(
        "it {how} at {} tokens [{}, {}], a course that {} of the draws choose, n = {}",
        tokens(onset.point),
        tokens(onset.low),
        tokens(onset.high),
        percent(change.confidence),
        onset.n
    ))
}

/// The damage in each bin, ascending, on the documents that all of them share; bins with a value that is no number are
/// left out.
fn damages(evidence: &Evidence, board: &Board) -> Vec<(Bin, Vec<f64>)> {
    let (question, sign) = match board.question {
        Question::Retrieval => (Question::Retrieval, -1.0),
        _ => (Question::LongRange, 1.0),
    };
    let rows = |cell: &Cell| match evidence.outcome(cell) {
        Some(Outcome::Measured(rows)) => profile(question, rows),
        _ => BTreeMap::new(),
    };
    let deployed = rows(&evidence.deployed());
    let reference = rows(&Cell::truncated());
    // Recall at every distance is held against the recall inside the reference's context.
    let near = mean_by_document(&reference, evidence.scenario.trained);
    let differences = |(bin, values): (&Bin, &BTreeMap<u32, f64>)| {
        let against = if question == Question::Retrieval { &near } else { reference.get(bin)? };
        let by_document: BTreeMap<u32, f64> = values
            .iter()
            .filter_map(|(document, value)| Some((*document, sign * (value - against.get(document)?))))
            .collect();
        by_document.values().all(|value| value.is_finite()).then_some((*bin, by_document))
    };
    let bins: Vec<_> = deployed.iter().filter_map(differences).filter(|(_, values)| values.len() > 1).collect();
    let everywhere = |document: &u32| bins.iter().all(|(_, values)| values.contains_key(document));
    let shared: BTreeSet<u32> = bins.iter().flat_map(|(_, values)| values.keys()).copied().filter(everywhere).collect();
    bins.iter()
        .map(|(bin, values)| (*bin, shared.iter().filter_map(|document| values.get(document)).copied().collect()))
        .collect()
}

fn mean_by_document(profile: &BTreeMap<Bin, BTreeMap<u32, f64>>, trained: Tokens) -> BTreeMap<u32, f64> {
    let mut values: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for (_, bin) in profile.iter().filter(|((_, to), _)| *to as usize <= trained.0 / 2) {
        for (document, value) in bin {
            values.entry(*document).or_default().push(*value);
        }
    }
    values.into_iter().map(|(document, bins)| (document, bins.iter().sum::<f64>() / bins.len() as f64)).collect()
}

/// The shape's name, and the course that it was read from.
fn name_of(
    damages: &[(Bin, Vec<f64>)],
    bins: &[(Bin, Estimate)],
    tolerance: f64,
    landmarks: &[u32],
) -> (String, Option<Shape>) {
    let largest = bins.iter().map(|(_, damage)| damage.point).fold(0.0, f64::max);
    let floor = tolerance.max(BULK * largest);
    // A bin that is better than the reference is as healthy as one that is equal.
    let healthy = bins.iter().filter(|(_, damage)| damage.high <= floor).count();
    if !bins.iter().any(|(_, damage)| damage.low > floor) {
        let none = !bins.is_empty() && healthy == bins.len();
        return (if none { "none" } else { "unclear" }.to_owned(), None);
    }
    let Some(change) = fitted(damages, floor, landmarks) else { return ("unclear".to_owned(), None) };
    let level = change.level.point;
    let rise = change.rise.map_or(0.0, |rise| rise.point);
    let ends = damages.first().zip(damages.last());
    let middle = |(from, to): Bin| f64::midpoint(f64::from(from), f64::from(to)) / 1_000.0;
    let last = ends.map_or(level, |((first, _), (last, _))| match (change.course, change.onset) {
        (Course::Step, _) => level + rise,
        (_, Some(onset)) => level + rise * (middle(*last) - onset.point / 1_000.0),
        _ => level + rise * (middle(*last) - middle(*first)),
    });
    let place = change.onset.map_or(0.0, |onset| onset.point.round());
    let name = if last < GROWS * level || change.course == Course::Constant {
        // What heals along the way is no shape; what only sinks a little is as good as constant.
        if healthy == 0 { "constant".to_owned() } else { "unclear".to_owned() }
    } else if change.course == Course::Step || landmarks.iter().any(|landmark| place == f64::from(*landmark)) {
        format!("step@{place}")
    } else {
        "growing".to_owned()
    };
    (name, Some(change))
}

/// The course that fits, if one does.
fn fitted(damages: &[(Bin, Vec<f64>)], floor: f64, landmarks: &[u32]) -> Option<Shape> {
    let documents = damages.iter().map(|(_, values)| values.len()).min()?;
    let row = |document: usize| damages.iter().filter_map(|(_, values)| values.get(document)).copied().collect();
    let profile = Profile::new(damages.iter().map(|(bin, _)| *bin).collect(), (0..documents).map(row).collect())?;
    let change = profile.shape(&Setting { allowance: floor, landmarks })?;
    (change.misfit <= MISFIT && change.confidence >= SURE).then_some(change)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape_of(points: &[f64]) -> String {
        let edges = [0, 64, 256, 1024, 2048, 4096, 8192];
        let values = |point: f64| (0..8).map(|document| point + 0.004 * (f64::from(document) - 3.5)).collect();
        let damages: Vec<(Bin, Vec<f64>)> =
            points.iter().zip(edges.windows(2)).map(|(&point, edge)| ((edge[0], edge[1]), values(point))).collect();
        let bins: Vec<_> = damages.iter().map(|(bin, values)| (*bin, mean_estimate(values).unwrap())).collect();
        name_of(&damages, &bins, 0.02, &[2048]).0
    }

    #[test]
    fn shapes_are_told_apart() {
        assert_eq!(shape_of(&[1.1, 1.3, 1.3, 1.4, 1.3, 1.4]), "constant");
        assert_eq!(shape_of(&[0.05, 0.1, 0.2, 0.3, 0.6, 1.4]), "growing");
        assert_eq!(shape_of(&[0.0, 0.0, 0.0, 0.0, 0.3, 1.4]), "step@2048");
        assert_eq!(shape_of(&[0.0, 0.0, 0.0, 0.0, -0.1, 0.5]), "step@4096");
        assert_eq!(shape_of(&[0.0, 0.0, 0.05, 0.2, 0.5, 0.9]), "growing");
        assert_eq!(shape_of(&[0.5, 0.0, 0.5, 0.0, 0.5, 0.0]), "unclear");
        assert_eq!(shape_of(&[0.0; 6]), "none");
        assert_eq!(shape_of(&[]), "unclear");
    }

    #[test]
    fn damage_that_heals_along_the_way_is_no_step() {
        assert_eq!(shape_of(&[0.4, 0.4, 0.0, 0.0, 0.0, 0.0]), "unclear");
        assert_eq!(shape_of(&[0.5, 0.5, 0.4, 0.4, 0.3, 0.3]), "constant");
    }
}
