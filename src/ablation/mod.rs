//! Blame: from rows to verdicts, causes and a recommendation. Pure functions; `docs/method.md` tells the same story.
//!
//! Everywhere here *badness* is what is compared: loss in nats per token, or facts missed as a share. More is worse,
//! and every comparison is paired by document.

mod answer;
mod badness;
mod cause;
mod evidence;
mod grid;
mod latency;
mod recommendation;
mod repair;
mod shape;
mod verdict;

use crate::findings::{CellSummary, Findings, Question, SCHEMA};
use crate::measurement::{Arm, Cell, Outcome};
use crate::scenario::Scenario;

use badness::Badness;

/// What a run has to judge by.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// What was asked.
    pub scenario: &'a Scenario,
    /// Every cell, with the rows of latency shared out to the cells that they time.
    pub cells: &'a [(Cell, Outcome)],
}

/// Rules on every question, names causes, and recommends.
#[must_use]
pub fn diagnose(evidence: &Evidence<'_>) -> Findings {
    let scenario = evidence.scenario;
    let badness = Badness::of(evidence);
    let asked: Vec<Question> = {
        let answered: Vec<Question> = scenario.probes.iter().filter_map(|probe| probe.question()).collect();
        Question::ALL.into_iter().filter(|question| answered.contains(question)).collect()
    };
    let mut findings = Findings {
        schema: SCHEMA,
        scenario: scenario.name.clone(),
        question: scenario.question.clone(),
        answer: String::new(),
        deployed: scenario.deployed_cell().label(),
        verdicts: Vec::new(),
        causes: Vec::new(),
        grid: Vec::new(),
        cells: cells(evidence),
        recommendation: recommendation::recommend(evidence, &badness),
        decide: scenario.decide.clone(),
        notes: Vec::new(),
        expectations: Vec::new(),
    };
    for question in asked {
        let verdict = match question {
            Question::Latency => latency::verdict(evidence),
            _ => verdict::verdict(evidence, &badness, question),
        };
        let causes = cause::causes(evidence, &badness, &verdict);
        findings.grid.extend(grid::summary(evidence, &badness, question));
        findings.notes.extend(answer::notes(&verdict, &causes));
        findings.verdicts.push(verdict);
        findings.causes.extend(causes);
    }
    findings.expectations = answer::expectations(scenario, &findings.causes);
    findings.answer = answer::answer(&findings);
    findings
}

fn cells(evidence: &Evidence<'_>) -> Vec<CellSummary> {
    let summary = |(cell, outcome): &(Cell, Outcome)| {
        let (outcome, reason) = match outcome {
            Outcome::Measured(_) => ("measured", None),
            Outcome::Failed { reason } => ("failed", Some(reason.clone())),
        };
        CellSummary {
            id: cell.id().0,
            method: cell.method.name().to_owned(),
            factor: cell.factor.0,
            condition: cell.condition().to_owned(),
            outcome: outcome.to_owned(),
            reason,
        }
    };
    evidence.cells.iter().filter(|(cell, _)| cell.arm != Arm::Latency).map(summary).collect()
}
