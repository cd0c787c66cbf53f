//! What may differ behind a single token although the weights are the same: context that was lost, or left over.

use serde_json::json;

use super::budget::Metered;
use super::onsets::COUNTS;
use super::oracle::{Candidate, Hypothesis, Oracle};
use super::prompts::{Stage, residuals};
use super::weights::{self, Weights, WeightsCheck};
use crate::faults::AnyFault;
use crate::observed::Observation;
use crate::positions::{AnyMethod, Mechanism};
use crate::subject::SubjectError;
use crate::units::Tokens;

/// What leaves so much less is the reason.
const MUCH_LESS: f64 = 4.0;

/// A configuration under which the weights are the checkpoint's after all.
pub(super) struct Explained {
    pub(super) candidate: Candidate,
    pub(super) check: WeightsCheck,
    /// The engine's noise under it, in nats.
    pub(super) noise: f64,
}

/// The first configuration under which the weights agree, though they do not under the declared one.
///
/// Behind a single token stands more than that token where keys of the request before are left over, where the first token
/// is lost or padding is seen, and where positions are added to embeddings.
pub(super) fn explained(
    oracle: &mut Metered<'_>,
    declared: &Candidate,
    observations: &[Observation],
    (whole, before): (&Stage, &WeightsCheck),
) -> Result<Option<Explained>, SubjectError> {
    for candidate in candidates(oracle, declared) {
        if !oracle.affords(whole.values()) {
            return Ok(None);
        }
        let left = match residuals(oracle, Hypothesis::Named(&candidate), observations, &whole.beginnings) {
            Ok(left) => left,
            // The checkpoint refuses it.
            Err(SubjectError::Engine(_)) => continue,
            Err(error @ SubjectError::OutOfMemory(_)) => return Err(error),
        };
        let (check, noise) = weights::check(observations, &whole.beginnings, &left);
        if check.weights == Weights::Same && MUCH_LESS * check.rms < before.rms {
            return Ok(Some(Explained { candidate, check, noise }));
        }
    }
    Ok(None)
}

fn candidates(oracle: &Metered<'_>, declared: &Candidate) -> Vec<Candidate> {
    let left_over = COUNTS.map(|tokens| json!({ "left_over_keys": { "tokens": tokens } }));
    let faults = left_over.into_iter().filter_map(|written| serde_json::from_value(written).ok());
    let lost = ["missing_bos", "padding_seen"].into_iter().filter_map(AnyFault::named);
    let mut found: Vec<Candidate> = faults.chain(lost).map(|fault| declared.under(fault)).collect();
    let healthy = Candidate::healthy(declared.method.clone(), declared.factor);
    if !declared.faults.is_empty() {
        found.insert(0, healthy.clone());
    }
    let mechanism = healthy.injected(oracle.heads()).ok().and_then(|injected| injected.mechanism(Tokens(8)).ok());
    if matches!(mechanism, Some(Mechanism::Add(_))) {
        found.extend(AnyMethod::named("nope").map(|nope| Candidate::healthy(nope, declared.factor)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_of_the_list_exists() {
        assert!(["missing_bos", "padding_seen"].into_iter().all(|name| AnyFault::named(name).is_some()));
        let left_over = serde_json::from_value::<AnyFault>(json!({ "left_over_keys": { "tokens": 4 } }));
        assert!(left_over.is_ok_and(|fault| fault.label() == "left_over_keys (tokens 4)"));
        assert!(AnyMethod::named("nope").is_some());
    }
}
