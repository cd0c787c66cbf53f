//! The page of a night: every scenario against its baseline, and every number over time.

mod bencher;
mod html;
mod junit;
mod markdown;
mod series;

use super::{Page, ReportError, numbers};
use crate::baselines::{Entry, Gate, Test};
use crate::findings::{Findings, Ruling};
use crate::provenance::Provenance;
use crate::stats::Estimate;

pub use series::{Series, series};

/// A night, as its files tell it.
#[derive(Debug)]
pub struct Night {
    /// When it began: RFC 3339, UTC.
    pub started: String,
    /// Its scenarios, in order.
    pub runs: Vec<NightRun>,
    /// Every number of this night and those before.
    pub history: Vec<Entry>,
}

/// One scenario of a night.
#[derive(Debug)]
pub struct NightRun {
    /// The scenario's name.
    pub scenario: String,
    /// Its run's folder, relative to the summary.
    pub folder: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a scenario.
#[derive(Debug)]
pub enum Outcome {
    /// It came to a report.
    Ended {
        /// What was found.
        findings: Box<Findings>,
        /// Where the numbers come from.
        provenance: Box<Provenance>,
        /// The comparison with its baseline; absent where there is none.
        gate: Option<Box<Gate>>,
    },
    /// It did not, and why.
    Failed(String),
}

impl NightRun {
    /// 1 where it regressed against its baseline; 2 where it could not be judged: it failed, has no baseline, a question
    /// is open, or its own expectation is unmet; else 0.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match &self.outcome {
            Outcome::Failed(_) | Outcome::Ended { gate: None, .. } => 2,
            Outcome::Ended { findings, gate: Some(gate), .. } => match gate.exit_code() {
                0 if findings.expectations.iter().any(|expectation| !expectation.met) => 2,
                code => code,
            },
        }
    }

    /// The exit code in words.
    #[must_use]
    pub fn ruling(&self) -> &'static str {
        match self.exit_code() {
            0 => "nothing regressed",
            1 => "regressed",
            _ => "not judged",
        }
    }

    /// What to know of it, one sentence each: what is worse, what was not judged and why, what differs.
    fn remarks(&self) -> Vec<String> {
        let Outcome::Ended { findings, provenance, gate } = &self.outcome else {
            return match &self.outcome {
                Outcome::Failed(why) => vec![format!("it came to no report: {}", why.replace('\n', " "))],
                Outcome::Ended { .. } => Vec::new(),
            };
        };
        let mut remarks = Vec::new();
        match gate {
            None => remarks.push(format!(
                "there is no baseline to compare with; hint: gyro baseline save {} --run {}, in the folder of this page",
                provenance.scenario_path, self.folder
            )),
            Some(gate) => {
                remarks.extend(gate.tests.iter().filter_map(told));
                remarks.extend(gate.notes());
            }
        }
        for unmet in findings.expectations.iter().filter(|expectation| !expectation.met) {
            remarks.push(format!(
                "{}: the scenario expects the axis {}, found {}",
                unmet.question.words(),
                unmet.expected.name(),
                unmet.found.name()
            ));
        }
        remarks
    }
}

/// A test that is worth a sentence: everything but a question that is fine.
fn told(test: &Test) -> Option<String> {
    let verdict = &test.verdict;
    let change = || {
        verdict.change.map_or_else(String::new, |change| {
            format!(
                " by {} (accepted {})",
                amount(&verdict.unit, &change),
                numbers::tolerance(&verdict.unit, verdict.tolerance)
            )
        })
    };
    let from = test.begins.map_or_else(String::new, |at| format!(", from position {at} on"));
    let why = verdict.why.as_ref().or(test.again.as_ref()).map_or_else(String::new, |why| format!("; {why}"));
    match verdict.ruling {
        Ruling::WithinNoise => None,
        ruling => Some(format!("{} is {}{}{from}{why}", test.name(), ruling.words(), change())),
    }
}

/// A change with its interval and how many documents or blocks it rests on.
fn amount(unit: &str, change: &Estimate) -> String {
    format!("{}, n = {}", numbers::estimate(unit, change, numbers::change), change.n)
}

impl Night {
    /// 1 where any scenario regressed, else 2 where one was not judged, else 0.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let any = |code| self.runs.iter().any(|run| run.exit_code() == code);
        if any(1) {
            1
        } else if any(2) || self.runs.is_empty() {
            2
        } else {
            0
        }
    }

    /// What came out, in one sentence.
    #[must_use]
    pub fn answer(&self) -> String {
        let of = |code: u8| {
            let names: Vec<&str> =
                self.runs.iter().filter(|run| run.exit_code() == code).map(|run| run.scenario.as_str()).collect();
            (names.len(), names.join(", "))
        };
        let all = numbers::counted(self.runs.len(), "scenario");
        match (of(1), of(2)) {
            ((0, _), (0, _)) => format!("Nothing regressed in {all}."),
            ((0, _), (n, names)) => format!("{n} of {all} could not be judged: {names}."),
            ((n, names), (0, _)) => format!("{n} of {all} regressed: {names}."),
            ((n, names), (m, others)) => {
                format!("{n} of {all} regressed: {names}. {m} could not be judged: {others}.")
            }
        }
    }
}

/// The pages of a night: `index.html`, `summary.md`, `summary.json`, `junit.xml`, `bencher.json`.
///
/// # Errors
/// [`ReportError`] where a chart cannot be drawn or JSON not be written.
pub fn pages(night: &Night) -> Result<Vec<Page>, ReportError> {
    let series = series(&night.history);
    Ok(vec![
        Page::new("index.html", html::page(night, &series)?),
        Page::new("summary.md", markdown::page(night, &series)),
        Page::new("summary.json", series::json(night, &series)?),
        Page::new("junit.xml", junit::page(night)),
        Page::new("bencher.json", bencher::page(night)?),
    ])
}
