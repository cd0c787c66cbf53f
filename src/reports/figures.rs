//! From rows to figures: the means that the charts draw, and the picture with its words.

use std::collections::BTreeMap;

use super::{Run, numbers};
use crate::measurement::{Arm, Cell, Measurement, Outcome, Place, Quantity, spoken};
use crate::stats::{CONFIDENCE, Estimate, mean_estimate};
use crate::units::Stretch;

/// A picture, and the words that belong to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Its file's name without the ending; formats refer to it by this name.
    pub name: String,
    /// A short title.
    pub title: String,
    /// What to see in it.
    pub caption: String,
    /// What it shows, for those who do not see it.
    pub alt: String,
    /// The picture.
    pub svg: String,
    /// The same for a narrow screen, where it is drawn in another form.
    pub narrow: Option<String>,
}

impl Figure {
    /// Its path in the run's folder.
    #[must_use]
    pub fn path(&self) -> String {
        format!("charts/{}.svg", self.name)
    }
}

/// A range of positions or distances: from (included), to (excluded).
pub(super) type Bin = (u32, u32);

/// A cell's means by bin, ascending.
pub(super) type Curve = Vec<(Bin, Estimate)>;

/// What a curve is made of.
pub(super) struct Of {
    /// The probe's name.
    pub(super) probe: &'static str,
    /// The quantity.
    pub(super) quantity: Quantity,
    /// The bin of a reading; readings without one do not count.
    pub(super) bin: fn(&Place) -> Option<Bin>,
}

/// The bin of positions.
pub(super) fn positions(at: &Place) -> Option<Bin> {
    at.from.zip(at.to)
}

/// The bin of distances.
pub(super) fn distances(at: &Place) -> Option<Bin> {
    at.distance_from.zip(at.distance_to)
}

/// One bin for everything, for quantities without a place.
#[expect(clippy::unnecessary_wraps, reason = "it stands where a bin may be absent")]
pub(super) fn anywhere(_: &Place) -> Option<Bin> {
    Some((0, 0))
}

/// The rows of a cell; none where it failed.
pub(super) fn rows(outcome: &Outcome) -> &[Measurement] {
    match outcome {
        Outcome::Measured(rows) => rows,
        Outcome::Failed { .. } => &[],
    }
}

/// The mean in each bin over documents; what lies within a document (layers, windows) is averaged first.
///
/// Values that are not finite are left out here; [`not_finite`] counts them.
pub(super) fn curve(outcome: &Outcome, of: &Of) -> Curve {
    let mut bins: BTreeMap<Bin, BTreeMap<u32, Vec<f64>>> = BTreeMap::new();
    for row in rows(outcome).iter().map(|row| &row.reading) {
        if row.probe == of.probe
            && row.quantity == of.quantity
            && row.value.is_finite()
            && let Some(bin) = (of.bin)(&row.at)
        {
            bins.entry(bin).or_default().entry(row.document).or_default().push(row.value);
        }
    }
    bins.into_iter()
        .filter_map(|(bin, documents)| {
            let means: Vec<f64> = documents.into_values().map(|values| mean(&values)).collect();
            drawn(&means).map(|estimate| (bin, possible(of.quantity, estimate)))
        })
        .collect()
}

/// A mean with its interval cut to what is possible: no share lies outside 0 and 1.
fn possible(quantity: Quantity, mean: Estimate) -> Estimate {
    if quantity.unit() == "share" { mean.within(0.0, 1.0) } else { mean }
}

/// A sentence on the readings that are not finite and so cannot be drawn; empty where there are none.
pub(super) fn not_finite(run: &Run<'_>, of: &Of) -> String {
    let broken: Vec<String> = run
        .cells
        .iter()
        .filter_map(|(cell, outcome)| {
            let here = |row: &&Measurement| row.reading.probe == of.probe && row.reading.quantity == of.quantity;
            let count = rows(outcome).iter().filter(here).filter(|row| !row.reading.value.is_finite()).count();
            (count > 0).then(|| format!("{} ({count})", spoken(&cell.label())))
        })
        .collect();
    if broken.is_empty() {
        String::new()
    } else {
        format!(" Readings that are not finite numbers are not drawn: {}.", broken.join(", "))
    }
}

/// The mean with its interval; a single document is drawn as a point, whose ends meet.
fn drawn(values: &[f64]) -> Option<Estimate> {
    match values {
        &[point] => Some(Estimate { point, low: point, high: point, confidence: CONFIDENCE, n: 1 }),
        _ => mean_estimate(values),
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Which role a cell plays in every chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The cell that the scenario deploys.
    Deployed,
    /// The unscaled model with its context truncated.
    Truncated,
    /// The model as trained.
    Unscaled,
    /// Any other.
    Other,
}

/// The role of a cell in this run.
pub(super) fn role(run: &Run<'_>, cell: &Cell) -> Role {
    match cell.arm {
        Arm::Truncated | Arm::Latency => Role::Truncated,
        Arm::Parity | Arm::Hypothesis => Role::Other,
        Arm::Grid if cell.label() == run.findings.deployed => Role::Deployed,
        Arm::Grid if *cell == Cell::unscaled() => Role::Unscaled,
        Arm::Grid => Role::Other,
    }
}

/// The factors in this run, ascending, without duplicates; 1 only where another cell than the unscaled one has it, such as a
/// method with weights of its own.
pub(super) fn factors(run: &Run<'_>) -> Vec<Stretch> {
    let scaled = run.cells.iter().filter(|(cell, _)| cell.arm == Arm::Grid && *cell != Cell::unscaled());
    let mut factors: Vec<f64> = scaled.map(|(cell, _)| cell.factor.0).collect();
    factors.sort_by(f64::total_cmp);
    factors.dedup();
    factors.into_iter().map(Stretch).collect()
}

/// The rows of the cells beside the unscaled one, in the order of the cells.
pub(super) fn methods(run: &Run<'_>) -> Vec<String> {
    let mut methods = Vec::new();
    for (cell, _) in run.cells {
        let label = cell.row();
        if *cell != Cell::unscaled() && cell.arm == Arm::Grid && !methods.contains(&label) {
            methods.push(label);
        }
    }
    methods
}

/// The cell that plays a role, with its curve; nothing where it has none.
pub(super) fn of_role(run: &Run<'_>, wanted: Role, of: &Of) -> Option<Curve> {
    let (_, outcome) = run.cells.iter().find(|(cell, _)| role(run, cell) == wanted)?;
    let curve = curve(outcome, of);
    (!curve.is_empty()).then_some(curve)
}

/// A bin in words: `256 to 1,024`.
pub(super) fn bin_words((from, to): Bin) -> String {
    let tokens = |n: u32| crate::units::Tokens(n as usize).to_string();
    format!("{} to {}", tokens(from), tokens(to))
}

/// The sentence of a curve for those who do not see it: its first and its last value.
pub(super) fn ends_words(name: &str, curve: &Curve, unit: &str) -> String {
    let part = |(bin, e): &(Bin, Estimate)| {
        let unit_behind = numbers::suffix(unit);
        let space = if unit_behind.is_empty() { "" } else { " " };
        format!("{}{space}{unit_behind} at {}", numbers::value(unit, e.point), bin_words(*bin))
    };
    match (curve.first(), curve.last()) {
        (Some(first), Some(last)) if first.0 != last.0 => format!("{name}: {}, {}.", part(first), part(last)),
        (Some(only), _) => format!("{name}: {}.", part(only)),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_document_is_a_point() {
        assert_eq!(drawn(&[]), None);
        let one = drawn(&[2.0]).unwrap();
        assert_eq!((one.low, one.high, one.n), (2.0, 2.0, 1));
    }

    #[test]
    fn the_interval_of_a_share_ends_at_nothing_and_at_all() {
        let mean = Estimate { point: 0.9, low: 0.7, high: 1.1, confidence: 0.95, n: 4 };
        assert_eq!(possible(Quantity::Recall, mean).high, 1.0);
        assert_eq!(possible(Quantity::Nll, mean), mean);
    }
}
