//! The diagnosis, scored like any classifier: what was injected against what was named.
//!
//! Everything here is a pure function of rows; `run::score` makes them.

mod cases;
mod confusion;
mod tally;

use serde::{Deserialize, Serialize};

use crate::faults::Site;
use crate::findings::Axis;
use crate::stats::Estimate;

pub use cases::{Case, DEPLOYMENTS, Declared, Plan, pairs, spread};
pub use confusion::Confusion;
pub use tally::{Half, Score, Shares, Unseen, tally};

/// What a case is injected for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One fault of the catalogue.
    Single,
    /// Two at once.
    Pair,
    /// None: the same healthy engine, with texts of its own.
    Healthy,
    /// A healthy look-alike.
    Control,
    /// One fault that the diagnosis has never heard of.
    Unseen,
}

/// What is true of a deployment; the diagnosis never sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// Why the case is in the sample.
    pub kind: Kind,
    /// The declared method and factor, and the checkpoint.
    pub deployment: String,
    /// `condition`, or `none` where nothing measurable was injected.
    pub axis: Axis,
    /// The injected faults.
    pub names: Vec<String>,
    /// Other faults of the catalogue that make the very same engine here: their names are as right.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub same: Vec<String>,
    /// The places that they sit in.
    pub places: Vec<Site>,
    /// Where the difference lies, on texts that the diagnosis does not see.
    pub shape: String,
    /// The first position that differs on those texts.
    pub onset: Option<Estimate>,
    /// Whether all of the faults could be looked at while the diagnosis was developed.
    pub development: bool,
}

/// One suspicion of a diagnosis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Named {
    /// `condition`, `none` or `undecided`.
    pub axis: Axis,
    /// The fault's name, or `unknown (PLACE)`.
    pub name: String,
    /// The place.
    pub place: Option<Site>,
    /// Where it shows.
    pub shape: String,
    /// The first position that it changes.
    pub onset: Option<Estimate>,
    /// Share of the difference that its replay explains.
    pub explained: Option<f64>,
    /// Whether its replay agrees with the deployment throughout.
    pub exact: bool,
}

/// One diagnosed deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What was injected, joined by ` + `; the number of the pair for healthy ones.
    pub fault: String,
    /// What is true.
    pub truth: Truth,
    /// What the diagnosis named, the surest first, at most five.
    pub top: Vec<Named>,
    /// Engines that it looked at: the deployment, its healthy replay and every hypothesis.
    pub cells: usize,
    /// Seconds that the diagnosis took; replays of the same declared method on the same texts are shared between cases.
    pub seconds: f64,
    /// Seconds of one processor that the whole case took, reading its truth included: what a busy machine does not
    /// stretch. Absent where the system does not tell, or several threads shared the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processor_seconds: Option<f64>,
}

impl Row {
    /// Whether one of the first `k` suspicions is this fault, or one that makes the very same engine.
    #[must_use]
    pub fn names(&self, fault: &str, k: usize) -> bool {
        let is_right = |name: &str| name == fault || self.truth.same.iter().any(|same| same == name);
        self.top.iter().take(k).any(|named| named.axis == Axis::Condition && is_right(&named.name))
    }

    /// Whether the diagnosis says that the implementation is to blame.
    #[must_use]
    pub fn alarms(&self) -> bool {
        self.top.first().is_some_and(|named| named.axis != Axis::None)
    }

    /// Whether it says that something is wrong which is not: time that a healthy look-alike measurably takes is no false alarm.
    #[must_use]
    pub fn is_flagged(&self) -> bool {
        let is_true =
            self.truth.axis == Axis::Condition && self.place().is_some_and(|place| self.truth.places.contains(&place));
        self.alarms() && !is_true
    }

    /// Whether it says that something is wrong and not where.
    #[must_use]
    pub fn abstains(&self) -> bool {
        self.top.first().is_some_and(|named| named.axis == Axis::Undecided)
    }

    /// The place that it blames first.
    #[must_use]
    pub fn place(&self) -> Option<Site> {
        self.top.first().and_then(|named| named.place)
    }

    /// Whether the onset that it gives is the true one: their brackets meet.
    #[must_use]
    pub fn onset_is_right(&self) -> bool {
        match (self.top.first().and_then(|named| named.onset), self.truth.onset) {
            (Some(found), Some(truth)) => found.low <= truth.high && truth.low <= found.high,
            (found, truth) => found.is_none() && truth.is_none(),
        }
    }
}
