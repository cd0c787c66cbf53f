//! `summary.md`: the night for a terminal, a pull request or `$GITHUB_STEP_SUMMARY`.

use super::{Night, Outcome, READING, Series, accepted, amount, moment, numbers, probability, reading_of_lines};

/// The night as Markdown.
pub(super) fn page(night: &Night, series: &[Series<'_>]) -> String {
    let mut page = format!("# Gyro, night of {} UTC\n\n{}\n\n", moment(&night.started), night.answer());
    page.push_str("| scenario | ruling | what to know |\n|---|---|---|\n");
    for run in &night.runs {
        let short = run.in_short();
        let short = if short.is_empty() { "nothing".to_owned() } else { short };
        page.push_str(&format!(
            "| [{}]({}/report.md) | {} | {} |\n",
            run.scenario,
            run.folder,
            run.ruling(),
            cell(&short)
        ));
    }
    if night.runs.iter().any(|run| matches!(&run.outcome, Outcome::Ended { gate: Some(_), .. })) {
        page.push_str(&format!("\n{READING}\n"));
    }
    for run in &night.runs {
        let Outcome::Ended { gate: Some(gate), .. } = &run.outcome else { continue };
        page.push_str(&format!("\n## {} against `{}` of {} UTC\n\n", run.scenario, gate.baseline, moment(&gate.saved)));
        page.push_str("| test | ruling | change [95 % interval] | accepted | p (Holm) |\n|---|---|---|---|---|\n");
        for test in &gate.tests {
            let verdict = &test.verdict;
            let change = verdict.change.map_or_else(|| "\u{2013}".to_owned(), |change| amount(&verdict.unit, &change));
            let p = test.p.map_or_else(|| "\u{2013}".to_owned(), probability);
            let (symbol, ruling) = (numbers::symbol(verdict.ruling), verdict.ruling.words());
            page.push_str(&format!("| {} | {symbol} {ruling} | {change} | {} | {p} |\n", test.words(), accepted(test)));
        }
        let remarks = run.remarks();
        if !remarks.is_empty() {
            page.push_str(&format!("\n- {}\n", remarks.join("\n- ")));
        }
    }
    page.push_str(&format!("\n## Over time\n\n{}\n", reading_of_lines()));
    page.push_str(
        "\n| scenario | number | nights | last [95 % interval] | changes of level |\n|---|---|---|---|---|\n",
    );
    for line in series {
        let Some(last) = line.entries.last() else { continue };
        page.push_str(&format!(
            "| {} | {} | {} | {}, n = {} | {} |\n",
            last.scenario,
            line.name(),
            line.entries.len(),
            numbers::estimate(&last.unit, &last.value, numbers::value),
            last.value.n,
            changes(line)
        ));
    }
    page
}

/// Where the level changed, in words.
pub(super) fn changes(line: &Series<'_>) -> String {
    let unit = line.entries.first().map_or("", |entry| entry.unit.as_str());
    let said: Vec<String> = line
        .changes
        .iter()
        .map(|change| {
            let value = |x| numbers::value(unit, x);
            format!(
                "{}: {} to {} (p {})",
                moment(line.night_of(change)),
                value(change.before),
                value(change.after),
                if change.p < 1e-4 { probability(change.p) } else { format!("= {}", probability(change.p)) }
            )
        })
        .collect();
    if said.is_empty() { "none".to_owned() } else { said.join("; ") }
}

/// Text that does not end its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
