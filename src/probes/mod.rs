//! Probes: what is asked of a subject, and the readings that come of it.
//!
//! A probe reads one document at a time through a [`Session`], which runs the forward over the whole document at most
//! once for all of them. A new probe is one file here and one line in [`PROBES`]; latency stands apart, because it
//! times two subjects against each other.

mod attention;
pub mod battery;
pub mod latency;
mod long_range;
mod retrieval;
mod session;
mod short_range;

use crate::measurement::Reading;
use crate::scenario::ProbeName;
use crate::subject::SubjectError;

pub use session::{Context, Plan, Session};

/// Something that can be read off a subject over one document.
pub trait Probe: Sync {
    /// Its name in a scenario.
    fn name(&self) -> ProbeName;

    /// What it measures, in one sentence, for `gyro list probes`.
    fn summary(&self) -> &'static str;

    /// Whether it says anything of a context truncated to the trained length.
    fn reads_truncated(&self) -> bool {
        false
    }

    /// The readings over the session's document.
    ///
    /// # Errors
    /// [`SubjectError`] when the subject fails.
    fn read(&self, session: &mut Session<'_>) -> Result<Vec<Reading>, SubjectError>;
}

/// Every probe that reads documents.
pub const PROBES: [&dyn Probe; 4] =
    [&short_range::ShortRange, &long_range::LongRange, &retrieval::Retrieval, &attention::Attention];

/// Reads a document with every probe of the plan.
///
/// # Errors
/// The first [`SubjectError`].
pub fn read(session: &mut Session<'_>) -> Result<Vec<Reading>, SubjectError> {
    let mut readings = Vec::new();
    for probe in PROBES {
        let applies = session.plan().context == Context::Whole || probe.reads_truncated();
        if applies && session.plan().probes.contains(&probe.name()) {
            readings.extend(probe.read(session)?);
        }
    }
    Ok(readings)
}
