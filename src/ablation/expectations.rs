//! What the scenario expected, beside what was found.

use std::collections::BTreeMap;

use crate::findings::{Axis, Cause, Expectation, Question};

/// Every expectation with the axis of the question's first cause.
pub(super) fn expectations(expected: &BTreeMap<Question, Axis>, causes: &[Cause]) -> Vec<Expectation> {
    expected
        .iter()
        .map(|(&question, &expected)| {
            let first = causes.iter().find(|cause| cause.question == question);
            let found = first.map_or(Axis::Undecided, |cause| cause.axis);
            // A question that was not asked meets nothing, not even `undecided`.
            Expectation { question, expected, found, met: first.is_some() && found == expected }
        })
        .collect()
}
