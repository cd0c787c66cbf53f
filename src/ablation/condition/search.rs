//! Which hypothesis is replayed next, and when the search ends.
//!
//! A hypothesis is one fault of the catalogue, or two. It is asked the cheapest requests that tell first, and given up at the
//! first one that it answers otherwise than the deployment; the few that survive are asked everything. The order is that of
//! the places that the battery blames, so that most searches end after a handful of short requests.

use std::collections::BTreeMap;

use super::marks::Mark;
use super::signature::{MATERIAL, Signature};
use crate::faults::{AnyFault, Fault, Site};
use crate::measurement::{Quantity, Reading};
use crate::probes::battery::CHEAP;

/// More hypotheses than this are not replayed; a pair of faults is then searched among the likeliest only.
const MOST_TRIALS: usize = 600;

/// A fault under the name that it has in the catalogue.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The name that the diagnosis gives.
    pub name: String,
    /// What is injected to try it.
    pub fault: AnyFault,
}

/// The whole catalogue, each fault under its own name, with its default parameters.
#[must_use]
pub fn catalogue() -> Vec<Candidate> {
    AnyFault::all().map(|fault| Candidate { name: fault.name().to_owned(), fault }).collect()
}

/// How far a hypothesis is from the deployment on one witness, nats per token: in the mean, and in the worst bin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distance {
    /// Mean over tokens.
    pub mean: f64,
    /// Mean in the worst bin.
    pub worst: f64,
}

/// A hypothesis and what its replays said.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// One or two candidates.
    pub candidates: Vec<Candidate>,
    /// Distance from the deployment by witness; witnesses that were not asked are absent.
    pub distances: BTreeMap<String, Distance>,
    /// Whether it answers every witness of the battery as the deployment does.
    pub exact: bool,
}

impl Trial {
    /// The candidates' names, joined by ` + `.
    #[must_use]
    pub fn name(&self) -> String {
        self.candidates.iter().map(|candidate| candidate.name.as_str()).collect::<Vec<_>>().join(" + ")
    }

    /// Share of the difference that it explains on the witnesses that it was asked, at most 1.
    #[must_use]
    pub fn explained(&self, signature: &Signature) -> f64 {
        let shares: Vec<f64> = signature
            .divergent
            .iter()
            .filter_map(|one| Some(1.0 - self.distances.get(&one.witness)?.mean / one.mean))
            .filter(|share| share.is_finite())
            .collect();
        crate::stats::mean(&shares).unwrap_or(0.0)
    }

    /// The trial in the rows of a hypothesis.
    #[must_use]
    pub fn of(candidates: Vec<Candidate>, readings: &[Reading], signature: &Signature) -> Self {
        let mut distances = BTreeMap::new();
        for reading in readings.iter().filter(|reading| reading.quantity == Quantity::Disagreement) {
            if !distances.contains_key(&reading.probe) {
                let own: Vec<Reading> = readings.iter().filter(|other| other.probe == reading.probe).cloned().collect();
                distances.extend(distance(&own).map(|distance| (reading.probe.clone(), distance)));
            }
        }
        let mut trial = Self { candidates, distances, exact: false };
        let differ = signature.divergent.iter().map(|one| &one.witness);
        trial.exact = differ.chain(&signature.alike).all(|witness| trial.agrees(witness));
        trial
    }

    /// Whether it agrees on a witness.
    fn agrees(&self, witness: &str) -> bool {
        self.distances.get(witness).is_some_and(agrees)
    }
}

/// The distance in the rows of one witness; nothing without rows.
#[must_use]
pub fn distance(readings: &[Reading]) -> Option<Distance> {
    let value = |repeat: u32| {
        let rows = readings.iter().filter(|row| row.quantity == Quantity::Disagreement && row.repeat == repeat);
        rows.map(|row| row.value).reduce(f64::max)
    };
    Some(Distance { mean: value(0)?, worst: value(1)? })
}

/// Whether a distance is agreement: no bin differs by more than two sound kernels do.
fn agrees(distance: &Distance) -> bool {
    distance.worst <= MATERIAL
}

/// What the search may ask: the distance of an engine with these faults from the deployment on a witness; nothing where the
/// engine cannot be made or refuses.
pub type Ask<'a, E> = &'a mut dyn FnMut(&[AnyFault], &str) -> Result<Option<Distance>, E>;

/// The search over the catalogue.
pub struct Search<'a> {
    /// What is to be explained.
    pub signature: &'a Signature,
    /// The places that the battery blames.
    pub marks: &'a [Mark],
    /// The candidates that can matter under the declared method.
    pub catalogue: &'a [Candidate],
    /// The same candidates with parameters that the battery reads, tried where no default agrees.
    pub refined: &'a [Candidate],
    /// Every witness with its cost in tokens.
    pub costs: &'a [(String, usize)],
}

impl Search<'_> {
    /// Replays hypotheses until one answers everything as the deployment does, or the catalogue is exhausted.
    ///
    /// # Errors
    /// What `ask` fails with.
    pub fn run<E>(&self, ask: Ask<'_, E>) -> Result<Vec<Trial>, E> {
        let mut trials = Vec::new();
        if self.signature.divergent.is_empty() {
            return Ok(trials);
        }
        let telling = self.telling();
        for candidates in [self.blamed(), self.others()] {
            for candidate in candidates {
                let trial = self.try_out(vec![candidate.clone()], &telling, true, ask)?;
                trials.push(trial);
            }
            if trials.iter().any(|trial| trial.exact) {
                return Ok(trials);
            }
        }
        for candidate in self.refined {
            trials.push(self.try_out(vec![candidate.clone()], &telling, false, ask)?);
        }
        if trials.iter().any(|trial| trial.exact) {
            return Ok(trials);
        }
        let healthy = Self::healthy(&telling, ask)?;
        for pair in self.pairs(&trials, &telling, &healthy) {
            let trial = self.try_out(pair, &telling, false, ask)?;
            let found = trial.exact;
            trials.push(trial);
            if found || trials.len() >= MOST_TRIALS {
                break;
            }
        }
        Ok(trials)
    }

    /// The cheap witnesses that differ (every single fault is asked all of them), cheapest first; the cheapest that differs where none is cheap.
    fn telling(&self) -> Vec<&str> {
        let mut all: Vec<&(String, usize)> = self
            .costs
            .iter()
            .filter(|(name, _)| self.signature.divergent.iter().any(|one| one.witness == *name))
            .collect();
        all.sort_by_key(|(_, cost)| *cost);
        let cheap = all.iter().filter(|(_, cost)| *cost <= CHEAP).count().max(1);
        all.into_iter().take(cheap).map(|(name, _)| name.as_str()).collect()
    }

    fn is_blamed(&self, candidate: &Candidate) -> bool {
        self.marks.iter().any(|mark| mark.site == candidate.fault.site())
    }

    /// Candidates of the blamed places, in the order of the marks.
    fn blamed(&self) -> Vec<&Candidate> {
        let mut sites: Vec<Site> = self.marks.iter().map(|mark| mark.site).collect();
        sites.dedup();
        sites
            .iter()
            .flat_map(|site| self.catalogue.iter().filter(|candidate| candidate.fault.site() == *site))
            .collect()
    }

    fn others(&self) -> Vec<&Candidate> {
        self.catalogue.iter().filter(|candidate| !self.is_blamed(candidate)).collect()
    }

    /// Asks a hypothesis the witnesses that tell, and every other one if it agrees on all of them.
    ///
    /// `all` asks every cheap witness that tells, which shows what one of two faults explains by itself.
    fn try_out<E>(&self, candidates: Vec<Candidate>, telling: &[&str], all: bool, ask: Ask<'_, E>) -> Result<Trial, E> {
        let faults: Vec<AnyFault> = candidates.iter().map(|candidate| candidate.fault.clone()).collect();
        let mut trial = Trial { candidates, distances: BTreeMap::new(), exact: false };
        let mut agreed = true;
        for witness in telling {
            let Some(distance) = ask(&faults, witness)? else { return Ok(trial) };
            trial.distances.insert((*witness).to_owned(), distance);
            agreed &= trial.agrees(witness);
            if !agreed && !all {
                return Ok(trial);
            }
        }
        if !agreed {
            return Ok(trial);
        }
        let mut rest: Vec<&(String, usize)> =
            self.costs.iter().filter(|(name, _)| !telling.contains(&name.as_str())).collect();
        rest.sort_by_key(|(_, cost)| *cost);
        for (witness, _) in rest {
            // What the healthy replay or the deployment refuses says nothing.
            let known = self.signature.alike.contains(witness)
                || self.signature.divergent.iter().any(|one| one.witness == *witness);
            if !known {
                continue;
            }
            let Some(distance) = ask(&faults, witness)? else { return Ok(trial) };
            trial.distances.insert(witness.clone(), distance);
            if !trial.agrees(witness) {
                return Ok(trial);
            }
        }
        trial.exact = true;
        Ok(trial)
    }

    /// How far the replay without any fault is from the deployment on the witnesses that tell.
    fn healthy<E>(telling: &[&str], ask: Ask<'_, E>) -> Result<BTreeMap<String, f64>, E> {
        let mut healthy = BTreeMap::new();
        for witness in telling {
            healthy.extend(ask(&[], witness)?.map(|distance| ((*witness).to_owned(), distance.mean)));
        }
        Ok(healthy)
    }

    /// Pairs worth trying, likeliest first.
    ///
    /// Where only one of two faults acts on some request, it agrees there by itself: such singles lead, the others follow.
    /// Two that both leave a request as the healthy replay answers it, and the deployment does not, come last.
    fn pairs(&self, trials: &[Trial], telling: &[&str], healthy: &BTreeMap<String, f64>) -> Vec<Vec<Candidate>> {
        let singles: Vec<(&Candidate, &Trial)> = trials
            .iter()
            .filter_map(|trial| Some((trial.candidates.first()?, trial)))
            .filter(|(candidate, _)| self.catalogue.contains(candidate))
            .collect();
        let alone = |trial: &Trial| telling.iter().filter(|witness| trial.agrees(witness)).count();
        // Answers are those of the healthy replay, bit for bit, where a fault does not act.
        let acts = |trial: &Trial, witness: &str| {
            let both = trial.distances.get(witness).map(|distance| distance.mean).zip(healthy.get(witness));
            both.is_none_or(|(own, healthy)| !own.is_finite() || (own - healthy).abs() > f64::EPSILON * healthy)
        };
        let mut ranked: Vec<(bool, u8, i64, usize, usize)> = Vec::new();
        for (i, (a, one)) in singles.iter().enumerate() {
            for (j, (b, other)) in singles.iter().enumerate().skip(i + 1) {
                let anchored = alone(one) + alone(other) > 0;
                let blamed = u8::from(self.is_blamed(a)) + u8::from(self.is_blamed(b));
                let rank = match (anchored, blamed) {
                    (true, 2) => 0,
                    (true, 1) => 1,
                    (false, 2) => 2,
                    (true, _) => 3,
                    (false, 1) => 4,
                    (false, _) => 5,
                };
                // Of equals, those that explain more by themselves come first.
                let explained = one.explained(self.signature) + other.explained(self.signature);
                let idle = telling.iter().any(|witness| !acts(one, witness) && !acts(other, witness));
                ranked.push((idle, rank, (-1e6 * explained) as i64, i, j));
            }
        }
        ranked.sort_unstable();
        let candidate = |index: usize| singles.get(index).map(|(candidate, _)| (*candidate).clone());
        ranked.into_iter().filter_map(|(_, _, _, i, j)| Some(vec![candidate(i)?, candidate(j)?])).collect()
    }
}
