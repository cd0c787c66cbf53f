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

/// What the rows of a battery and of the hypotheses say: suspicions, the surest first.
#[must_use]
pub fn suspect(battery: &[Reading], replayed: &[Replayed]) -> Vec<Suspicion> {
    let signature = signature(battery);
    let marks = marks(&signature, battery);
    let holds = |one: &&Replayed, quantity: Quantity| one.readings.iter().any(|row| row.quantity == quantity);
    let trials: Vec<Trial> = replayed
        .iter()
        .filter(|one| holds(one, Quantity::Disagreement))
        .map(|one| Trial::of(one.candidates.clone(), &one.readings, &signature))
        .collect();
    let outputs = rank(&signature, &marks, &trials);
    let own = pace(battery);
    let Some(unknown) = slow(&own, &signature) else { return outputs };
    // A fault that changes answers may take time, too: then time is no fault of its own.
    let explains = |one: &&Replayed| {
        let trial = Trial::of(one.candidates.clone(), &one.readings, &signature);
        holds(one, Quantity::Disagreement)
            && holds(one, Quantity::Decode)
            && trial.exact
            && own.is_explained_by(&pace(&one.readings))
    };
    if replayed.iter().any(|one| explains(&one)) {
        return outputs;
    }
    let timed = timed(replayed);
    with_pace(outputs, named_by_pace(unknown, &closest(&own, &timed)))
}

/// The hypotheses that were timed for the time that they take alone.
#[must_use]
pub fn timed(replayed: &[Replayed]) -> Vec<Timed> {
    let holds = |one: &Replayed, quantity: Quantity| one.readings.iter().any(|row| row.quantity == quantity);
    replayed
        .iter()
        .filter(|one| holds(one, Quantity::Decode) && !holds(one, Quantity::Disagreement))
        .filter_map(|one| Some(Timed::of(one.candidates.first()?.clone(), &one.readings)))
        .collect()
}
