//! `junit.xml`: each ruling as a test case, for systems that read those.
//!
//! Worse is a failure; a question that must be decided and is not, and an expectation that is not met, are errors; other
//! open questions are skipped. So a suite fails exactly where the findings' exit code is not 0; cells that are missing of a
//! comparison with a baseline end the process with 2 beside it.

use super::html::escape;
use super::tables::asked;
use super::{Page, Report, ReportError, Story, numbers};
use crate::findings::{Expectation, Findings, Ruling, Verdict};

/// The rulings for a CI system.
pub(super) struct Junit;

impl Report for Junit {
    fn name(&self) -> &'static str {
        "junit"
    }

    fn pages(&self, story: &Story<'_>) -> Result<Vec<Page>, ReportError> {
        Ok(vec![Page::new("junit.xml", suite(story.run.findings))])
    }
}

fn suite(findings: &Findings) -> String {
    let cases: Vec<String> = findings
        .verdicts
        .iter()
        .map(|verdict| ruling(findings, verdict))
        .chain(findings.expectations.iter().map(|expectation| expected(findings, expectation)))
        .collect();
    let count = |tag: &str| cases.iter().filter(|case| case.contains(tag)).count();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" \
         errors=\"{}\" skipped=\"{}\">\n{}</testsuite>\n",
        escape(&findings.scenario),
        cases.len(),
        count("<failure "),
        count("<error "),
        count("<skipped "),
        cases.concat(),
    )
}

fn ruling(findings: &Findings, verdict: &Verdict) -> String {
    let message = escape(&words(verdict));
    let outcome = match verdict.ruling {
        Ruling::Worse => format!("<failure message=\"{message}\" type=\"worse\"/>"),
        Ruling::Better | Ruling::WithinNoise => format!("<system-out>{message}</system-out>"),
        open if findings.decide.contains(&verdict.question) => {
            format!("<error message=\"{message}\" type=\"{}\"/>", open.words())
        }
        _ => format!("<skipped message=\"{message}\"/>"),
    };
    case(findings, &format!("{} against {}", asked(verdict), verdict.against), &outcome)
}

/// The ruling with its change and tolerance, or with the reason why there is none.
fn words(verdict: &Verdict) -> String {
    let unit = verdict.unit.as_str();
    let suffix = numbers::suffix(unit);
    let behind = if suffix.is_empty() { String::new() } else { format!(" {suffix}") };
    let change = verdict.change.map_or_else(
        || verdict.why.clone().unwrap_or_else(|| "not comparable".to_owned()),
        |e| format!("{}, n = {}", numbers::estimate(unit, &e, numbers::change), e.n),
    );
    format!("{}: {change} (accepted {}{behind})", verdict.ruling.words(), numbers::tolerance(unit, verdict.tolerance))
}

fn expected(findings: &Findings, expectation: &Expectation) -> String {
    let message = format!("expected {}, found {}", expectation.expected.name(), expectation.found.name());
    let outcome = if expectation.met {
        format!("<system-out>{message}</system-out>")
    } else {
        format!("<error message=\"{message}\" type=\"expectation\"/>")
    };
    case(findings, &format!("expected cause of {}", expectation.question.words()), &outcome)
}

fn case(findings: &Findings, name: &str, outcome: &str) -> String {
    format!("  <testcase classname=\"{}\" name=\"{}\">{outcome}</testcase>\n", escape(&findings.scenario), escape(name))
}
