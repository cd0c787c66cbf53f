//! The numbers of a run that are followed over time.

use super::side::{Side, quantity};
use super::speed::log_ratios;
use crate::findings::Question;
use crate::measurement::Quantity;
use crate::stats::{Estimate, mean_estimate};
use crate::units::Tokens;

/// A number of a run that is followed over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Tracked {
    /// What it answers.
    pub question: Question,
    /// `nll`, `recall`, `prefill` or `decode`.
    pub quantity: Quantity,
    /// The context length in tokens; absent where documents are averaged.
    pub length: Option<u32>,
    /// Its unit: that of the quantity, or `ratio` to the unscaled arm for a time.
    pub unit: &'static str,
    /// Its value with its interval.
    pub value: Estimate,
}

/// The deployed cell's value of each quality question, and its time over the unscaled one's at each length; what has no
/// interval is left out.
#[must_use]
pub fn tracked(run: Side<'_>, trained: Tokens) -> Vec<Tracked> {
    let mut found = Vec::new();
    for question in [Question::ShortRange, Question::LongRange, Question::Retrieval] {
        let values: Vec<f64> = run.values(question, trained).into_values().collect();
        let quantity = quantity(question);
        found.extend(mean_estimate(&values).map(|value| Tracked {
            question,
            quantity,
            length: None,
            unit: quantity.unit(),
            value,
        }));
    }
    for quantity in [Quantity::Prefill, Quantity::Decode] {
        for (length, logs) in log_ratios(run, quantity).unwrap_or_default() {
            found.extend(mean_estimate(&logs).map(|log| Tracked {
                question: Question::Latency,
                quantity,
                length: Some(length),
                unit: "ratio",
                value: log.rescaled(f64::exp),
            }));
        }
    }
    found
}
