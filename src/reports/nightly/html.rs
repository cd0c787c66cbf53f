//! `index.html`: the night as one file that needs nothing else, with links into each run.

use super::super::charts::history_chart;
use super::super::html::escape;
use super::{
    Night, NightRun, Outcome, READING, ReportError, Series, accepted, amount, markdown, moment, numbers, probability,
    reading_of_lines, remark, unmet,
};
use crate::findings::Ruling;

/// The same look as a run's report.
const STYLE: &str = include_str!("../report.css");

/// The night as a page.
pub(super) fn page(night: &Night, series: &[Series<'_>]) -> Result<String, ReportError> {
    let class = match night.exit_code() {
        0 => "same",
        1 => "worse",
        _ => "undecided",
    };
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>Gyro, night of {started} UTC</title>\n<style>\n{STYLE}</style>\n\
         </head>\n<body>\n<main>\n<header>\n<p class=\"origin\">Gyro \u{b7} night of {started} UTC</p>\n<h1>What moved since the \
         baselines</h1>\n<p class=\"answer {class}\">{}</p>\n",
        escape(&night.answer()),
        started = escape(&moment(&night.started)),
    );
    table(&mut page, &["Scenario", "Ruling", "Worse in, or why it was not judged"], night.runs.iter().map(overview));
    page.push_str("</header>\n");
    if night.runs.iter().any(|run| matches!(&run.outcome, Outcome::Ended { gate: Some(_), .. })) {
        page.push_str(&format!("<p>{}</p>\n", escape(READING)));
    }
    for run in &night.runs {
        against(&mut page, run);
    }
    page.push_str("<h2>Over time</h2>\n");
    if series.is_empty() {
        page.push_str("<p>There is no history yet.</p>\n");
    }
    page.push_str(&format!("<p>{}</p>\n", escape(&reading_of_lines())));
    let mut before = "";
    for line in series {
        let Some(first) = line.entries.first() else { continue };
        if first.scenario != before {
            page.push_str(&format!("<h3>{}</h3>\n", escape(&first.scenario)));
            before = &first.scenario;
        }
        page.push_str(&format!(
            "<figure>\n<div class=\"card\" tabindex=\"0\">\n{}</div>\n<figcaption><b>{}.</b> Changes of level: {}.</figcaption>\n</figure>\n",
            history_chart(line)?,
            escape(&line.name()),
            escape(&markdown::changes(line)),
        ));
    }
    page.push_str("</main>\n</body>\n</html>\n");
    Ok(page)
}

fn overview(run: &NightRun) -> Vec<String> {
    let class = match run.exit_code() {
        0 => "same",
        1 => "worse",
        _ => "undecided",
    };
    let link = format!("<a href=\"{0}/report.html\">{1}</a>", escape(&run.folder), escape(&run.scenario));
    let ruling = format!("<span class=\"ruling {class}\">{}</span>", run.ruling());
    vec![link, ruling, escape(&run.in_short())]
}

/// Every test of a run, with the run's rows behind it.
fn against(page: &mut String, run: &NightRun) {
    let Outcome::Ended { gate: Some(gate), provenance, findings } = &run.outcome else { return };
    let link = |file: &str| format!("<a href=\"{0}/{file}\">{0}/{file}</a>", escape(&run.folder));
    let again = if gate.tests.iter().any(|test| test.again.is_some()) {
        format!(", measured again: {}", link("again/measurements.parquet"))
    } else {
        String::new()
    };
    page.push_str(&format!(
        "<h2>{} against <code>{}</code></h2>\n<p>Baseline of {} UTC; tonight commit {}, {}. Rows: {}{again}.</p>\n",
        escape(&run.scenario),
        escape(&gate.baseline),
        escape(&moment(&gate.saved)),
        escape(provenance.commit.as_deref().unwrap_or("unknown")),
        escape(&provenance.machine_words()),
        link("measurements.parquet"),
    ));
    let rows = gate.tests.iter().map(|test| {
        let verdict = &test.verdict;
        let class = match verdict.ruling {
            Ruling::Worse => "worse",
            Ruling::Better => "better",
            Ruling::WithinNoise => "same",
            Ruling::Undecided => "undecided",
            Ruling::Incomparable => "incomparable",
        };
        let change = verdict.change.map_or_else(|| "\u{2013}".to_owned(), |change| amount(&verdict.unit, &change));
        vec![
            escape(&test.words()),
            format!(
                "<span class=\"ruling {class}\">{} {}</span>",
                numbers::symbol(verdict.ruling),
                verdict.ruling.words()
            ),
            escape(&change),
            escape(&accepted(test)),
            escape(&test.p.map_or_else(|| "\u{2013}".to_owned(), probability)),
            escape(&remark(test)),
        ]
    });
    table(page, &["Test", "Ruling", "Change [95 % interval]", "Accepted", "p (Holm)", "Remark"], rows);
    list(page, "Beside the tests:", gate.cell_notes().into_iter().chain(unmet(findings)));
    list(page, "What differs from the state of the baseline:", gate.differences.iter().cloned());
}

/// A list under a sentence; nothing where it has no entries.
fn list(page: &mut String, sentence: &str, entries: impl Iterator<Item = String>) {
    let mut entries = entries.peekable();
    if entries.peek().is_none() {
        return;
    }
    page.push_str(&format!("<p>{sentence}</p>\n<ul>\n"));
    for entry in entries {
        page.push_str(&format!("<li>{}</li>\n", escape(&entry)));
    }
    page.push_str("</ul>\n");
}

/// A table whose entries are HTML already.
fn table(page: &mut String, head: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    page.push_str("<div class=\"table\" tabindex=\"0\">\n<table>\n<thead><tr>");
    for word in head {
        page.push_str(&format!("<th scope=\"col\">{word}</th>"));
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        page.push_str("<tr>");
        for entry in row {
            page.push_str(&format!("<td>{entry}</td>"));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody>\n</table>\n</div>\n");
}
