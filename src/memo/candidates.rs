//! The candidates: each method at its best cell that serves the target, against each constraint.

use std::cmp::Ordering;

use serde::Serialize;

use super::sources::Sources;
use super::{Dossier, facts};
use crate::ablation::{self, Evidence};
use crate::findings::{GridSummary, Question, Ruling};
use crate::measurement::Cell;
use crate::positions::{AnyMethod, Mechanism, Method};
use crate::reports::evidence;
use crate::stats::Estimate;

/// Frequencies that agree to this are one approach under two names.
const SAME: f64 = 1e-3;

/// A method at its best cell.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// The cell.
    #[serde(skip)]
    pub cell: Cell,
    /// Its label.
    pub label: String,
    /// Its identity in `measurements.parquet`.
    pub id: String,
    /// `training-free`, `own weights` or `adapted`.
    pub training: String,
    /// Where it stands on each constraint.
    pub standings: Vec<Standing>,
    /// Damage above the tolerances, in tolerances, summed over the measured constraints.
    pub excess: f64,
    /// All damage, gains included, in tolerances, summed.
    pub total: f64,
    /// The better-placed candidate that it is the same as, under another name.
    pub same_as: Option<String>,
}

/// A candidate against one constraint.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Standing {
    /// Which constraint.
    pub constraint: Question,
    /// Better and within noise pass, worse fails, incomparable was not measured.
    pub ruling: Ruling,
    /// `nats/token`, `share` or `ratio`.
    pub unit: String,
    /// The change against the reference; absent where it was not measured.
    pub change: Option<Estimate>,
    /// The accepted change.
    pub tolerance: f64,
    /// How much of the tolerance is left, in the unit (for a ratio: the tolerance over it); negative is beyond it.
    pub margin: Option<f64>,
    /// Where time was not measured: the ratio that the count of operations gives, which stands in for it.
    pub expected: Option<f64>,
    /// For latency, which timing the change is of: `decode at 8,192 tokens`, the worst of all.
    pub timing: Option<String>,
    /// Why it was not measured.
    pub why: Option<String>,
    /// What it rests on.
    pub sources: Vec<String>,
}

impl Standing {
    /// `passed`, `failed`, `undecided` or `not measured`; `failed by arithmetic` where operations stand in for time.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match self.ruling {
            Ruling::Worse if self.change.is_none() => "failed by arithmetic",
            Ruling::Better | Ruling::WithinNoise => "passed",
            Ruling::Worse => "failed",
            Ruling::Undecided => "undecided",
            Ruling::Incomparable => "not measured",
        }
    }

    /// The damage in tolerances: 1 is all that is accepted. Nothing where it was not measured.
    fn damage(&self) -> Option<f64> {
        let fails = self.expected.filter(|_| self.ruling == Ruling::Worse);
        let point = self.change.map(|change| change.point).or(fails)?;
        Some(match self.constraint {
            Question::Latency => point.ln() / self.tolerance.ln().max(f64::MIN_POSITIVE),
            Question::Retrieval => -point / self.tolerance.max(f64::MIN_POSITIVE),
            Question::ShortRange | Question::LongRange => point / self.tolerance.max(f64::MIN_POSITIVE),
        })
    }
}

impl Candidate {
    /// The standing on a constraint.
    #[must_use]
    pub fn standing(&self, constraint: Question) -> Option<&Standing> {
        self.standings.iter().find(|standing| standing.constraint == constraint)
    }

    /// Whether no constraint that was measured is failed or undecided.
    #[must_use]
    pub fn meets_all(&self) -> bool {
        self.standings.iter().all(|standing| !matches!(standing.ruling, Ruling::Worse | Ruling::Undecided))
    }

    /// Whether it fails a constraint.
    #[must_use]
    pub fn fails(&self) -> bool {
        self.standings.iter().any(|standing| standing.ruling == Ruling::Worse)
    }

    /// The rule of the decision: first who fails nothing, then the least damage above the tolerances, then the least damage.
    fn order(&self, other: &Self) -> Ordering {
        let fails = self.fails().cmp(&other.fails());
        fails.then(self.excess.total_cmp(&other.excess)).then(self.total.total_cmp(&other.total))
    }
}

/// Every candidate, the best first; those that are others under another name come last.
pub(super) fn candidates(dossier: &Dossier, sources: &mut Sources) -> Vec<Candidate> {
    let evidence = dossier.evidence();
    let mut best: Vec<Candidate> = Vec::new();
    for cell in dossier.grid() {
        let wanted = dossier.scenario.candidates.as_ref().is_none_or(|methods| methods.contains(&cell.method));
        if !wanted || ablation::serves(&evidence, cell).is_err() {
            continue;
        }
        let Some(candidate) = candidate(dossier, &evidence, cell, sources) else { continue };
        match best.iter_mut().find(|other| other.cell.method == cell.method) {
            Some(other) if candidate.order(other) == Ordering::Less => *other = candidate,
            Some(_) => {}
            None => best.push(candidate),
        }
    }
    best.sort_by(Candidate::order);
    for i in 0..best.len() {
        let same = best
            .iter()
            .take(i)
            .find(|other| other.same_as.is_none() && best.get(i).is_some_and(|one| same(dossier, one, other)));
        let same = same.map(|other| other.label.clone());
        if let Some(one) = best.get_mut(i) {
            one.same_as = same;
        }
    }
    best.sort_by_key(|candidate| candidate.same_as.is_some());
    best
}

/// Whether two candidates rotate alike on the same weights, at the trained length and at the target: a method that follows
/// the length may meet another at one of them.
fn same(dossier: &Dossier, one: &Candidate, other: &Candidate) -> bool {
    let heads = &dossier.config.heads;
    let rotation = |cell: &Cell, length| match cell.method.mechanism(heads, cell.factor, length) {
        Ok(Mechanism::Rotate(rotation)) => Some(rotation),
        _ => None,
    };
    let alike = |length| match (rotation(&one.cell, length), rotation(&other.cell, length)) {
        (Some(a), Some(b)) => {
            let near = |x: f64, y: f64| (x - y).abs() <= SAME * x.abs().max(y.abs());
            a.inverse_frequencies.len() == b.inverse_frequencies.len()
                && a.inverse_frequencies.iter().zip(&b.inverse_frequencies).all(|(x, y)| near(*x, *y))
                && near(a.attention_factor, b.attention_factor)
        }
        _ => false,
    };
    one.cell.adapted == other.cell.adapted && [heads.trained, dossier.run.target].into_iter().all(alike)
}

/// A cell with numbers for every quality question that was measured; nothing for others.
fn candidate(dossier: &Dossier, evidence: &Evidence, cell: &Cell, sources: &mut Sources) -> Option<Candidate> {
    let mut standings = Vec::new();
    for grid in dossier.run.findings.grid.iter().filter(|grid| !grid.cells.is_empty()) {
        standings.push(ruled(dossier, cell, grid, sources)?);
    }
    if standings.is_empty() {
        return None;
    }
    standings.push(timed(dossier, evidence, cell, sources));
    let damages = || standings.iter().filter_map(Standing::damage);
    Some(Candidate {
        cell: cell.clone(),
        label: cell.label(),
        id: cell.id().0,
        training: dossier.scenario.training_of(cell).words().to_owned(),
        excess: damages().map(|damage| (damage - 1.0).max(0.0)).sum(),
        total: damages().sum(),
        same_as: None,
        standings,
    })
}

/// A quality question, from the two-way table that the report shows.
fn ruled(dossier: &Dossier, cell: &Cell, grid: &GridSummary, sources: &mut Sources) -> Option<Standing> {
    let entry = grid.cells.iter().find(|entry| crate::reports::label(entry) == cell.label())?;
    let limits = &dossier.scenario.tolerance;
    let (damage, tolerance) = match grid.question {
        Question::Retrieval => (-entry.change.point, limits.retrieval),
        Question::ShortRange => (entry.change.point, limits.short_range),
        _ => (entry.change.point, limits.long_range),
    };
    Some(Standing {
        constraint: grid.question,
        ruling: entry.ruling,
        unit: grid.unit.clone(),
        change: Some(entry.change),
        tolerance,
        margin: Some(tolerance - damage),
        expected: None,
        timing: None,
        why: None,
        sources: vec![rows(dossier, grid.question, cell, sources)],
    })
}

/// Latency, from the timings of the cell beside the unscaled model's; where there are none, from the count of operations.
fn timed(dossier: &Dossier, evidence: &Evidence, cell: &Cell, sources: &mut Sources) -> Standing {
    let tolerance = dossier.scenario.tolerance.latency;
    let mut standing = Standing {
        constraint: Question::Latency,
        ruling: Ruling::Incomparable,
        unit: "ratio".to_owned(),
        change: None,
        tolerance,
        margin: None,
        expected: None,
        timing: None,
        why: None,
        sources: Vec::new(),
    };
    if dossier.rows(cell).iter().any(|row| row.reading.probe == Question::Latency.name()) {
        let judged = ablation::latency_of(evidence, cell);
        (standing.ruling, standing.change, standing.why) = (judged.ruling, judged.change, judged.why);
        standing.timing = judged.protocol.split_once(", the worst").map(|(timing, _)| timing.to_owned());
        standing.sources = vec![rows(dossier, Question::Latency, cell, sources)];
    } else if let Some(expected) = facts::slower(dossier, cell) {
        standing.expected = Some(expected);
        standing.ruling = if expected > tolerance { Ruling::Worse } else { Ruling::Incomparable };
        standing.why = Some(format!("it was not timed; by its operations a decoded token takes {expected:.3}x"));
        standing.sources = vec![sources.formula(facts::SLOWER)];
    } else {
        standing.why = Some("it was not timed".to_owned());
    }
    standing.margin = standing.change.map(|ratio| ratio.point).or(standing.expected).map(|ratio| tolerance / ratio);
    standing
}

/// The source of a cell's change against the question's reference.
pub(super) fn rows(dossier: &Dossier, question: Question, cell: &Cell, sources: &mut Sources) -> String {
    let reference = evidence::reference(question);
    sources.rows(
        question,
        cell,
        Some(&reference),
        &evidence::filter(dossier.run, question),
        &format!("{}; change: {}", evidence::made_of(question), paired(question)),
    )
}

fn paired(question: Question) -> &'static str {
    match question {
        Question::Latency => "ratio within blocks, geometric mean over blocks",
        _ => "paired by document, mean over documents",
    }
}

/// The best candidate of a method, whatever its place.
pub(super) fn of_method<'a>(candidates: &'a [Candidate], method: &AnyMethod) -> Option<&'a Candidate> {
    candidates.iter().find(|candidate| candidate.cell.method.name() == method.name())
}
