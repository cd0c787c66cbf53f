//! The implementation as a cause: from the parity battery's rows to the place that is to blame, and to the fault.
//!
//! [`signature()`] says what differs and where it begins, [`marks()`] which place of the engine it is, [`Search`] which hypotheses
//! are worth a replay, [`rank`] what follows from it. All of them are functions of rows; only what [`Search`] asks runs a model.

mod marks;
mod pace;
mod parameters;
mod ranking;
mod search;
mod signature;

use super::words;
use crate::measurement::{Quantity, Reading};

pub use marks::{Mark, marks};
pub use pace::{
    BESIDE, MOST_NAMED, Pace, Timed, Unlikeness, closest, may_be_slow, named_by_pace, pace, slow, with_pace,
};
pub use parameters::refined;
pub use ranking::{Suspicion, rank};
pub use search::{Ask, Candidate, Distance, Search, Trial, catalogue, distance};
pub use signature::{Divergent, MATERIAL, Signature, signature};

/// A hypothesis and the rows of its replays: distances of its answers, or its times.
#[derive(Clone, Debug, PartialEq)]
pub struct Replayed {
    /// One candidate, or two.
    pub candidates: Vec<Candidate>,
    /// The rows.
    pub readings: Vec<Reading>,
}

impl Replayed {
    fn holds(&self, quantity: Quantity) -> bool {
        self.readings.iter().any(|row| row.quantity == quantity)
    }

    /// Whether it answers as the deployment does on every request that it was asked.
    #[must_use]
    pub fn is_exact(&self, signature: &Signature) -> bool {
        self.holds(Quantity::Disagreement) && Trial::of(self.candidates.clone(), &self.readings, signature).exact
    }

    /// Whether it answers as the deployment does and takes most of the time that makes the deployment slow.
    #[must_use]
    pub fn explains_time(&self, deployed: &Pace, signature: &Signature) -> bool {
        self.holds(Quantity::Decode) && self.is_exact(signature) && deployed.is_explained_by(&pace(&self.readings))
    }
}

/// What the rows of a battery and of the hypotheses say: suspicions, the surest first.
#[must_use]
pub fn suspect(battery: &[Reading], replayed: &[Replayed]) -> Vec<Suspicion> {
    let signature = signature(battery);
    let marks = marks(&signature, battery);
    let trials: Vec<Trial> = replayed
        .iter()
        .filter(|one| one.holds(Quantity::Disagreement))
        .map(|one| Trial::of(one.candidates.clone(), &one.readings, &signature))
        .collect();
    let outputs = rank(&signature, &marks, &trials);
    let own = pace(battery);
    let Some(unknown) = slow(&own, &signature) else { return outputs };
    // A fault that changes answers may take time, too: then time is no fault of its own.
    if replayed.iter().any(|one| one.explains_time(&own, &signature)) {
        return outputs;
    }
    let timed = timed(replayed);
    with_pace(outputs, named_by_pace(unknown, &closest(&own, &timed)))
}

/// The hypotheses that were timed for the time that they take alone.
#[must_use]
pub fn timed(replayed: &[Replayed]) -> Vec<Timed> {
    replayed
        .iter()
        .filter(|one| one.holds(Quantity::Decode) && !one.holds(Quantity::Disagreement))
        .filter_map(|one| Some(Timed::of(one.candidates.first()?.clone(), &one.readings)))
        .collect()
}
