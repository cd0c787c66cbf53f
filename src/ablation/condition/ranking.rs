//! From signature, marks and trials to a ranked list of suspicions.

use super::marks::{Mark, threshold};
use super::search::Trial;
use super::signature::Signature;
use super::words::{number, percent};
use crate::faults::{Fault, Site};
use crate::findings::Axis;
use crate::stats::Estimate;

/// Catalogued faults that resemble an unknown one are named down to this share of the difference.
const RESEMBLES: f64 = 0.5;

/// How many of them are named.
const MOST_NAMED: usize = 3;

/// Something that the implementation may have done, and how sure the battery is.
#[derive(Clone, Debug, PartialEq)]
pub struct Suspicion {
    /// `condition`; `none` where nothing differs; `undecided` where something does and no place can be named.
    pub axis: Axis,
    /// The fault's name in the catalogue, or `unknown (PLACE)`.
    pub name: String,
    /// The place in the engine.
    pub site: Option<Site>,
    /// Where it shows: a word of the contract.
    pub shape: String,
    /// The first position that it changes.
    pub onset: Option<Estimate>,
    /// Share of the difference that its replay explains, at most 1; absent for an unknown fault.
    pub explained: Option<f64>,
    /// Whether its replay answers every request as the deployment does.
    pub exact: bool,
    /// Sentences with their numbers.
    pub evidence: Vec<String>,
}

impl Suspicion {
    pub(super) fn of(axis: Axis, name: &str, signature: &Signature) -> Self {
        Self {
            axis,
            name: name.to_owned(),
            site: None,
            shape: signature.shape.clone(),
            onset: signature.onset,
            explained: None,
            exact: false,
            evidence: Vec::new(),
        }
    }
}

/// Suspicions, the surest first.
///
/// Agreement of every token ends the question: the faults of that hypothesis come first, both of a pair. Without it the
/// catalogue is refused, and the places come first, as unknown faults; what resembles them follows.
#[must_use]
pub fn rank(signature: &Signature, marks: &[Mark], trials: &[Trial]) -> Vec<Suspicion> {
    if signature.divergent.is_empty() {
        let mut none = Suspicion::of(Axis::None, "healthy", signature);
        none.evidence.push(format!(
            "on all {} kinds of requests the deployment answers as its healthy replay does, within {}",
            signature.alike.len(),
            threshold()
        ));
        return vec![none];
    }
    let mut ranked = Vec::new();
    if let Some(found) = best_exact(signature, trials) {
        ranked.extend(found.candidates.iter().map(|candidate| {
            let site = candidate.fault.site();
            let mut suspicion = named(signature, marks, found, &candidate.name, site);
            suspicion.exact = true;
            suspicion.evidence.push(agreement(signature, found));
            suspicion
        }));
        let twins: Vec<String> =
            trials.iter().filter(|trial| trial.exact && *trial != found).map(Trial::name).collect();
        if let (Some(first), false) = (ranked.first_mut(), twins.is_empty()) {
            first.evidence.push(format!("these requests do not tell it from {}", twins.join(", ")));
        }
    } else {
        ranked.extend(marks.iter().map(|mark| unknown(signature, mark, trials)));
        if marks.is_empty() {
            let mut undecided = Suspicion::of(Axis::Undecided, "undecided", signature);
            undecided.evidence.push(differences(signature));
            ranked.push(undecided);
        }
    }
    ranked.extend(resembling(signature, marks, trials, &ranked));
    ranked
}

/// The exact hypothesis that is closest; of equals the one with fewer faults, then the one of a blamed place.
fn best_exact<'a>(signature: &Signature, trials: &'a [Trial]) -> Option<&'a Trial> {
    trials.iter().filter(|trial| trial.exact).max_by(|a, b| {
        let fewer = b.candidates.len().cmp(&a.candidates.len());
        // Of hypotheses that agree alike the earlier one stands in the likelier place.
        fewer.then(a.explained(signature).total_cmp(&b.explained(signature))).then(std::cmp::Ordering::Greater)
    })
}

fn named(signature: &Signature, marks: &[Mark], trial: &Trial, name: &str, site: Site) -> Suspicion {
    let mut suspicion = Suspicion::of(Axis::Condition, name, signature);
    let mark = marks.iter().find(|mark| mark.site == site);
    suspicion.site = Some(site);
    suspicion.explained = Some(trial.explained(signature));
    suspicion.onset = mark.and_then(|mark| mark.onset).or(signature.onset);
    suspicion.evidence.push(differences(signature));
    suspicion.evidence.extend(mark.map(|mark| mark.evidence.clone()));
    suspicion
}

fn unknown(signature: &Signature, mark: &Mark, trials: &[Trial]) -> Suspicion {
    let mut suspicion = Suspicion::of(Axis::Condition, &format!("unknown ({})", mark.site.name()), signature);
    suspicion.site = Some(mark.site);
    suspicion.onset = mark.onset.or(signature.onset);
    suspicion.evidence = vec![differences(signature), mark.evidence.clone()];
    suspicion.evidence.push(format!(
        "none of {} catalogued hypotheses answers as the deployment does, so the fault is named by its place alone",
        trials.len()
    ));
    suspicion
}

/// What the deployment answers otherwise, in one sentence.
fn differences(signature: &Signature) -> String {
    let all: Vec<String> = signature
        .divergent
        .iter()
        .map(|one| {
            let onset = &one.onset;
            format!(
                "{} by {} nats/token from position {} [{}, {}] on",
                one.witness,
                number(one.mean),
                onset.point,
                onset.low,
                onset.high
            )
        })
        .collect();
    let alike =
        if signature.alike.is_empty() { String::new() } else { format!("; alike: {}", signature.alike.join(", ")) };
    format!("the deployment differs from its healthy replay: {}{alike}", all.join(", "))
}

fn agreement(signature: &Signature, trial: &Trial) -> String {
    let worst = trial.distances.values().map(|distance| distance.worst).fold(0.0, f64::max);
    format!(
        "a replay with {} answers all {} kinds of requests as the deployment does: {} of the difference explained, at most {} nats/token left",
        trial.name(),
        trial.distances.len(),
        percent(trial.explained(signature)),
        number(worst)
    )
}

/// Single faults that explain at least half of the difference and are not among the ranked ones.
fn resembling(signature: &Signature, marks: &[Mark], trials: &[Trial], ranked: &[Suspicion]) -> Vec<Suspicion> {
    let blamed = |site: Site| marks.iter().any(|mark| mark.site == site);
    let mut near: Vec<(bool, f64, Suspicion)> = trials
        .iter()
        .filter_map(|trial| {
            let [candidate] = trial.candidates.as_slice() else { return None };
            let explained = trial.explained(signature);
            let site = candidate.fault.site();
            let known = ranked.iter().any(|one| one.name == candidate.name);
            (explained >= RESEMBLES && !known).then(|| {
                let mut suspicion = named(signature, marks, trial, &candidate.name, site);
                suspicion.exact = trial.exact;
                suspicion.evidence.push(format!("its replay explains {} of the difference", percent(explained)));
                (blamed(site), explained, suspicion)
            })
        })
        .collect();
    near.sort_by(|a, b| b.0.cmp(&a.0).then(b.1.total_cmp(&a.1)));
    near.into_iter().take(MOST_NAMED).map(|(_, _, suspicion)| suspicion).collect()
}
