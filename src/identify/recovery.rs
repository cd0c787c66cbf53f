//! Recovery: where nothing known agrees, the numbers themselves.

use super::catalogue::{Groups, Standing};
use super::classify::{Logarithm, Nearest, nearest};
use super::coordinates::Kind;
use super::fit::{Fitted, fit};
use super::identification::{Interval, Recovered, Verdict};
use super::oracle::{Candidate, Configuration, Hypothesis, Oracle};
use super::{Attention, BETTER, Chosen, EXACT, Inquiry, LONGEST, Shape, Stage, agreement, anomalies, bins, prompts};
use crate::positions::{AnyMethod, HeadShape};
use crate::subject::SubjectError;
use crate::units::{Stretch, Tokens};

/// A fit of so many unknowns is cheap.
const FEW: usize = 64;
/// So many log-probabilities for each unknown where a fit is dear.
const VALUES_FOR_EACH: usize = 8;
/// Rounding behind many tokens is at most so many times that behind a single one.
const ROUNDING: f64 = 6.0;
/// So many of the nearest known configurations are tried as starts.
const STARTS: usize = 3;

impl Inquiry<'_> {
    /// Recovers the numbers, names the nearest known configuration, and describes what is left.
    pub(super) fn recover(&mut self, heads: &HeadShape) -> Result<(), SubjectError> {
        let mut best: Option<Fitted> = None;
        for start in self.starts(heads) {
            if !self.oracle.affords(0) {
                self.found.cut_short = true;
                break;
            }
            let configuration = Configuration { learned: self.oracle.learned(), ..start };
            let short = self.stages_of_a_fit(heads);
            let fitted = fit(&mut self.oracle, self.observations, &short, &configuration, self.found.noise)?;
            let Some(fitted) = fitted else { continue };
            let cut_short = fitted.cut_short;
            self.found.cut_short |= cut_short;
            let explains_all = short.last().is_some_and(|stage| stage.length == fitted.length);
            if best.as_ref().is_none_or(|best| (best.length, -best.rms) < (fitted.length, -fitted.rms)) {
                best = Some(fitted);
            }
            if explains_all || cut_short {
                break;
            }
        }
        let Some(fitted) = best else {
            self.describe_rest(None)?;
            return Ok(());
        };
        let recovered = report(&fitted, heads);
        if let Some(candidate) = recovered.nearest.as_ref().and_then(named) {
            // A factor that is in no list: the search for exact agreement once more.
            let mut groups = Groups::new(heads, self.observations);
            groups.add(candidate.clone());
            let healthy = groups.groups.len();
            groups.add_faults(&candidate);
            let order: Vec<Candidate> = groups.groups.iter().map(|group| group.name().clone()).collect();
            let faulty = groups.groups.split_off(healthy);
            let agree = self.agreeing(groups.groups)?;
            let mut best = self.choose(agree, &order);
            if best.is_none() {
                let rounded = self.within_rounding(&candidate, &fitted, heads)?;
                best = rounded.map(|best| Chosen { best, as_good: Vec::new() });
            }
            if best.is_none() {
                let agree = self.agreeing(faulty)?;
                best = self.choose(agree, &order);
            }
            if let Some(best) = best {
                self.take(&best);
                self.found.recovered = Some(recovered);
                return Ok(());
            }
        }
        self.describe_rest(Some(&fitted))?;
        self.found.verdict = Verdict::Other;
        self.found.recovered = Some(recovered);
        Ok(())
    }

    /// The nearest configuration, where what it leaves is the engine's own rounding: no spectrum leaves less, and all that can
    /// be said of it is that it grows.
    ///
    /// Behind a single token scores are not rounded, so an engine that computes or caches them in 16 bits is noisier later.
    fn within_rounding(
        &mut self,
        candidate: &Candidate,
        fitted: &Fitted,
        heads: &HeadShape,
    ) -> Result<Option<Standing>, SubjectError> {
        if !self.oracle.affords(2 * self.whole.values()) {
            return Ok(None);
        }
        let mut groups = Groups::new(heads, self.observations);
        groups.add(self.declared.clone());
        groups.add(candidate.clone());
        let Some(group) = groups.groups.into_iter().find(|group| group.members.contains(candidate)) else {
            return Ok(None);
        };
        let standing = Standing::of(&mut self.oracle, group, self.observations, &self.whole)?;
        let configuration = fitted.configuration();
        let numbers = Hypothesis::Numbers(&configuration);
        let recovered = prompts::residuals(&mut self.oracle, numbers, self.observations, &self.whole.beginnings)?;
        let shapes = anomalies::left(
            self.observations,
            &self.whole.beginnings,
            &standing.residuals,
            self.found.noise,
            heads.trained.0,
        );
        let rounds = standing.rms <= ROUNDING * self.found.noise
            && shapes.iter().all(|anomaly| anomaly.shape == Shape::Growing)
            && agreement::smaller(&recovered.concat(), &standing.residuals.concat()) < BETTER;
        if rounds {
            self.found.noise = self.found.noise.max(standing.rms);
        }
        Ok(rounds.then_some(standing))
    }

    /// Beginnings for a fit: all of them, or, where it is dear, some for each unknown.
    fn stages_of_a_fit(&self, heads: &HeadShape) -> Vec<Stage> {
        let stages = self.stages.iter().filter(|stage| stage.length <= LONGEST);
        let learned = self.oracle.learned().map_or(0, |learned| learned.len());
        let unknowns = learned.max(heads.rotary_dim / 2 + 1);
        if self.oracle.resolution() <= EXACT && unknowns <= FEW {
            return stages.cloned().collect();
        }
        let all: Vec<Stage> = stages.map(|stage| prompts::thinned(stage, VALUES_FOR_EACH * unknowns)).collect();
        // Short beginnings tell so much that the next ones may be four times as long.
        let last = all.len().saturating_sub(1);
        all.into_iter().enumerate().filter(|(i, _)| i % 2 == 0 || *i == last).map(|(_, stage)| stage).collect()
    }

    /// Where the fit begins: the nearest known configurations, the unscaled model last.
    fn starts(&self, heads: &HeadShape) -> Vec<Configuration> {
        let mut found: Vec<Configuration> = Vec::new();
        let unscaled = Candidate::healthy(AnyMethod::unscaled(), Stretch::ONE);
        for candidate in self.near.iter().take(STARTS).chain([&unscaled]) {
            let mechanism = candidate.injected(heads).ok().and_then(|injected| injected.mechanism(Tokens(8)).ok());
            let Some(mechanism) = mechanism else { continue };
            let start = Configuration { mechanism, learned: None, temperature: 1.0 };
            if !found.contains(&start) {
                found.push(start);
            }
        }
        found
    }

    /// What is left of whole requests after the best that there is, and its shapes.
    fn describe_rest(&mut self, fitted: Option<&Fitted>) -> Result<(), SubjectError> {
        let (noise, trained) = (self.found.noise, self.oracle.heads().trained.0);
        let fits = fitted.filter(|_| self.oracle.affords(self.whole.values()));
        let left = match fits {
            Some(fitted) => {
                let configuration = fitted.configuration();
                let numbers = Hypothesis::Numbers(&configuration);
                prompts::residuals(&mut self.oracle, numbers, self.observations, &self.whole.beginnings)?
            }
            // What the declared configuration leaves is no rest of what was recovered.
            None if fitted.is_some() => {
                self.found.cut_short = true;
                return Ok(());
            }
            None => self.declared_left.clone(),
        };
        self.found.agreement = bins(&left);
        self.found.anomalies = anomalies::find(self.observations, &self.whole.beginnings, &left, noise, trained);
        let plain = agreement::rms(&left.concat()) <= super::catalogue::AGREES * noise;
        if fits.is_none() && plain && !self.found.anomalies.is_empty() {
            self.found.verdict = Verdict::Other;
        }
        Ok(())
    }
}

/// The nearest configuration as a candidate, where method and factor say all of it.
fn named(nearest: &Nearest) -> Option<Candidate> {
    let plain = nearest.differs.is_empty() && nearest.attention != Attention::Other;
    let method = AnyMethod::named(&nearest.method).filter(|_| plain)?;
    Some(Candidate::healthy(method, Stretch(nearest.factor)))
}

/// A fit as it is reported.
fn report(fitted: &Fitted, heads: &HeadShape) -> Recovered {
    let mut recovered = Recovered { length: fitted.length, rms: fitted.rms, n: fitted.n, ..Recovered::default() };
    let (mut pairs, mut attention) = (Vec::new(), None);
    for ((kind, &value), &error) in fitted.coordinates.kinds.iter().zip(&fitted.values).zip(&fitted.errors) {
        let interval =
            if kind.is_logarithm() { Interval::of_logarithm(value, error) } else { Interval::of_nats(value, error) };
        match kind {
            Kind::Frequency(_) => {
                recovered.inverse_frequencies.push(interval);
                pairs.push(Logarithm { value, error });
            }
            Kind::AttentionFactor => {
                recovered.attention_factor = Some(interval);
                attention = Some(Logarithm { value, error });
            }
            Kind::Slope(_) => recovered.slopes.push(interval),
            Kind::Value(_) | Kind::Kernel(_) => recovered.values.push(interval),
            Kind::Temperature => recovered.temperature = Some(interval),
        }
    }
    recovered.nearest = attention.and_then(|attention| nearest(&pairs, attention, heads));
    recovered
}
