//! The known configurations, and which of them agree: cheapest prompts first, the others excluded early.

use super::agreement::rms;
use super::budget::Metered;
use super::oracle::{Candidate, Hypothesis};
use super::prompts::{Stage, residuals};
use crate::observed::Observation;
use crate::positions::{AnyMethod, HeadShape, Mechanism};
use crate::subject::SubjectError;
use crate::units::{Stretch, Tokens};

/// Factors that people deploy.
const FACTORS: [f64; 16] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 1.5, 2.5, 3.0, 5.0, 6.0, 10.0, 12.0, 20.0, 40.0, 64.0];
/// A hypothesis agrees while its residual is within so many times the noise.
pub(super) const AGREES: f64 = 3.0;

/// Candidates whose mechanisms are the same in every request of the file: no output can tell them apart.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// The first is the one to name.
    pub(super) members: Vec<Candidate>,
    mechanisms: Vec<Mechanism>,
}

impl Group {
    /// The candidate to name.
    pub(super) fn name(&self) -> &Candidate {
        &self.members[0]
    }
}

/// A group with its residual on the last stage that it was measured on.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub(super) group: Group,
    /// Root of the mean square, in nats.
    pub(super) rms: f64,
    /// How many log-probabilities.
    pub(super) n: usize,
    pub(super) residuals: Vec<Vec<f64>>,
}

/// Everything that the checkpoint can be run as, the declared one first.
pub(super) fn groups(declared: &Candidate, heads: &HeadShape, observations: &[Observation]) -> Vec<Group> {
    let mut lengths: Vec<usize> = observations.iter().map(|observation| observation.tokens.len()).collect();
    lengths.sort_unstable();
    lengths.dedup();
    let mut groups: Vec<Group> = Vec::new();
    let methods = AnyMethod::NAMES.iter().filter_map(|name| AnyMethod::named(name));
    // The declared parameters at other factors too, and the declared factor with every method.
    let methods = std::iter::once(declared.method.clone()).chain(methods);
    let every = methods.flat_map(|method| {
        let factors = FACTORS.into_iter().chain([declared.factor.0, declared.factor.0.powi(2)]);
        factors.map(move |factor| Candidate { method: method.clone(), factor: Stretch(factor) })
    });
    for candidate in std::iter::once(declared.clone()).chain(every) {
        let mechanisms: Result<Vec<Mechanism>, _> =
            lengths.iter().map(|&length| candidate.mechanism(heads, Tokens(length))).collect();
        let Ok(mechanisms) = mechanisms else { continue };
        match groups.iter_mut().find(|group| group.mechanisms == mechanisms) {
            Some(group) if group.members.contains(&candidate) => {}
            Some(group) => group.members.push(candidate),
            None => groups.push(Group { members: vec![candidate], mechanisms }),
        }
    }
    groups
}

/// What is left of the catalogue, the best first; and what was excluded, with the residual that excluded it.
#[derive(Clone, Debug, Default)]
pub(super) struct Search {
    /// Agree with every stage so far.
    pub(super) alive: Vec<Standing>,
    /// Do not, the nearest first.
    pub(super) excluded: Vec<Standing>,
    /// The longest beginning that was looked at while something agreed.
    pub(super) length: usize,
}

/// Runs every group over the stages while there is time; a group that does not agree is not asked again.
pub(super) fn search(
    oracle: &mut Metered<'_>,
    groups: Vec<Group>,
    observations: &[Observation],
    stages: &[Stage],
    noise: f64,
) -> Result<Search, SubjectError> {
    let mut alive = groups;
    let mut search = Search::default();
    for stage in stages {
        let tokens: usize = stage.beginnings.iter().map(|beginning| beginning.upto).sum();
        if !search.alive.is_empty() && !oracle.affords(tokens * alive.len()) {
            break;
        }
        let mut standings = Vec::with_capacity(alive.len());
        for group in alive {
            let rows = residuals(oracle, Hypothesis::Named(group.name()), observations, &stage.beginnings)?;
            let values = rows.concat();
            standings.push(Standing { rms: rms(&values), n: values.len(), residuals: rows, group });
        }
        standings.sort_by(|a, b| a.rms.total_cmp(&b.rms));
        let (agree, not): (Vec<_>, Vec<_>) = standings.into_iter().partition(|s| s.rms <= AGREES * noise);
        search.excluded.extend(not);
        search.length = stage.length;
        alive = agree.iter().map(|standing| standing.group.clone()).collect();
        search.alive = agree;
        if alive.is_empty() {
            break;
        }
    }
    search.excluded.sort_by(|a, b| a.rms.total_cmp(&b.rms));
    Ok(search)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::positions::{Pairing, Rope};

    #[test]
    fn what_cannot_differ_is_one_group_and_the_declared_one_names_its_own() {
        let heads = HeadShape {
            heads: 4,
            width: 128,
            head_dim: 32,
            rotary_dim: 32,
            theta: 10_000.0,
            trained: Tokens(2_048),
            pairing: Pairing::HalfSplit,
            native: AnyMethod::Rope(Rope::default()),
        };
        let declared = Candidate { method: AnyMethod::named("dynamic").unwrap_or(AnyMethod::unscaled()), factor: Stretch(4.0) };
        let request = |length: usize| Observation {
            tokens: vec![0; length],
            logprobs: vec![],
            phase: None,
            batch: None,
            dtype: None,
        };
        // Within the trained length dynamic NTK is the unscaled model.
        let short = groups(&declared, &heads, &[request(8)]);
        assert_eq!(short[0].name().label(), "dynamic x4");
        assert!(short[0].members.iter().any(|member| member.label() == "none"), "{:?}", short[0].members);
        let long = groups(&declared, &heads, &[request(8), request(4_096)]);
        assert!(!long[0].members.iter().any(|member| member.label() == "none"));
        assert!(long.len() > short.len() && long.iter().any(|group| group.name().label() == "yarn x16"));
        assert!(long.iter().all(|group| group.name().label() != "alibi"));
    }
}
