//! Where along the sequence the damage lies.

use std::collections::BTreeMap;

use crate::findings::Question;
use crate::measurement::{Cell, Outcome};
use crate::stats::{CONFIDENCE, Estimate, Resamples};
use crate::units::Tokens;

use super::Evidence;
use super::board::Board;
use super::rows::{Bin, profile};
use super::words::amount;

/// Damage that at least doubles from the first to the last bin grows; less is constant.
const GROWS: f64 = 2.0;

/// A step that starts elsewhere than at the trained length reaches this share of the last bin's damage at once.
const AT_ONCE: f64 = 0.5;

/// Bins with less than this share of the largest damage count as healthy: the shape is that of the bulk.
const BULK: f64 = 0.1;

/// The shape's name in files, and its sentence.
///
/// Losses are compared by position, recall by distance. The rule is told in `docs/method.md`, "The shape".
pub(super) fn shape(evidence: &Evidence, board: &Board) -> (String, Vec<String>) {
    let bins = damages(evidence, board);
    let name = name_of(&bins, board.tolerance, evidence.scenario.trained);
    let (Some((first, at_first)), Some((last, at_last))) = (bins.first(), bins.last()) else {
        return (name, Vec::new());
    };
    let where_ = if board.question == Question::Retrieval { "distances" } else { "positions" };
    let range = |bin: &Bin| format!("{where_} {} to {}", Tokens(bin.0 as usize), Tokens(bin.1 as usize));
    let sentence = format!(
        "the damage is {} at {} and {} at {}: {name}",
        amount(board.question, at_first),
        range(first),
        amount(board.question, at_last),
        range(last)
    );
    (name, vec![sentence])
}

/// The damage in each bin, ascending; bins without an interval are left out.
fn damages(evidence: &Evidence, board: &Board) -> Vec<(Bin, Estimate)> {
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
    deployed
        .iter()
        .filter_map(|(bin, values)| {
            let against = if question == Question::Retrieval { &near } else { reference.get(bin)? };
            let differences: Vec<f64> =
                values.iter().filter_map(|(document, value)| Some(sign * (value - against.get(document)?))).collect();
            let damage = Resamples::new(differences.len())?.mean(&differences, CONFIDENCE)?;
            Some((*bin, damage))
        })
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

fn name_of(bins: &[(Bin, Estimate)], tolerance: f64, trained: Tokens) -> String {
    let largest = bins.iter().map(|(_, damage)| damage.point).fold(0.0, f64::max);
    let floor = tolerance.max(BULK * largest);
    // A bin that is better than the reference is as healthy as one that is equal.
    let damaged = |(_, damage): &(Bin, Estimate)| damage.low > floor;
    let healthy = |(_, damage): &(Bin, Estimate)| damage.high <= floor;
    let (Some(onset), Some((_, first)), Some((_, last))) = (bins.iter().position(damaged), bins.first(), bins.last())
    else {
        return if !bins.is_empty() && bins.iter().all(healthy) { "none" } else { "unclear" }.to_owned();
    };
    let last_healthy = bins.iter().rposition(healthy);
    let grows = last.point >= GROWS * first.point && last.low > first.high;
    let name = match (last_healthy, bins.get(onset)) {
        (None, _) => {
            if grows {
                "growing"
            } else {
                "constant"
            }
        }
        // Healthy again after the onset: no simple shape.
        (Some(healthy), _) if healthy > onset => "unclear",
        (Some(healthy), Some(((from, _), damage))) if healthy + 1 == onset => {
            if *from as usize == trained.0 || damage.point >= AT_ONCE * last.point {
                return format!("step@{from}");
            }
            "growing"
        }
        _ => "growing",
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape_of(points: [f64; 6]) -> String {
        let edges = [0, 64, 256, 1024, 2048, 4096, 8192];
        let bins: Vec<(Bin, Estimate)> = points
            .iter()
            .zip(edges.windows(2))
            .map(|(&point, edge)| {
                let low = point - 0.01;
                ((edge[0], edge[1]), Estimate { point, low, high: point + 0.01, confidence: 0.95, n: 8 })
            })
            .collect();
        name_of(&bins, 0.02, Tokens(2048))
    }

    #[test]
    fn shapes_are_told_apart() {
        assert_eq!(shape_of([1.1, 1.3, 1.3, 1.4, 1.3, 1.4]), "constant");
        assert_eq!(shape_of([0.05, 0.1, 0.2, 0.3, 0.6, 1.4]), "growing");
        assert_eq!(shape_of([0.0, 0.0, 0.0, 0.0, 0.3, 1.4]), "step@2048");
        assert_eq!(shape_of([0.0, 0.0, 0.0, 0.0, -0.1, 0.5]), "step@4096");
        assert_eq!(shape_of([0.0, 0.0, 0.05, 0.2, 0.5, 0.9]), "growing");
        assert_eq!(shape_of([0.5, 0.0, 0.5, 0.0, 0.5, 0.0]), "unclear");
        assert_eq!(shape_of([0.0; 6]), "none");
        assert_eq!(name_of(&[], 0.02, Tokens(2048)), "unclear");
    }
}
