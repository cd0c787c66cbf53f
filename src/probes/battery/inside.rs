//! What an engine does to queries, keys and scores, read once and compared later.

use super::{bias, precision, rotation, temperature};
use crate::measurement::Reading;
use crate::subject::{AppliedRotation, Route, Subject, SubjectError};

/// The readings of an engine's insides; absent where it does not let itself be asked, or there is nothing to read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inside {
    pub(super) rotations: Vec<(rotation::Run, Option<AppliedRotation>)>,
    pub(super) biases: Vec<(bias::Run, Option<bias::Read>)>,
    pub(super) temperatures: Vec<(usize, Vec<f64>)>,
}

/// Reads an engine's insides, in the state of a fresh process.
///
/// # Errors
/// [`SubjectError::OutOfMemory`] alone; what an engine refuses is absent.
pub fn inside(subject: &mut dyn Subject, trained: usize, target: usize) -> Result<Inside, SubjectError> {
    subject.restart();
    let mut inside = Inside::default();
    for run in rotation::runs(trained, target) {
        let read = unless_refused(subject.applied_rotation(&run.positions, run.route))?;
        inside.rotations.push((run, read.flatten()));
    }
    for run in bias::runs(trained) {
        let read = unless_refused(subject.applied_bias(&run.queries, &run.keys, run.route))?;
        inside.biases.push((run, read.flatten()));
    }
    let positions = temperature::positions(trained);
    if let Some(read) = unless_refused(subject.temperature(&positions))?.flatten() {
        inside.temperatures = positions.into_iter().zip(read).collect();
    }
    Ok(inside)
}

fn unless_refused<T>(read: Result<T, SubjectError>) -> Result<Option<T>, SubjectError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(SubjectError::Engine(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Inside {
    /// The deployment's insides against the healthy replay's.
    #[must_use]
    pub fn readings(&self, healthy: &Self) -> Vec<Reading> {
        let mut readings = Vec::new();
        for ((run, ours), (_, theirs)) in self.rotations.iter().zip(&healthy.rotations) {
            let (Some(ours), Some(theirs)) = (ours, theirs) else { continue };
            readings.extend(rotation::compare(run, ours, theirs));
            if run.route == Route::OneShot {
                readings.extend(precision::compare(run, ours, theirs));
            }
        }
        for ((run, ours), (_, theirs)) in self.biases.iter().zip(&healthy.biases) {
            let (Some(ours), Some(theirs)) = (ours, theirs) else { continue };
            readings.extend(bias::compare(run, ours, theirs));
        }
        readings.extend(temperature::compare(&self.temperatures, &healthy.temperatures));
        readings
    }
}
