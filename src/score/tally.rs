//! From diagnosed deployments to the score.

use serde::{Deserialize, Serialize};

use super::{Confusion, Kind, Row};
use crate::findings::Axis;
use crate::stats::{CONFIDENCE, Estimate, mean, proportion};

/// The version of `score.json`.
const SCHEMA: u32 = 1;

/// `score.json`: the contract's numbers, their intervals, and every diagnosed deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The version of the format; raised when a name changes its meaning.
    pub schema: u32,
    /// Single faults that were injected and have a measurable effect.
    pub faults: usize,
    /// Share of them that the diagnosis names first.
    pub ac1: Option<f64>,
    /// Share of them among its first three names.
    pub ac3: Option<f64>,
    /// Pairs of faults that were injected.
    pub pairs: usize,
    /// Share of them of which both are among the first three names.
    pub pairs_both: Option<f64>,
    /// Healthy deployments, each with texts of its own.
    pub healthy_pairs: usize,
    /// Healthy deployments that were said to have a fault.
    pub false_alarms: usize,
    /// Healthy look-alikes.
    pub negative_controls: usize,
    /// Look-alikes that were said to have a fault.
    pub negative_controls_flagged: usize,
    /// Diagnoses that found a difference and named no place.
    pub abstentions: usize,
    /// Faults without a measurable effect in these deployments.
    pub no_effect: Vec<String>,
    /// Those of them that were said to have a fault all the same.
    pub no_effect_flagged: Vec<String>,
    /// The same shares with 95 % intervals (Clopper and Pearson), by name.
    pub intervals: Shares,
    /// The same for faults that could be looked at while the diagnosis was developed, and for those held back.
    pub by_half: ByHalf,
    /// Faults that the diagnosis has never heard of; absent where they were not asked for.
    pub unseen: Option<Unseen>,
    /// Which place was taken for which.
    pub confusion: Confusion,
    /// Engines looked at in one diagnosis, mean.
    pub cells: Option<f64>,
    /// Seconds of one diagnosis, mean.
    pub seconds: Option<f64>,
    /// Seconds of the longest.
    pub seconds_longest: Option<f64>,
    /// Seconds of one processor that all cases took together; absent where one of them does not tell.
    pub processor_seconds: Option<f64>,
    /// The same of the costliest case.
    pub processor_seconds_longest: Option<f64>,
    /// Every diagnosed deployment.
    pub rows: Vec<Row>,
}

/// Shares with their intervals; absent where nothing was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shares {
    /// Named first.
    pub ac1: Option<Estimate>,
    /// Among the first three.
    pub ac3: Option<Estimate>,
    /// Both of a pair.
    pub pairs_both: Option<Estimate>,
    /// Alarms among healthy deployments.
    pub false_alarms: Option<Estimate>,
}

/// The two halves of the catalogue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ByHalf {
    /// Faults whose scores could be looked at while the diagnosis was developed.
    pub development: Half,
    /// Faults whose scores were looked at when it was finished.
    pub held_back: Half,
}

/// The score of one half.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Half {
    /// Single faults with a measurable effect.
    pub faults: usize,
    /// Share that is named first.
    pub ac1: Option<f64>,
    /// Share among the first three.
    pub ac3: Option<f64>,
    /// The same with their intervals.
    pub intervals: Shares,
    /// Faults that are not named first.
    pub missed: Vec<String>,
}

/// Faults that were taken out of the diagnosis's catalogue before they were injected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unseen {
    /// How many have a measurable effect.
    pub faults: usize,
    /// Share where `condition` is blamed first.
    pub axis_right: Option<Estimate>,
    /// Share where the place is right too.
    pub place_right: Option<Estimate>,
    /// Share where the first position is right.
    pub onset_right: Option<Estimate>,
    /// Share where all three are.
    pub all_right: Option<Estimate>,
    /// Share where another fault of the catalogue is said to agree exactly.
    pub mistaken_for_another: Option<Estimate>,
    /// Those where something is wrong, with what was said.
    pub missed: Vec<String>,
}

fn of_kind(rows: &[Row], kind: Kind) -> impl Iterator<Item = &Row> {
    rows.iter().filter(move |row| row.truth.kind == kind)
}

fn has_effect(row: &Row) -> bool {
    row.truth.axis != Axis::None
}

/// The share of rows that pass, with its interval; nothing without rows.
fn share<'a>(rows: &[&'a Row], passes: impl Fn(&'a Row) -> bool) -> Option<Estimate> {
    let passed = rows.iter().copied().filter(|row| passes(row)).count();
    proportion(passed, rows.len(), CONFIDENCE)
}

fn is_first(row: &Row) -> bool {
    row.names(&row.fault, 1)
}

fn is_among_three(row: &Row) -> bool {
    row.names(&row.fault, 3)
}

fn both(row: &Row) -> bool {
    row.truth.names.iter().all(|name| row.names(name, 3))
}

/// Counts.
#[must_use]
pub fn tally(rows: Vec<Row>) -> Score {
    let singles: Vec<&Row> = of_kind(&rows, Kind::Single).filter(|row| has_effect(row)).collect();
    let pairs: Vec<&Row> = of_kind(&rows, Kind::Pair).filter(|row| has_effect(row)).collect();
    let healthy: Vec<&Row> = of_kind(&rows, Kind::Healthy).collect();
    let controls: Vec<&Row> = of_kind(&rows, Kind::Control).collect();
    let silent: Vec<&Row> = of_kind(&rows, Kind::Single).filter(|row| row.truth.axis == Axis::None).collect();
    let intervals = Shares {
        ac1: share(&singles, is_first),
        ac3: share(&singles, is_among_three),
        pairs_both: share(&pairs, both),
        false_alarms: share(&healthy, Row::alarms),
    };
    let names = |rows: Vec<&Row>| rows.into_iter().map(|row| row.fault.clone()).collect::<Vec<_>>();
    let seconds: Vec<f64> = rows.iter().map(|row| row.seconds).collect();
    let processor: Option<Vec<f64>> = rows.iter().map(|row| row.processor_seconds).collect();
    let score = Score {
        schema: SCHEMA,
        faults: singles.len(),
        ac1: intervals.ac1.map(|share| share.point),
        ac3: intervals.ac3.map(|share| share.point),
        pairs: pairs.len(),
        pairs_both: intervals.pairs_both.map(|share| share.point),
        healthy_pairs: healthy.len(),
        false_alarms: healthy.iter().filter(|row| row.alarms()).count(),
        negative_controls: controls.len(),
        negative_controls_flagged: controls.iter().filter(|row| row.is_flagged()).count(),
        abstentions: rows.iter().filter(|row| row.abstains()).count(),
        no_effect_flagged: names(silent.iter().copied().filter(|row| row.alarms()).collect()),
        no_effect: names(silent),
        intervals,
        by_half: ByHalf { development: half(&singles, true), held_back: half(&singles, false) },
        unseen: unseen(&rows),
        confusion: Confusion::of(&rows, &[Kind::Single, Kind::Healthy, Kind::Control]),
        cells: mean(&rows.iter().map(|row| row.cells as f64).collect::<Vec<_>>()),
        seconds: mean(&seconds),
        seconds_longest: seconds.iter().copied().reduce(f64::max),
        processor_seconds: processor.as_ref().map(|seconds| seconds.iter().sum()),
        processor_seconds_longest: processor.and_then(|seconds| seconds.into_iter().reduce(f64::max)),
        rows: Vec::new(),
    };
    Score { rows, ..score }
}

fn half(singles: &[&Row], development: bool) -> Half {
    let rows: Vec<&Row> = singles.iter().copied().filter(|row| row.truth.development == development).collect();
    let intervals = Shares { ac1: share(&rows, is_first), ac3: share(&rows, is_among_three), ..Shares::default() };
    Half {
        faults: rows.len(),
        ac1: intervals.ac1.map(|share| share.point),
        ac3: intervals.ac3.map(|share| share.point),
        intervals,
        missed: rows.iter().filter(|row| !is_first(row)).map(|row| missed(row)).collect(),
    }
}

/// What was injected, and what was said instead.
fn missed(row: &Row) -> String {
    let said = row.top.first().map_or("nothing", |named| named.name.as_str());
    format!("{}: {said}", row.fault)
}

fn unseen(rows: &[Row]) -> Option<Unseen> {
    let unseen: Vec<&Row> = of_kind(rows, Kind::Unseen).filter(|row| has_effect(row)).collect();
    if unseen.is_empty() {
        return None;
    }
    let axis = |row: &Row| row.top.first().is_some_and(|named| named.axis == Axis::Condition);
    let place = |row: &Row| row.place().is_some_and(|place| row.truth.places.contains(&place));
    let all = |row: &Row| axis(row) && place(row) && row.onset_is_right();
    let words = |row: &Row| {
        let onset = |estimate: Option<Estimate>| {
            estimate.map_or_else(|| "none".to_owned(), |at| format!("{} [{}, {}]", at.point, at.low, at.high))
        };
        let said = row.top.first().and_then(|named| named.onset);
        format!("{}, onset {} (truth {})", missed(row), onset(said), onset(row.truth.onset))
    };
    Some(Unseen {
        faults: unseen.len(),
        axis_right: share(&unseen, axis),
        place_right: share(&unseen, place),
        onset_right: share(&unseen, Row::onset_is_right),
        all_right: share(&unseen, all),
        mistaken_for_another: share(&unseen, |row| row.top.first().is_some_and(|named| named.exact)),
        missed: unseen.iter().filter(|row| !all(row)).map(|row| words(row)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Site;
    use crate::score::{Named, Truth};

    fn row(kind: Kind, fault: &str, axis: Axis, said: &[&str], development: bool) -> Row {
        let condition = |name: &&str| Named {
            axis: if *name == "healthy" { Axis::None } else { Axis::Condition },
            name: (*name).to_owned(),
            place: (*name != "healthy").then_some(Site::Table),
            shape: "constant".to_owned(),
            onset: None,
            explained: None,
            exact: false,
        };
        Row {
            fault: fault.to_owned(),
            truth: Truth {
                kind,
                deployment: "yarn x4".to_owned(),
                axis,
                same: Vec::new(),
                names: fault.split(" + ").map(str::to_owned).collect(),
                places: vec![Site::Table],
                shape: "constant".to_owned(),
                onset: None,
                development,
            },
            top: said.iter().map(condition).collect(),
            cells: 4,
            seconds: 2.0,
            processor_seconds: None,
        }
    }

    #[test]
    fn every_kind_is_counted_for_itself() {
        let score = tally(vec![
            row(Kind::Single, "a", Axis::Condition, &["a", "b"], true),
            row(Kind::Single, "b", Axis::Condition, &["c", "a", "b"], false),
            row(Kind::Single, "c", Axis::None, &["healthy"], true),
            row(Kind::Pair, "a + b", Axis::Condition, &["b", "a"], true),
            row(Kind::Pair, "a + c", Axis::Condition, &["a", "b", "d", "c"], true),
            row(Kind::Healthy, "healthy 0", Axis::None, &["healthy"], true),
            row(Kind::Healthy, "healthy 1", Axis::None, &["a"], true),
            row(Kind::Control, "x", Axis::None, &["healthy"], true),
            row(Kind::Unseen, "a", Axis::Condition, &["unknown (table)"], true),
        ]);
        assert_eq!((score.faults, score.ac1, score.ac3), (2, Some(0.5), Some(1.0)));
        assert_eq!((score.pairs, score.pairs_both), (2, Some(0.5)));
        assert_eq!((score.healthy_pairs, score.false_alarms), (2, 1));
        assert_eq!((score.negative_controls, score.negative_controls_flagged), (1, 0));
        assert_eq!(score.no_effect, ["c"]);
        assert_eq!(score.by_half.development.ac1, Some(1.0));
        assert_eq!(score.by_half.held_back.missed, ["b: c"]);
        assert_eq!(score.unseen.unwrap().all_right.unwrap().point, 1.0);
        let sum: usize = score.confusion.counts.iter().flatten().sum();
        assert_eq!(sum, 6, "singles, healthy ones and controls");
    }

    #[test]
    fn a_look_alike_that_takes_time_is_flagged_for_its_answers_alone() {
        let slow = |place: Site| {
            let mut row = row(Kind::Control, "x", Axis::Condition, &["y"], true);
            row.truth.places = vec![Site::Latency];
            row.top[0].place = Some(place);
            row
        };
        assert_eq!(tally(vec![slow(Site::Latency)]).negative_controls_flagged, 0);
        assert_eq!(tally(vec![slow(Site::Cache)]).negative_controls_flagged, 1);
    }

    #[test]
    fn what_was_not_counted_has_no_share() {
        let score = tally(Vec::new());
        assert_eq!((score.ac1, score.pairs_both, score.seconds), (None, None, None));
    }
}
