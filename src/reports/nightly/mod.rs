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
use crate::stats::{Estimate, MAX_P, WINDOW};
use crate::units::Tokens;

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
    /// 1 where it regressed against its baseline; 2 where it could not be judged: it failed, has no baseline, a test leaves
    /// its question open, a cell is missing or failed, or its own expectation is unmet; else 0.
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

    /// Its name, and the questions that it regressed in.
    fn named(&self) -> String {
        let questions = self.worse_in();
        if questions.is_empty() { self.scenario.clone() } else { format!("{} ({questions})", self.scenario) }
    }

    /// The questions that it regressed in, in words.
    fn worse_in(&self) -> String {
        let Outcome::Ended { gate: Some(gate), .. } = &self.outcome else { return String::new() };
        gate.suspects().iter().map(|question| question.words()).collect::<Vec<_>>().join(", ")
    }

    /// What to know of it at a glance: which tests are worse or left open; the table of its tests says why.
    fn in_short(&self) -> String {
        match &self.outcome {
            Outcome::Ended { gate: Some(gate), findings, .. } if self.exit_code() == 2 => {
                let open = gate.tests.iter().filter(|test| gate.leaves_open(test));
                let open = open.map(|test| format!("{} is {}", test.words(), test.verdict.ruling.words()));
                let open = open.chain(untested(gate)).chain(gate.cell_notes());
                open.chain(unmet(findings)).collect::<Vec<_>>().join("; ")
            }
            Outcome::Ended { gate: Some(_), .. } => self.worse_in(),
            _ => self.remarks().join("; "),
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
                remarks.extend(untested(gate));
                remarks.extend(gate.notes());
            }
        }
        remarks.extend(unmet(findings));
        remarks
    }
}

/// How the tests are to be read.
const READING: &str = "Short range is the loss with little context, long range the loss from the trained length on, retrieval the \
    share of facts recalled; each is compared document by document. Prefill and decode are the deployed model's time over that of \
    the unscaled model, tonight over then, so that another machine compares too; seconds are compared on the same machine alone. \
    A test says worse where the whole interval lies beyond what is accepted, p (corrected by Holm for all tests of the scenario) is \
    below 0.05, and a second measurement says so again.";

/// How the lines over time are to be read.
fn reading_of_lines() -> String {
    format!(
        "Every number night by night, with its 95 % interval. A change of level is one by E-divisive with Student's t: p below {MAX_P}, \
         windows of {WINDOW} nights."
    )
}

/// A p-value; what rounds to nothing is below what is shown.
fn probability(p: f64) -> String {
    if p < 1e-4 { "< 0.0001".to_owned() } else { format!("{p:.4}") }
}

/// A moment for people: `2026-03-01 09:05`, from a night's name or from RFC 3339.
pub(crate) fn moment(text: &str) -> String {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let part = |from: usize, to: usize| digits.get(from..to);
    match (part(0, 4), part(4, 6), part(6, 8), part(8, 10), part(10, 12)) {
        (Some(year), Some(month), Some(day), Some(hour), Some(minute)) => {
            format!("{year}-{month}-{day} {hour}:{minute}")
        }
        _ => text.to_owned(),
    }
}

/// What a change may come to, with its unit.
fn accepted(test: &Test) -> String {
    let unit = test.verdict.unit.as_str();
    format!("{} {}", numbers::tolerance(unit, test.verdict.tolerance), numbers::suffix(unit)).trim_end().to_owned()
}

/// Why a test says what it says, and what a second measurement said; empty where there is nothing to add.
fn remark(test: &Test) -> String {
    // What took a suspicion back stands in both.
    let again = test.again.as_ref().filter(|again| Some(*again) != test.verdict.why.as_ref());
    let again = again.map(|again| format!("measured again and {again}"));
    test.verdict.why.iter().cloned().chain(again).collect::<Vec<_>>().join("; ")
}

/// Why there is nothing to judge, where nothing was compared.
fn untested(gate: &Gate) -> Option<String> {
    let said = || format!("neither the run nor baseline `{}` measured anything that is compared", gate.baseline);
    gate.tests.is_empty().then(said)
}

/// The scenario's own expectations that were not met, a sentence each.
fn unmet(findings: &Findings) -> impl Iterator<Item = String> {
    findings.expectations.iter().filter(|expectation| !expectation.met).map(|unmet| {
        format!(
            "{}: the scenario expects the axis {}, found {}",
            unmet.question.words(),
            unmet.expected.name(),
            unmet.found.name()
        )
    })
}

/// A test that is worth a sentence: everything but a question that is fine.
fn told(test: &Test) -> Option<String> {
    let verdict = &test.verdict;
    let change = || {
        verdict.change.map_or_else(String::new, |change| {
            let joint = if matches!(verdict.ruling, Ruling::Worse | Ruling::Better) { " by" } else { ":" };
            format!("{joint} {} (accepted {})", amount(&verdict.unit, &change), accepted(test))
        })
    };
    let from = test.begins.map_or_else(String::new, |at| format!(", from position {} on", Tokens(at as usize)));
    let remark = Some(remark(test)).filter(|remark| !remark.is_empty());
    let remark = remark.map_or_else(String::new, |remark| format!("; {remark}"));
    match verdict.ruling {
        Ruling::WithinNoise => None,
        ruling => Some(format!("{} is {}{}{from}{remark}", test.words(), ruling.words(), change())),
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
            let names: Vec<String> =
                self.runs.iter().filter(|run| run.exit_code() == code).map(NightRun::named).collect();
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
