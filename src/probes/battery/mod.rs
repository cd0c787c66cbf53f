//! The parity battery: a deployment beside the healthy replay of what it declares.
//!
//! Each [`Check`] is a file with one or more [`Witness`]es: requests to a fresh process whose answers tell one kind of fault
//! from the others. A subject's answers are recorded once ([`record`]) and compared afterwards ([`divergences`],
//! [`disagreements`]): with the healthy replay's, with the subject's own to an equivalent request, and with those of every
//! hypothesis. [`inside`] reads what an engine does to queries, keys and scores, where it lets itself be asked.

mod alone;
mod batch;
mod bias;
mod cached;
mod chunked;
mod compare;
mod far;
mod inside;
mod one_shot;
mod order;
mod precision;
mod reach;
mod rotation;
mod temperature;
mod witness;

pub use compare::{disagreements, divergences};
pub use inside::{Inside, inside};
pub use reach::reach;
pub use rotation::unwrapped_ratio;
pub use witness::{Answer, Answers, CHEAP, Family, Record, Text, Witness, add_alike, record, record_one};

/// A kind of request, or of pairs of requests, that faults answer in their own ways.
pub trait Check: Sync {
    /// The name in rows: `one_shot`.
    fn name(&self) -> &'static str;

    /// What it compares, in one sentence, for `gyro list probes`.
    fn summary(&self) -> &'static str;

    /// Its requests over a text; empty where it reads the engine's insides instead.
    fn witnesses(&self, text: &Text<'_>) -> Vec<Witness> {
        let _ = text;
        Vec::new()
    }
}

/// Every check, the cheapest first.
pub const CHECKS: [&dyn Check; 12] = [
    &alone::Alone,
    &far::Far,
    &cached::Cached,
    &chunked::Chunked,
    &batch::Batch,
    &one_shot::OneShot,
    &order::Order,
    &reach::Reach,
    &rotation::Rotation,
    &bias::Bias,
    &temperature::Temperature,
    &precision::Precision,
];

/// The witnesses of every check over a text, in the order of [`CHECKS`].
#[must_use]
pub fn witnesses(text: &Text<'_>) -> Vec<Witness> {
    CHECKS.iter().flat_map(|check| check.witnesses(text)).collect()
}
