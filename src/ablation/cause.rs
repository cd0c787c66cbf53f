//! The cause of a question's damage: which axis repairs it, as far as the intervals say.

use std::collections::BTreeMap;

use super::Evidence;
use super::badness::Badness;
use super::evidence;
use super::repair::{Change, Refused, Repair, repairs};
use super::shape::shape;
use crate::findings::{self, Axis, Cause, Question, Ruling, Verdict};
use crate::measurement::Cell;
use crate::positions::AnyMethod;
use crate::stats::{mean, shapley};
use crate::units::Stretch;

/// A repair worth the name removes more than this share of the damage.
const WORKS: f64 = 0.5;

/// An axis is named when it ranks first in this share of the resamples.
const NAMED: f64 = 0.95;

/// The ranked causes of a verdict; one with axis `none` where nothing is worse.
pub(super) fn causes(evidence: &Evidence<'_>, badness: &Badness, verdict: &Verdict) -> Vec<Cause> {
    let question = verdict.question;
    match verdict.ruling {
        Ruling::Worse if question == Question::Latency => vec![slow(evidence, verdict)],
        Ruling::Worse => damaged(evidence, badness, verdict),
        Ruling::Undecided | Ruling::Incomparable => {
            vec![plain(question, Axis::Undecided, verdict.why.clone().into_iter().collect())]
        }
        Ruling::Better | Ruling::WithinNoise => vec![plain(question, Axis::None, Vec::new())],
    }
}

fn plain(question: Question, axis: Axis, evidence: Vec<String>) -> Cause {
    Cause {
        question,
        axis,
        name: axis.name().to_owned(),
        confidence: crate::stats::CONFIDENCE,
        repair: None,
        shapley: BTreeMap::new(),
        shape: "none".to_owned(),
        evidence,
    }
}

/// Method and factor are numbers in the same table for every rotation, so the grid has no repair for latency to test.
fn slow(evidence: &Evidence<'_>, verdict: &Verdict) -> Cause {
    let mut cause = plain(Question::Latency, Axis::Undecided, vec![evidence::change(verdict)]);
    cause.evidence.push(format!(
        "only {} and the unscaled model are timed: whether the method itself or its implementation is slow is not \
         measured in this run",
        evidence.scenario.deployed_cell().label()
    ));
    cause.shape = "latency_only".to_owned();
    cause
}

fn damaged(evidence: &Evidence<'_>, badness: &Badness, verdict: &Verdict) -> Vec<Cause> {
    let question = verdict.question;
    let (repairs, refused) = repairs(evidence, badness, question);
    let shape = shape(evidence, question);
    let ranked = rank(&repairs);
    let common = evidence::common(verdict, &repairs, &refused);
    let mut causes: Vec<Cause> = ranked
        .iter()
        .map(|(repair, confidence)| {
            let (axis, name, by) = names(evidence, repair);
            Cause {
                question,
                axis,
                name,
                confidence: *confidence,
                repair: repair.fraction.map(|fraction| findings::Repair { by, cell: repair.cell.label(), fraction }),
                shapley: shares(evidence, badness, question, repair, &repairs),
                shape: shape.clone(),
                evidence: evidence::of_repair(evidence, badness, verdict, repair),
            }
        })
        .collect();
    let decided = causes.first().is_some_and(|cause| cause.confidence >= NAMED);
    if !decided {
        let mut undecided = plain(question, Axis::Undecided, vec![why_undecided(&repairs, &refused)]);
        undecided.shape.clone_from(&shape);
        undecided.confidence = 1.0 - causes.first().map_or(0.0, |cause| cause.confidence);
        causes.insert(0, undecided);
    }
    if let Some(first) = causes.first_mut() {
        first.evidence.splice(0..0, common);
    }
    causes
}

/// The repairs that work, with the share of resamples in which each ranks first, best first.
///
/// A change of both axes ranks first only where neither axis alone removes more than half of the damage: the simpler
/// repair is the better explanation.
fn rank(repairs: &[Repair]) -> Vec<(&Repair, f64)> {
    let draws = repairs.iter().map(|repair| repair.resampled.len()).max().unwrap_or(0);
    let mut first: BTreeMap<Change, usize> = BTreeMap::new();
    for draw in 0..draws {
        let at = |repair: &Repair| repair.resampled.get(draw).copied().unwrap_or(f64::NAN);
        let working = |repair: &&Repair| at(repair) > WORKS;
        let single = repairs.iter().filter(|repair| repair.change != Change::Both).filter(working);
        let best = single
            .max_by(|a, b| at(a).total_cmp(&at(b)))
            .or_else(|| repairs.iter().filter(|repair| repair.change == Change::Both).find(working));
        if let Some(best) = best {
            *first.entry(best.change).or_default() += 1;
        }
    }
    let mut ranked: Vec<(&Repair, f64)> = repairs
        .iter()
        .map(|repair| (repair, first.get(&repair.change).copied().unwrap_or(0) as f64 / draws.max(1) as f64))
        .filter(|(_, confidence)| *confidence > 0.0)
        .collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked
}

/// The axis to blame, the deployed level on it, and the level to switch to.
fn names(evidence: &Evidence<'_>, repair: &Repair) -> (Axis, String, String) {
    let (method, factor) = &evidence.scenario.deployed;
    let (other_method, other_factor) = &repair.level;
    match repair.change {
        Change::Method => (Axis::Method, method.label(), other_method.clone()),
        Change::Factor => (Axis::Factor, factor.to_string(), other_factor.to_string()),
        Change::Both => {
            (Axis::Interaction, format!("{} x{factor}", method.label()), format!("{other_method} x{other_factor}"))
        }
    }
}

/// Shapley shares of the move from the repaired levels to the deployed ones.
///
/// The other axis moves to its own best repair, if there is one; else it stays, and the repaired axis has all.
fn shares(
    evidence: &Evidence<'_>,
    badness: &Badness,
    question: Question,
    repair: &Repair,
    repairs: &[Repair],
) -> BTreeMap<String, f64> {
    let scenario = evidence.scenario;
    let (method, factor) = scenario.deployed.clone();
    let level_of = |change: Change| {
        let found = repairs.iter().find(|other| other.change == change);
        found.filter(|_| repair.change != Change::Both).unwrap_or(repair).level.clone()
    };
    let named = |label: &str| scenario.methods.iter().find(|method| method.label() == label).cloned();
    let other_method = match repair.change {
        Change::Factor if !repairs.iter().any(|other| other.change == Change::Method) => None,
        _ => named(&level_of(Change::Method).0),
    };
    let other_factor = match repair.change {
        Change::Method if !repairs.iter().any(|other| other.change == Change::Factor) => None,
        _ => Some(level_of(Change::Factor).1),
    };
    let value = |method: &AnyMethod, factor: Stretch| {
        let values = badness.get(&Cell::grid(method.clone(), factor), question)?;
        mean(&values.by_document.values().copied().collect::<Vec<_>>())
    };
    let shares = || -> Option<BTreeMap<String, f64>> {
        let (from_method, from_factor) = (other_method.as_ref().unwrap_or(&method), other_factor.unwrap_or(factor));
        let corners = [
            value(from_method, from_factor)?,
            value(&method, from_factor)?,
            value(from_method, factor)?,
            value(&method, factor)?,
        ];
        let [neither, by_method, by_factor, both] = corners;
        let gap = both - neither;
        let shares = shapley(&corners)?;
        let [of_method, of_factor] = shares.as_slice() else { return None };
        Some(BTreeMap::from([
            ("method".to_owned(), of_method / gap),
            ("factor".to_owned(), of_factor / gap),
            ("interaction".to_owned(), (both - by_method - by_factor + neither) / gap),
        ]))
    };
    shares().filter(|shares| shares.values().all(|share| share.is_finite())).unwrap_or_default()
}

fn why_undecided(repairs: &[Repair], refused: &[Refused]) -> String {
    if repairs.is_empty() && refused.is_empty() {
        return "no other cell of the grid was measured: add methods or factors to `ablate`".to_owned();
    }
    if repairs.is_empty() {
        return "every cell that repairs this damages another question: add methods or factors to `ablate`".to_owned();
    }
    let works = repairs.iter().any(|repair| repair.fraction.is_some_and(|fraction| fraction.high > WORKS));
    if works {
        "the repairs by method and by factor cannot be told apart: more documents would".to_owned()
    } else {
        "neither another method nor another factor removes half of the damage: what remains is the implementation, the \
         adaptation, or a level that is not in `ablate`"
            .to_owned()
    }
}
