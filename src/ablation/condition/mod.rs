//! The implementation as a cause: from the parity battery's rows to the place that is to blame, and to the fault.
//!
//! [`signature()`] says what differs and where it begins, [`marks()`] which place of the engine it is, [`Search`] which hypotheses
//! are worth a replay, [`rank`] what follows from it. All of them are functions of rows; only what [`Search`] asks runs a model.

mod marks;
mod pace;
mod ranking;
mod search;
mod signature;

use super::words;

pub use marks::{Mark, marks};
pub use pace::{Pace, closest, named_by_pace, pace, slow, with_pace};
pub use ranking::{Suspicion, rank};
pub use search::{Ask, Candidate, Distance, Search, Trial, agrees, catalogue, distance};
pub use signature::{Divergent, MATERIAL, Signature, signature};
