//! `junit.xml`: a suite for each scenario, a case for each test; what CI servers read.
//!
//! Worse is a failure; what keeps the night from being judged is an error; what may stay undecided is skipped. So a suite fails
//! exactly where its scenario's exit code is not 0.

use super::super::html::escape;
use super::{Night, NightRun, Outcome, amount, told, untested};
use crate::baselines::{Gate, Test};
use crate::findings::Ruling;

/// The night as JUnit's XML.
pub(super) fn page(night: &Night) -> String {
    let mut page = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let suites: Vec<Suite> = night.runs.iter().map(Suite::of).collect();
    let sum = |count: fn(&Suite) -> usize| suites.iter().map(count).sum::<usize>();
    page.push_str(&format!(
        "<testsuites name=\"gyro nightly\" tests=\"{}\" failures=\"{}\" errors=\"{}\">\n",
        sum(|suite| suite.tests),
        sum(|suite| suite.failures),
        sum(|suite| suite.errors)
    ));
    for (suite, run) in suites.iter().zip(&night.runs) {
        let seconds = match &run.outcome {
            Outcome::Ended { provenance, .. } => format!(" time=\"{:.3}\"", provenance.wall_seconds.0),
            Outcome::Failed(_) => String::new(),
        };
        page.push_str(&format!(
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" timestamp=\"{}\"{seconds}>\n{}  \
             </testsuite>\n",
            escape(&run.scenario),
            suite.tests,
            suite.failures,
            suite.errors,
            suite.skipped,
            escape(night.started.trim_end_matches('Z')),
            suite.cases
        ));
    }
    page.push_str("</testsuites>\n");
    page
}

#[derive(Default)]
struct Suite {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
    cases: String,
}

impl Suite {
    fn of(run: &NightRun) -> Self {
        let mut suite = Self::default();
        match &run.outcome {
            Outcome::Ended { gate: Some(gate), findings, .. } => {
                gate.tests.iter().for_each(|test| suite.test(run, gate, test));
                suite.cells(run, gate);
                for unmet in findings.expectations.iter().filter(|expectation| !expectation.met) {
                    let what = format!("expects the axis {}, found {}", unmet.expected.name(), unmet.found.name());
                    suite.case(run, &format!("expect {}", unmet.question.name()), Some(("error", what)));
                }
            }
            Outcome::Ended { gate: None, .. } | Outcome::Failed(_) => {
                suite.case(run, "baseline", Some(("error", run.remarks().join("; "))));
            }
        }
        suite
    }

    /// What was not compared at all: the baseline itself, or cells that it has.
    fn cells(&mut self, run: &NightRun, gate: &Gate) {
        if let Some(nothing) = untested(gate) {
            self.case(run, "baseline", Some(("error", nothing)));
        }
        for label in &gate.cells.missing {
            let said = "measured in the baseline, and no part of this run".to_owned();
            self.case(run, &format!("cell {label}"), Some(("error", said)));
        }
        for failed in &gate.cells.failed {
            let (label, reason) = failed.split_once(": ").unwrap_or((failed.as_str(), "no reason is known"));
            let said = format!("measured in the baseline, and failed now: {reason}");
            self.case(run, &format!("cell {label}"), Some(("error", said)));
        }
    }

    fn test(&mut self, run: &NightRun, gate: &Gate, test: &Test) {
        let kind = match test.verdict.ruling {
            Ruling::Worse => Some("failure"),
            _ if gate.leaves_open(test) => Some("error"),
            Ruling::Undecided | Ruling::Incomparable => Some("skipped"),
            Ruling::Better | Ruling::WithinNoise => None,
        };
        let said = told(test).unwrap_or_else(|| {
            test.verdict.change.map_or_else(String::new, |change| amount(&test.verdict.unit, &change))
        });
        self.case(run, &test.name(), kind.map(|kind| (kind, said)));
    }

    fn case(&mut self, run: &NightRun, name: &str, problem: Option<(&str, String)>) {
        self.tests += 1;
        let head = format!("    <testcase classname=\"gyro.{}\" name=\"{}\"", escape(&run.scenario), escape(name));
        match problem {
            None => self.cases.push_str(&format!("{head}/>\n")),
            Some((kind, said)) => {
                match kind {
                    "failure" => self.failures += 1,
                    "skipped" => self.skipped += 1,
                    _ => self.errors += 1,
                }
                let report = escape(&format!("{}/report.html", run.folder));
                self.cases.push_str(&format!(
                    "{head}>\n      <{kind} message=\"{}\">{report}</{kind}>\n    </testcase>\n",
                    escape(&said)
                ));
            }
        }
    }
}
