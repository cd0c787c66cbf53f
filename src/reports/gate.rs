//! A comparison with a baseline for a terminal.

use super::numbers;
use crate::baselines::Gate;
use crate::findings::{Findings, Ruling};
use crate::units::Tokens;

/// The comparison as plain lines: a test each, then the cells and what differs.
#[must_use]
pub fn gate(gate: &Gate) -> String {
    let mut text = format!("{} against `{}` of {}\n", gate.scenario, gate.baseline, gate.saved);
    for test in &gate.tests {
        let verdict = &test.verdict;
        let unit = verdict.unit.as_str();
        let change = verdict.change.map_or_else(String::new, |change| {
            format!("{}, n = {}", numbers::estimate(unit, &change, numbers::change), change.n)
        });
        let p = test.p.map_or_else(String::new, |p| format!(", p = {p:.4}"));
        let begins = test.begins.map_or_else(String::new, |at| format!(", from position {at} on"));
        text.push_str(&format!(
            "{} {:<20} {:<13} {change}{p}{begins} (accepted {})\n",
            numbers::symbol(verdict.ruling),
            test.name(),
            verdict.ruling.words(),
            numbers::tolerance(unit, verdict.tolerance)
        ));
        let unconfirmed = verdict.ruling == Ruling::Worse && test.again.is_none();
        let unconfirmed = unconfirmed.then(|| "not measured again: `gyro diagnose --baseline` does".to_owned());
        // What took a suspicion back stands in both.
        let again = test.again.as_ref().filter(|again| Some(*again) != verdict.why.as_ref());
        for remark in [verdict.why.as_ref(), again, unconfirmed.as_ref()].into_iter().flatten() {
            text.push_str(&format!("    {remark}\n"));
        }
    }
    for note in gate.notes() {
        text.push_str(&format!("note: {note}\n"));
    }
    text
}

/// The timings of a run as plain lines: each arm over the reference, slopes, noise, and what is slow.
#[must_use]
pub fn bench(findings: &Findings) -> String {
    let Some(speed) = &findings.speed else { return "nothing was timed\n".to_owned() };
    let mut text = format!("{} over the unscaled model, interleaved\n", findings.deployed);
    for timed in &speed.ratios {
        text.push_str(&format!(
            "{:<8} {:<13} {:>7} tokens  {}  {}, n = {}\n",
            timed.quantity,
            timed.arm.replace('_', " "),
            Tokens(timed.length).to_string(),
            numbers::estimate("ratio", &timed.ratio, numbers::value),
            numbers::value("seconds", timed.seconds.point),
            timed.ratio.n
        ));
    }
    for line in super::speed::lines(speed) {
        text.push_str(&format!("{line}\n"));
    }
    text
}
