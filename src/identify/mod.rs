//! Identification: from an engine's log-probabilities to the positional configuration that it really runs.
//!
//! A pure search over an [`Oracle`], which says what a checkpoint answers under any hypothesis. First the weights are
//! checked where positions cannot matter; then the known configurations are replayed, cheapest prompts first, until one
//! agrees to the engine's noise; where none does the numbers themselves are recovered ([`Recovered`]) and named by the
//! nearest known spectrum. What no static spectrum explains is described by where it appears ([`Anomaly`]).

mod agreement;
mod anomalies;
mod budget;
mod catalogue;
mod classify;
mod context;
mod coordinates;
mod fit;
mod identification;
mod linear;
mod onsets;
mod oracle;
mod prompts;
mod recovery;
mod sentence;
mod valley;
mod weights;

pub use agreement::Bin;
pub use anomalies::{Anomaly, Shape};
pub use classify::{Attention, Nearest};
pub use identification::{Declared, Excluded, IDENTIFIED, Identification, Interval, Match, Recovered, Verdict};
pub use oracle::{Candidate, Configuration, Hypothesis, Oracle, Prompt};
pub use weights::{Weights, WeightsCheck, precision};

use agreement::{bins, largest, smaller};
use budget::Metered;
use catalogue::{Group, Groups, Standing};
use prompts::{Stage, stages, whole};

use crate::observed::{Observation, Phase};
use crate::subject::SubjectError;
use crate::units::Seconds;

/// What is asked of the identification.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// What the engine answered.
    pub observations: &'a [Observation],
    /// The configuration that was meant.
    pub declared: Candidate,
    /// How long it may take; nothing: as long as it takes.
    pub budget: Option<Seconds>,
}

/// The longest beginning of a request that a spectrum is recovered from.
const LONGEST: usize = 2_048;
/// A replay that resolves less than this, in nats, is one of a small checkpoint in double precision.
const EXACT: f64 = 1e-8;
/// Student's statistic from which on one configuration fits better than another beyond doubt.
const BETTER: f64 = 5.0;
/// A residual up to so many times the noise is nothing but noise.
const CLOSE: f64 = 1.2;
/// So many excluded configurations are listed.
const LISTED: usize = 12;

/// Finds out what the engine runs.
///
/// # Errors
/// [`SubjectError`] when memory or the replay fails under the declared configuration.
pub fn identify(oracle: &mut dyn Oracle, question: &Question<'_>) -> Result<Identification, SubjectError> {
    let mut search = Inquiry::new(oracle, question)?;
    if search.found.weights.weights == Weights::Same {
        search.compare()?;
    }
    Ok(search.finish())
}

/// An identification on its way.
struct Inquiry<'a> {
    oracle: Metered<'a>,
    observations: &'a [Observation],
    declared: &'a Candidate,
    stages: Vec<Stage>,
    whole: Stage,
    /// What the declared configuration leaves of whole requests.
    declared_left: Vec<Vec<f64>>,
    /// Whether the time does not reach for whole requests, so that beginnings alone are compared.
    shortened: bool,
    /// The fault of context that explains what stands behind a single token, where the weights alone do not.
    context: Option<Candidate>,
    /// The plain configurations that lasted longest and came nearest.
    near: Vec<Candidate>,
    found: Identification,
}

impl<'a> Inquiry<'a> {
    /// Checks the weights and the declared configuration.
    fn new(oracle: &'a mut dyn Oracle, question: &'a Question<'_>) -> Result<Self, SubjectError> {
        let mut oracle = Metered::new(oracle, question.budget);
        let (observations, declared) = (question.observations, &question.declared);
        let stages = stages(observations, usize::MAX);
        let named = Hypothesis::Named(declared);
        let first = stages.first().map(|stage| stage.beginnings.clone()).unwrap_or_default();
        let left = prompts::residuals(&mut oracle, named, observations, &first)?;
        let (mut check, mut noise) = weights::check(observations, &first, &left);
        let mut whole = whole(observations);
        let mut context = None;
        if matches!(check.weights, Weights::Close | Weights::Other)
            && let Some(found) = context::explained(&mut oracle, declared, observations, (&whole, &check))?
        {
            (check, noise, context) = (found.check, found.noise, Some(found.candidate));
        }
        let shortened = check.weights == Weights::Same && !oracle.affords(whole.values());
        if check.weights != Weights::Same || shortened {
            // Nothing more can be learned of positions, or there is no time for it.
            whole = Stage { length: stages.first().map_or(0, |stage| stage.length), beginnings: first };
        }
        let declared_left = prompts::residuals(&mut oracle, named, observations, &whole.beginnings)?;
        let values = declared_left.concat();
        let found = Identification {
            noise,
            declared: Declared {
                method: declared.method.name().to_owned(),
                factor: declared.factor.0,
                agrees: false,
                rms: agreement::rms(&values),
                n: values.len(),
            },
            matched: None,
            recovered: None,
            anomalies: Vec::new(),
            verdict: Verdict::Unknown,
            sentence: String::new(),
            weights: check,
            agreement: bins(&declared_left),
            excluded: Vec::new(),
            cut_short: shortened,
        };
        let near = Vec::new();
        Ok(Self { oracle, observations, declared, stages, whole, declared_left, shortened, context, near, found })
    }

    /// Compares with what is known, and recovers the numbers where nothing known agrees.
    fn compare(&mut self) -> Result<(), SubjectError> {
        let heads = self.oracle.heads().clone();
        let mut known = Groups::new(&heads, self.observations);
        known.add(self.declared.clone());
        self.context.iter().for_each(|candidate| known.add(candidate.clone()));
        known.add_faults(self.declared);
        known.add_methods(self.declared);
        let order: Vec<Candidate> = known.groups.iter().map(|group| group.name().clone()).collect();
        let (plain, executed): (Vec<Group>, Vec<Group>) = known.groups.into_iter().partition(Group::is_plain);
        let mut agree = self.agreeing(plain)?;
        // What leaves more than the noise may still be a neighbour of what runs.
        if agree.iter().all(|standing| standing.rms > CLOSE * self.found.noise) {
            let (executed, vain): (Vec<Group>, Vec<Group>) =
                executed.into_iter().chain(self.at_onsets(&heads)).partition(|group| !self.fails_without(group));
            let vain: Vec<Excluded> = vain.iter().map(|group| self.as_declared(group)).collect();
            self.found.excluded.extend(vain);
            agree.extend(self.agreeing(executed)?);
        }
        match self.choose(agree, &order) {
            Some(chosen) => self.take(&chosen),
            None => self.recover(&heads)?,
        }
        Ok(())
    }

    /// Whether the declared configuration fails where a fault of it cannot show, so that the fault is not the reason.
    fn fails_without(&self, group: &Group) -> bool {
        let untouched: Vec<f64> = (self.whole.beginnings.iter().zip(&self.declared_left))
            .filter(|(beginning, _)| {
                let request = beginning.request;
                let decoded = self.observations[request].phase() == Phase::Decode;
                group.needs_company()
                    && !group.touches(decoded, prompts::shared(self.observations, request), request == 0)
            })
            .flat_map(|(_, left)| left.iter().copied())
            .collect();
        agreement::rms(&untouched) > catalogue::AGREES_IN_A_BIN * self.found.noise
    }

    /// A configuration that leaves what the declared one leaves.
    fn as_declared(&self, group: &Group) -> Excluded {
        let Declared { rms, n, .. } = self.found.declared;
        Excluded { label: group.name().label(), rms, n }
    }

    /// The declared configuration under faults whose number the place where it fails suggests.
    fn at_onsets(&self, heads: &crate::positions::HeadShape) -> Vec<Group> {
        let trained = heads.trained.0;
        let shapes =
            anomalies::find(self.observations, &self.whole.beginnings, &self.declared_left, self.found.noise, trained);
        let mut groups = Groups::new(heads, self.observations);
        for fault in shapes.iter().flat_map(onsets::faults) {
            groups.add(self.declared.under(fault));
        }
        groups.groups
    }

    /// Runs groups over beginnings, then those that agree over whole requests, and returns those that agree there too.
    fn agreeing(&mut self, groups: Vec<Group>) -> Result<Vec<Standing>, SubjectError> {
        let noise = self.found.noise;
        let taste = self.stages.first().map(|stage| prompts::taste(stage, self.oracle.resolution() > EXACT));
        let stages: Vec<Stage> = taste.into_iter().chain(self.stages.iter().cloned()).collect();
        let (company, local) = groups.into_iter().partition(Group::needs_company);
        let search = catalogue::search(&mut self.oracle, local, self.observations, &stages, noise)?;
        for standing in search.alive.iter().chain(&search.excluded).filter(|standing| standing.group.is_plain()) {
            self.near.push(standing.group.name().clone());
        }
        for standing in &search.excluded {
            self.exclude(standing);
        }
        self.found.cut_short |= search.cut_short;
        let alive = search.alive.into_iter().map(|standing| standing.group);
        self.agreeing_whole(alive.chain::<Vec<Group>>(company).collect())
    }

    /// Those that agree over whole requests.
    fn agreeing_whole(&mut self, groups: Vec<Group>) -> Result<Vec<Standing>, SubjectError> {
        let noise = self.found.noise;
        let mut agree: Vec<Standing> = Vec::new();
        let decoded = prompts::shortest_decoded(self.observations);
        for group in groups {
            // What the declared configuration leaves is known already.
            if !group.members.contains(self.declared) && !self.oracle.affords(self.whole.values()) {
                self.found.cut_short = true;
                break;
            }
            // Decoding is dear: a short request says it of most faults of the cache.
            if let Some(decoded) = decoded.as_ref().filter(|_| group.is_of_the_cache()) {
                match self.stands(group.clone(), decoded)? {
                    Some(there) if there.agrees(noise) => {}
                    Some(there) => {
                        self.exclude(&there);
                        continue;
                    }
                    None => continue,
                }
            }
            let known = group.members.contains(self.declared).then(|| self.declared_left.clone());
            let there = match known {
                Some(residuals) => Some(Standing { rms: agreement::rms(&residuals.concat()), residuals, group }),
                None => self.stands(group, &self.whole.clone())?,
            };
            let Some(there) = there else { continue };
            if there.agrees(noise) && self.is_even(&there) { agree.push(there) } else { self.exclude(&there) }
        }
        Ok(agree)
    }

    /// What a group leaves of a stage; nothing where the checkpoint refuses it.
    fn stands(&mut self, group: Group, stage: &Stage) -> Result<Option<Standing>, SubjectError> {
        match Standing::of(&mut self.oracle, group, self.observations, stage) {
            Ok(there) => Ok(Some(there)),
            Err(SubjectError::Engine(_)) => Ok(None),
            Err(error @ SubjectError::OutOfMemory(_)) => Err(error),
        }
    }

    /// Notes the configuration that agrees, what fits as well, and repeats that it does not explain.
    fn take(&mut self, chosen: &Chosen) {
        let best = &chosen.best;
        let values = best.residuals.concat();
        let name = best.group.name();
        self.found.agreement = bins(&best.residuals);
        self.found.declared.agrees = best.group.members.contains(self.declared);
        self.found.verdict = if self.found.declared.agrees { Verdict::AsDeclared } else { Verdict::Other };
        self.found.matched = Some(Match {
            method: name.method.name().to_owned(),
            factor: name.factor.0,
            runs: name.method.clone(),
            fault: name.condition(),
            conditions: name.faults.clone(),
            rms: best.rms,
            max: largest(&values),
            n: values.len(),
            also: best.group.members.iter().skip(1).map(Candidate::label).collect(),
            undecided: chosen.as_good.iter().map(listed).collect(),
        });
        // A fault of state or of batches is why the same tokens get different answers.
        if !best.group.needs_company() {
            self.found.anomalies = anomalies::repeats(self.observations, self.found.noise);
        }
    }

    /// Whether a configuration leaves no shape by phase, order or batch.
    fn is_even(&self, standing: &Standing) -> bool {
        let trained = self.oracle.heads().trained.0;
        let (noise, beginnings) = (self.found.noise, &self.whole.beginnings);
        anomalies::left(self.observations, beginnings, &standing.residuals, noise, trained).is_empty()
    }

    fn exclude(&mut self, standing: &Standing) {
        self.found.excluded.push(listed(standing));
    }

    /// The first in the order of the catalogue that nothing is better than beyond doubt.
    fn choose(&mut self, mut agree: Vec<Standing>, order: &[Candidate]) -> Option<Chosen> {
        let best = agree.iter().min_by(|a, b| a.rms.total_cmp(&b.rms))?.residuals.concat();
        agree.sort_by_key(|standing| {
            order.iter().position(|candidate| candidate == standing.group.name()).unwrap_or(usize::MAX)
        });
        let good = |standing: &Standing| smaller(&best, &standing.residuals.concat()) < BETTER;
        let best = agree.remove(agree.iter().position(good)?);
        let (as_good, beaten): (Vec<Standing>, Vec<Standing>) = agree.into_iter().partition(good);
        for standing in &beaten {
            self.exclude(standing);
        }
        Some(Chosen { best, as_good })
    }

    fn finish(mut self) -> Identification {
        self.found.cut_short |= !self.oracle.affords(0);
        self.found.excluded.sort_by(|a, b| b.n.cmp(&a.n).then(a.rms.total_cmp(&b.rms)));
        self.found.excluded.truncate(LISTED);
        let compared = self.shortened.then_some(self.whole.length);
        self.found.sentence = sentence::sentence(&self.found, &self.declared.label(), compared);
        self.found
    }
}

/// The configuration to name, and those that nothing tells from it.
struct Chosen {
    best: Standing,
    as_good: Vec<Standing>,
}

fn listed(standing: &Standing) -> Excluded {
    Excluded { label: standing.group.name().label(), rms: standing.rms, n: standing.n() }
}
