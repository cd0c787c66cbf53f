//! The known configurations, and which of them agree: cheapest prompts first, the others excluded early.

use super::agreement::{bins, rms};
use super::budget::Metered;
use super::coordinates::rotation;
use super::oracle::{Candidate, Hypothesis};
use super::prompts::{Stage, residuals};
use crate::faults::{AnyFault, Execution, Fault, FaultError, Site};
use crate::observed::Observation;
use crate::positions::{AnyMethod, HeadShape, Mechanism, Rotation};
use crate::subject::SubjectError;
use crate::units::{Stretch, Tokens};

/// Factors that people deploy.
const FACTORS: [f64; 16] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 1.5, 2.5, 3.0, 5.0, 6.0, 10.0, 12.0, 20.0, 40.0, 64.0];
/// A hypothesis agrees while its residual is within so many times the noise.
pub(super) const AGREES: f64 = 3.0;
/// In one bin of positions it may be so many times the noise: a few values scatter more.
pub(super) const AGREES_IN_A_BIN: f64 = 4.5;

/// Candidates that run the same in every request of the file: no output can tell them apart.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// The first is the one to name.
    pub(super) members: Vec<Candidate>,
    mechanisms: Vec<Mechanism>,
    execution: Execution,
}

impl Group {
    /// The candidate to name.
    pub(super) fn name(&self) -> &Candidate {
        &self.members[0]
    }

    /// Whether the answer to a request hangs on others, or on how it went through: beginnings then say nothing.
    pub(super) fn needs_company(&self) -> bool {
        self.name().faults.iter().any(|fault| matches!(fault.site(), Site::State | Site::Batch | Site::Cache))
    }

    /// Whether it is a fault of the cache, which decoding alone shows.
    pub(super) fn is_of_the_cache(&self) -> bool {
        self.name().faults.last().is_some_and(|fault| fault.site() == Site::Cache)
    }

    /// Whether the fault that was put in last shows in a request: one that was decoded, that shared its batch, that came
    /// after another one.
    pub(super) fn touches(&self, decoded: bool, shared: bool, first: bool) -> bool {
        self.name().faults.last().is_none_or(|fault| match fault.site() {
            Site::Cache => decoded,
            Site::Batch => shared,
            Site::State => !first,
            _ => true,
        })
    }

    /// Whether the mechanism alone says what it does.
    pub(super) fn is_plain(&self) -> bool {
        self.execution.is_healthy()
    }
}

/// Candidates by what they run, in order.
#[derive(Clone, Debug)]
pub(super) struct Groups<'a> {
    heads: &'a HeadShape,
    lengths: Vec<usize>,
    pub(super) groups: Vec<Group>,
}

impl<'a> Groups<'a> {
    pub(super) fn new(heads: &'a HeadShape, observations: &[Observation]) -> Self {
        let mut lengths: Vec<usize> = observations.iter().map(|observation| observation.tokens.len()).collect();
        lengths.sort_unstable();
        lengths.dedup();
        Self { heads, lengths, groups: Vec::new() }
    }

    /// Adds a candidate, unless it does not fit the heads.
    pub(super) fn add(&mut self, candidate: Candidate) {
        let Ok(injected) = candidate.injected(self.heads) else { return };
        let mechanisms: Result<Vec<Mechanism>, FaultError> =
            self.lengths.iter().map(|&length| Ok(shown(injected.mechanism(Tokens(length))?, length))).collect();
        let Ok(mechanisms) = mechanisms else { return };
        let execution = injected.execution().clone();
        let same = |group: &&mut Group| {
            group.execution == execution && group.mechanisms.iter().zip(&mechanisms).all(|(a, b)| alike(a, b))
        };
        match self.groups.iter_mut().find(same) {
            Some(group) if group.members.contains(&candidate) => {}
            Some(group) => group.members.push(candidate),
            None => self.groups.push(Group { members: vec![candidate], mechanisms, execution }),
        }
    }

    /// Adds a candidate under each fault that can change something for it and is no healthy look-alike.
    pub(super) fn add_faults(&mut self, candidate: &Candidate) {
        let Ok(injected) = candidate.injected(self.heads) else { return };
        let faults = AnyFault::all().filter(|fault| !fault.is_control() && fault.applies(injected.setting()));
        for fault in faults.filter(|fault| fault.site() != Site::Latency) {
            self.add(candidate.under(fault));
        }
    }

    /// Adds every method at every factor, and the declared method at other factors.
    pub(super) fn add_methods(&mut self, declared: &Candidate) {
        let methods = AnyMethod::NAMES.iter().filter_map(|name| AnyMethod::named(name));
        for method in std::iter::once(declared.method.clone()).chain(methods) {
            for factor in FACTORS.into_iter().chain([declared.factor.0, declared.factor.0.powi(2)]) {
                self.add(Candidate::healthy(method.clone(), Stretch(factor)));
            }
        }
    }
}

/// A mechanism as a request of that length shows it: positions are grouped beyond the window only.
fn shown(mechanism: Mechanism, length: usize) -> Mechanism {
    match mechanism {
        Mechanism::Group(grouping) if grouping.window >= length => Mechanism::Rotate(grouping.rotation),
        other => other,
    }
}

/// Whether two mechanisms are the same but for rounding.
fn alike(one: &Mechanism, other: &Mechanism) -> bool {
    let (Some(a), Some(b)) = (rotation(one), rotation(other)) else { return one == other };
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * a.abs().max(b.abs());
    let pairs = a.inverse_frequencies.iter().zip(&b.inverse_frequencies);
    let turned = Rotation {
        inverse_frequencies: b.inverse_frequencies.clone(),
        attention_factor: b.attention_factor,
        ..a.clone()
    };
    // Everything but the numbers must be equal: the form, the pairing, the decay, the groups.
    let form = match (one, other) {
        (Mechanism::Group(a), Mechanism::Group(b)) => (a.group, a.window) == (b.group, b.window),
        (Mechanism::Rotate(_), Mechanism::Rotate(_)) => true,
        _ => false,
    };
    form && turned == *b
        && a.inverse_frequencies.len() == b.inverse_frequencies.len()
        && pairs.into_iter().all(|(a, b)| near(*a, *b))
        && near(a.attention_factor, b.attention_factor)
}

/// A group with its residual on what it was measured on last.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub(super) group: Group,
    /// Root of the mean square, in nats.
    pub(super) rms: f64,
    pub(super) residuals: Vec<Vec<f64>>,
}

impl Standing {
    /// Asks for a group's residual.
    pub(super) fn of(
        oracle: &mut Metered<'_>,
        group: Group,
        observations: &[Observation],
        stage: &Stage,
    ) -> Result<Self, SubjectError> {
        let residuals = residuals(oracle, Hypothesis::Named(group.name()), observations, &stage.beginnings)?;
        Ok(Self { rms: rms(&residuals.concat()), residuals, group })
    }

    /// How many log-probabilities it rests on.
    pub(super) fn n(&self) -> usize {
        self.residuals.iter().map(Vec::len).sum()
    }

    /// Whether nothing is left but noise, anywhere.
    pub(super) fn agrees(&self, noise: f64) -> bool {
        self.rms <= AGREES * noise && bins(&self.residuals).iter().all(|bin| bin.rms <= AGREES_IN_A_BIN * noise)
    }
}

/// What is left of the catalogue, the best first; and what was excluded.
#[derive(Clone, Debug, Default)]
pub(super) struct Search {
    /// Agree with every stage so far, in the order of the catalogue.
    pub(super) alive: Vec<Standing>,
    /// Do not, those that lasted longest first, then the nearest.
    pub(super) excluded: Vec<Standing>,
    /// Whether the time was up before every group had been asked.
    pub(super) cut_short: bool,
}

/// Runs every group over the stages while there is time; a group that does not agree is not asked again.
///
/// A group that the checkpoint refuses is left out.
pub(super) fn search(
    oracle: &mut Metered<'_>,
    groups: Vec<Group>,
    observations: &[Observation],
    stages: &[Stage],
    noise: f64,
) -> Result<Search, SubjectError> {
    let mut groups = groups;
    let mut search = Search::default();
    for stage in stages {
        let tokens: usize = stage.beginnings.iter().map(|beginning| beginning.upto).sum();
        if groups.is_empty() {
            break;
        }
        if !search.alive.is_empty() && !oracle.affords(tokens * groups.len()) {
            search.cut_short = true;
            break;
        }
        let mut standings = Vec::with_capacity(groups.len());
        for (asked, group) in std::mem::take(&mut groups).into_iter().enumerate() {
            // The first is asked whatever the time: a search without any answer says nothing.
            if asked > 0 && !oracle.affords(tokens) {
                search.cut_short = true;
                break;
            }
            match Standing::of(oracle, group, observations, stage) {
                Ok(standing) => standings.push(standing),
                Err(SubjectError::Engine(_)) => {}
                Err(error @ SubjectError::OutOfMemory(_)) => return Err(error),
            }
        }
        let (agree, mut not): (Vec<_>, Vec<_>) = standings.into_iter().partition(|standing| standing.agrees(noise));
        not.sort_by(|a, b| a.rms.total_cmp(&b.rms));
        search.excluded.splice(0..0, not);
        groups = agree.iter().map(|standing| standing.group.clone()).collect();
        search.alive = agree;
    }
    Ok(search)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::positions::{Pairing, Rope};

    #[test]
    fn what_cannot_differ_is_one_group_and_the_first_names_it() {
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
        let method = AnyMethod::named("dynamic").unwrap_or(AnyMethod::unscaled());
        let declared = Candidate::healthy(method, Stretch(4.0));
        let request = |length: usize| Observation {
            tokens: vec![0; length],
            logprobs: vec![],
            phase: None,
            batch: None,
            dtype: None,
        };
        let all = |file: &[Observation]| {
            let mut groups = Groups::new(&heads, file);
            groups.add(declared.clone());
            groups.add_faults(&declared);
            groups.add_methods(&declared);
            groups.groups
        };
        // Within the trained length dynamic NTK is the unscaled model.
        let short = all(&[request(8)]);
        assert_eq!(short[0].name().label(), "dynamic x4");
        assert!(short[0].members.iter().any(|member| member.label() == "none"), "{:?}", short[0].members);
        let long = all(&[request(8), request(4_096)]);
        assert!(!long[0].members.iter().any(|member| member.label() == "none"));
        assert!(long.iter().any(|group| group.name().label() == "yarn x16"));
        assert!(long.iter().all(|group| group.name().label() != "alibi"));
        assert!(long.iter().any(|group| !group.is_plain() && group.name().label() == "dynamic x4 under table_wraps"));
    }
}
