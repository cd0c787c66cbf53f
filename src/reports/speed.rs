//! Timing taken apart, for the story of a run.

use super::document::{Block, Entry, number, table, text};
use super::numbers;
use crate::findings::{Findings, Speed};
use crate::units::Tokens;

/// What the timings say beside the chart; nothing where nothing was timed.
pub(super) fn blocks(findings: &Findings) -> Vec<Block> {
    let Some(speed) = &findings.speed else { return Vec::new() };
    let mut blocks = Vec::new();
    let lines = lines(speed);
    if !lines.is_empty() {
        blocks.push(Block::List(lines));
    }
    if !speed.parts.is_empty() {
        blocks.push(Block::Subheading("Parts of a decoded token, timed apart".to_owned()));
        let head = ["Part", "Context, tokens", "Deployed, \u{b5}s", "Unscaled, \u{b5}s", "Difference, \u{b5}s", "n"];
        blocks.push(table("Parts of a decoded token", &head, parts(speed)));
    }
    if !speed.memory.is_empty() {
        blocks.push(Block::Subheading("Memory while a prompt is read".to_owned()));
        blocks.push(table(
            "Memory while a prompt is read",
            &["Arm", "Prompt, tokens", "Peak of the process", "Fresh pages a prompt"],
            memory(speed),
        ));
    }
    blocks
}

/// What is slow, the machine's noise, and how decoding slows, one sentence each.
pub(super) fn lines(speed: &Speed) -> Vec<String> {
    let mut lines: Vec<String> = speed.slow.iter().cloned().collect();
    lines.extend(speed.noise.as_ref().map(|noise| {
        format!(
            "Noise of the machine: one fixed piece of work takes {}, from the fastest tenth to the slowest {}, n = {}.",
            numbers::estimate("seconds", &noise.seconds, numbers::value),
            numbers::percent(noise.spread),
            noise.seconds.n
        )
    }));
    lines.extend(speed.slopes.iter().map(|slope| {
        format!(
            "Decoding slows by {} a token for every 1,000 tokens of context ({}), n = {}.",
            microseconds(&slope.seconds),
            slope.arm.replace('_', " "),
            slope.seconds.n
        )
    }));
    lines
}

fn microseconds(seconds: &crate::stats::Estimate) -> String {
    let micro = |x: f64| format!("{:.1}", x * 1e6).replace('-', "\u{2212}");
    format!("{} \u{b5}s [{}, {}]", micro(seconds.point), micro(seconds.low), micro(seconds.high))
}

fn parts(speed: &Speed) -> Vec<Vec<Entry>> {
    let bare = |e: &crate::stats::Estimate| microseconds(e).replace(" \u{b5}s", "");
    let row = |part: &crate::findings::PartTime| {
        vec![
            text(part.part.replace('_', " ")),
            number(Tokens(part.length).to_string()),
            number(bare(&part.deployed)),
            number(bare(&part.reference)),
            number(bare(&part.excess)),
            number(part.excess.n.to_string()),
        ]
    };
    speed.parts.iter().map(row).collect()
}

fn memory(speed: &Speed) -> Vec<Vec<Entry>> {
    let row = |peak: &crate::findings::Peak| {
        let pages = peak.fresh_pages.as_ref().map_or_else(
            || "\u{2013}".to_owned(),
            |pages| format!("{:.0} [{:.0}, {:.0}]", pages.point, pages.low, pages.high),
        );
        vec![
            text(peak.arm.replace('_', " ")),
            number(Tokens(peak.length).to_string()),
            number(numbers::bytes(peak.bytes)),
            number(pages),
        ]
    };
    speed.memory.iter().map(row).collect()
}
