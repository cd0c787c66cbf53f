//! Rows to blame: which question got worse, which axis repairs it, and what to deploy instead.
//!
//! Everything here is a pure function of the scenario and the rows. `docs/method.md` tells the same in prose, in the
//! order of [`diagnose`].

mod admission;
mod answer;
mod blame;
mod board;
pub mod condition;
mod decision;
mod expectations;
mod grid;
mod implementation;
mod latency;
pub mod plan;
mod recommendation;
mod repair;
mod rows;
mod shape;
mod speed;
mod stability;
mod verdicts;
mod words;

use crate::findings::{CellSummary, Findings, Question, Ruling, SCHEMA, Verdict};
use crate::measurement::{Arm, Cell, Outcome};
use crate::scenario::{ProbeName, Scenario};

use board::Board;

pub use admission::serves;
pub(crate) use answer::join;
pub use board::ruling;
pub use rows::{Part, by_document};
pub use rows::{document_values, profile};
pub(crate) use shape::ALONG;
pub(crate) use words::amount;

/// What a run has to be judged by.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The question, the grid and the tolerances.
    pub scenario: &'a Scenario,
    /// Every cell that ran, the truncated reference among them, and what became of it.
    pub cells: &'a [(Cell, Outcome)],
}

impl<'a> Evidence<'a> {
    /// The outcome of a cell, if it was run.
    fn outcome(&self, cell: &Cell) -> Option<&'a Outcome> {
        self.cells.iter().find(|(other, _)| other == cell).map(|(_, outcome)| outcome)
    }

    /// The cell of the retrofit as deployed.
    fn deployed(&self) -> Cell {
        self.scenario.deployed_cell()
    }

    /// Whether the scenario asked a question.
    fn asks(&self, question: Question) -> bool {
        let probe = match question {
            Question::ShortRange => ProbeName::ShortRange,
            Question::LongRange => ProbeName::LongRange,
            Question::Retrieval => ProbeName::Retrieval,
            Question::Latency => ProbeName::Latency,
        };
        self.scenario.probes.contains(&probe)
    }
}

/// Judges every question that the scenario asks, names the cause of what got worse and the cell to deploy.
#[must_use]
pub fn diagnose(evidence: &Evidence) -> Findings {
    if !evidence.deployed().faults.is_empty() {
        return implementation::diagnose(evidence);
    }
    if evidence.cells.iter().all(|(cell, _)| cell.faults.is_empty()) {
        return of_method_and_factor(evidence);
    }
    let healthy = implementation::healthy(evidence.cells);
    let findings = of_method_and_factor(&Evidence { cells: &healthy, ..*evidence });
    let cells = evidence.cells.iter().filter(|(cell, _)| cell.arm != Arm::Latency);
    Findings { cells: cells.map(|cell| summary(evidence.scenario, cell)).collect(), ..findings }
}

/// The findings where method and factor alone are in question.
fn of_method_and_factor(evidence: &Evidence) -> Findings {
    let scenario = evidence.scenario;
    let boards = board::boards(evidence);
    let verdicts = verdicts::verdicts(evidence, &boards);
    let blames: Vec<blame::Blame> =
        verdicts.iter().map(|verdict| blame::blame(evidence, &boards, &verdicts, verdict)).collect();
    let causes: Vec<_> = blames.iter().flat_map(|blame| blame.causes.clone()).collect();
    let recommendation = recommendation::recommend(evidence, &boards);
    let stability = stability::stability(evidence);
    let mut notes: Vec<String> = blames.into_iter().flat_map(|blame| blame.notes).collect();
    notes.extend(verdicts.iter().filter_map(|verdict| unjudged(verdict, &boards)));
    Findings {
        schema: SCHEMA,
        scenario: scenario.name.clone(),
        question: scenario.question.clone(),
        answer: [
            Some(answer::answer(evidence, &verdicts, &causes, recommendation.as_ref())),
            stability::sentence(evidence, &stability),
        ]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" "),
        stability,
        deployed: evidence.deployed().label(),
        grid: grid::summaries(&boards),
        cells: evidence
            .cells
            .iter()
            .filter(|(cell, _)| cell.arm != Arm::Latency)
            .map(|cell| summary(scenario, cell))
            .collect(),
        speed: speed::speed(evidence),
        recommendation,
        audit: Vec::new(),
        notes,
        decide: scenario.decide.clone(),
        expectations: expectations::expectations(&scenario.expect, &causes),
        verdicts,
        causes,
        deviations: Vec::new(),
    }
}

/// The verdict on the time of any cell whose timings stand beside the unscaled model's.
#[must_use]
pub fn latency_of(evidence: &Evidence, cell: &Cell) -> Verdict {
    latency::verdict(evidence, cell)
}

/// What would settle a question that was not judged.
fn unjudged(verdict: &Verdict, boards: &[Board]) -> Option<String> {
    let why = verdict.why.as_ref()?;
    let board = boards.iter().find(|board| board.question == verdict.question);
    let needed = match verdict.ruling {
        Ruling::Undecided => {
            verdict.change.and_then(|change| verdicts::documents_to_decide(&change, verdict.tolerance))
        }
        _ => None,
    };
    let advice = match (board, needed) {
        (Some(_), Some(needed)) => format!("; about {needed} documents would decide it"),
        _ => String::new(),
    };
    Some(format!("{} is {}: {why}{advice}", verdict.question.words(), verdict.ruling.words()))
}

fn summary(scenario: &Scenario, (cell, outcome): &(Cell, Outcome)) -> CellSummary {
    let (outcome, reason) = match outcome {
        Outcome::Measured(_) => ("measured", None),
        Outcome::Failed { reason } => ("failed", Some(reason.clone())),
    };
    CellSummary {
        adapted: cell.adapted.0,
        training: scenario.training_of(cell).words().to_owned(),
        id: cell.id().0,
        method: cell.method.name().to_owned(),
        factor: cell.factor.0,
        condition: cell.condition(),
        outcome: outcome.to_owned(),
        reason,
    }
}
