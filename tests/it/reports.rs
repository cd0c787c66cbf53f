//! Reports: the same story in every format, from rows that look like those of a real run.

pub(crate) mod example;

use gyro::findings::{AuditFinding, Axis, Deviation, Findings, Question, Rejected, Ruling, Severity};
use gyro::measurement::{Cell, Measurement, Outcome};
use gyro::reports::{Page, REPORTS, Run, compare, pages, terminal};
use gyro::units::Tokens;

use example::{cells, findings, provenance};

/// Hands a run to `check` with these findings and cells.
fn with<T>(findings: &Findings, cells: &[(Cell, Outcome)], check: impl FnOnce(&Run<'_>) -> T) -> T {
    let provenance = provenance();
    check(&Run { findings, cells, trained: Tokens(2048), target: Tokens(8192), provenance: &provenance })
}

fn made(findings: &Findings, cells: &[(Cell, Outcome)]) -> Vec<Page> {
    with(findings, cells, |run| pages(run).unwrap())
}

fn page<'a>(pages: &'a [Page], name: &str) -> &'a str {
    let page = pages.iter().find(|page| page.path.to_str() == Some(name));
    std::str::from_utf8(&page.unwrap_or_else(|| panic!("no page {name}")).bytes).unwrap()
}

fn charts(pages: &[Page]) -> Vec<(&str, &str)> {
    let charts = pages.iter().filter_map(|page| page.path.to_str()).filter(|path| path.starts_with("charts/"));
    charts.map(|path| (path, page(pages, path))).collect()
}

/// What holds for every page of every run.
fn sound(pages: &[Page]) {
    let html = page(pages, "report.html");
    let loads = html.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    assert_eq!(loads.matches("<script>").count(), 1, "the one script sorts tables");
    let loads = loads.replacen("<script>", "", 1);
    for word in ["http://", "https://", "<script", "url(", "@import", " src=", "fetch(", "XMLHttp"] {
        assert!(!loads.contains(word), "the page must load nothing, but has {word}");
    }
    assert_eq!(html.matches("<svg ").count(), html.matches("role=\"img\" aria-label=\"").count());
    assert!(!html.contains("aria-label=\"\""), "every figure has words");
    assert_eq!(html.matches("<figure>").count(), html.matches("<figcaption>").count());
    for (path, svg) in charts(pages) {
        assert!(svg.starts_with("<svg xmlns=") && svg.trim_end().ends_with("</svg>"), "{path}");
        assert!(svg.contains("<title>") && svg.matches("<text").count() > 5, "{path} is empty");
        assert!(page(pages, "report.md").contains(&format!("]({path})")), "report.md does not show {path}");
        assert!(html.contains(svg), "report.html does not show {path}");
        assert!(!svg.contains("NaN") && !svg.contains("2147483647"), "{path} has a point nowhere");
    }
}

#[test]
fn markdown_tells_the_whole_story() {
    let pages = made(&findings(), &cells());
    sound(&pages);
    insta::assert_snapshot!(page(&pages, "report.md"));
}

#[test]
fn the_terminal_fits_80_columns() {
    let summary = with(&findings(), &cells(), |run| terminal(run, false));
    assert!(summary.lines().all(|line| line.chars().count() <= 80), "{summary}");
    assert!(!summary.contains('\u{1b}'));
    insta::assert_snapshot!(summary);
}

#[test]
fn colours_change_nothing_but_colour() {
    let (plain, painted) = with(&findings(), &cells(), |run| (terminal(run, false), terminal(run, true)));
    let mut stripped = String::new();
    let mut parts = painted.split('\u{1b}');
    stripped.push_str(parts.next().unwrap());
    for part in parts {
        stripped.push_str(part.split_once('m').unwrap().1);
    }
    assert_ne!(plain, painted);
    assert_eq!(plain, stripped);
}

#[test]
fn every_figure_is_drawn_and_shown() {
    let pages = made(&findings(), &cells());
    let names: Vec<&str> = charts(&pages).into_iter().map(|(path, _)| path).collect();
    let expected = [
        "loss_by_position",
        "recall_by_distance",
        "recall_map",
        "attention_by_distance",
        "repair",
        "periods",
        "grid_short_range",
        "grid_long_range",
        "grid_retrieval",
        "latency_by_length",
    ];
    assert_eq!(names, expected.map(|name| format!("charts/{name}.svg")));
    let loss = page(&pages, "charts/loss_by_position.svg");
    for label in ["x4 deployed", "reference", "unscaled", "ntk", "yarn", "trained length"] {
        assert!(loss.contains(label), "{label}");
    }
    assert!(page(&pages, "charts/grid_short_range.svg").contains("failed"));
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    assert_eq!(made(&findings(), &cells()), made(&findings(), &cells()));
}

#[test]
fn json_reads_back_as_the_same_findings() {
    let pages = made(&findings(), &cells());
    let read: Findings = serde_json::from_str(page(&pages, "findings.json")).unwrap();
    assert_eq!(read, findings());
}

/// Every ruling of the example, from the words of each format.
#[test]
fn every_format_carries_the_same_rulings() {
    let findings = findings();
    let pages = made(&findings, &cells());
    let summary = with(&findings, &cells(), |run| terminal(run, false));
    let (markdown, html, junit) = (page(&pages, "report.md"), page(&pages, "report.html"), page(&pages, "junit.xml"));
    let json: Findings = serde_json::from_str(page(&pages, "findings.json")).unwrap();
    assert_eq!(findings.verdicts.len(), 5);
    for (verdict, read) in findings.verdicts.iter().zip(&json.verdicts) {
        assert_eq!(verdict.ruling, read.ruling);
        let name = match verdict.question {
            Question::Latency => format!("Latency ({})", verdict.quantity),
            Question::ShortRange => "Short range".to_owned(),
            Question::LongRange => "Long range".to_owned(),
            Question::Retrieval => "Retrieval".to_owned(),
        };
        let words = verdict.ruling.words();
        let line = summary.lines().find(|line| line.starts_with(&name) && !line.contains(": ")).unwrap();
        assert!(line.contains(words), "{line}");
        let row = markdown.lines().find(|line| line.starts_with(&format!("| {name} |"))).unwrap();
        assert!(row.contains(&format!("**{words}**")), "{row}");
        let (_, card) = html.split_once(&format!("<h2>{name}</h2>")).unwrap();
        let (card, _) = card.split_once("</li>").unwrap();
        assert!(card.contains(words), "{card}");
        let (_, case) = junit.split_once(&format!("name=\"{name} against reference\">")).unwrap();
        let (case, _) = case.split_once("</testcase>").unwrap();
        let tag = match verdict.ruling {
            Ruling::Worse => "<failure ",
            Ruling::Better | Ruling::WithinNoise => "<system-out>",
            Ruling::Undecided | Ruling::Incomparable => "<skipped ",
        };
        assert!(case.starts_with(tag) && case.contains(words), "{case}");
    }
    assert!(junit.contains("tests=\"6\" failures=\"3\" errors=\"0\" skipped=\"1\""), "{junit}");
}

#[test]
fn what_must_be_decided_and_is_not_is_an_error_for_junit() {
    let mut findings = findings();
    findings.decide = vec![Question::Latency];
    findings.expectations[0].met = false;
    let pages = made(&findings, &cells());
    let junit = page(&pages, "junit.xml");
    assert!(junit.contains("errors=\"2\" skipped=\"0\"") && junit.contains("type=\"undecided\""), "{junit}");
    assert!(junit.contains("type=\"expectation\""), "{junit}");
}

#[test]
fn every_link_of_a_page_leads_somewhere() {
    let pages = made(&findings(), &cells());
    let html = page(&pages, "report.html");
    let targets: Vec<&str> = html.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(targets.len() > 15, "{targets:?}");
    for target in targets {
        assert!(html.contains(&format!(" id=\"{target}\"")), "#{target} is nowhere");
    }
}

#[test]
fn evidence_is_told_once_and_links_to_the_rows_that_hold_it() {
    let along = "along the document the damage is 1.11 nats/token at positions 0 to 64";
    let price = "factor 1 is no repair: it loses 1.43 nats/token at long range";
    let battery = "the answers differ from position 2,048 on";
    let mut findings = findings();
    findings.causes[0].evidence = [along, price, battery].map(str::to_owned).to_vec();
    let twin = findings.causes[0].clone();
    findings.causes.insert(1, twin);
    findings.deviations = vec![Deviation {
        name: "unknown (cache)".into(),
        place: Some("cache".into()),
        shape: "cache_only".into(),
        onset: None,
        explained: None,
        exact: false,
        evidence: vec![battery.into()],
    }];
    let pages = made(&findings, &cells());
    sound(&pages);
    let markdown = page(&pages, "report.md");
    for (sentence, links) in [
        (along, "[rows: along the document](#rows--along-the-document)"),
        (price, "[rows: short range](#rows--short-range) [rows: long range](#rows--long-range)"),
        (battery, "[rows: battery](#rows--battery)"),
    ] {
        let claim = format!("- {sentence} <sup>{links}</sup>\n");
        assert_eq!(markdown.matches(&claim).count(), 1, "{claim}");
    }
    for anchor in ["rows--along-the-document", "rows--battery"] {
        assert!(markdown.contains(&format!("<a id=\"{anchor}\">")), "{anchor}");
    }
    let (_, row) = markdown.split_once("</a>rows: along the document |").unwrap();
    let row = row.lines().next().unwrap();
    assert!(row.contains("probe == 'long_range'") && !row.contains(">= 2048"), "all positions: {row}");
}

#[test]
fn only_what_is_worse_is_said_to_lack_a_repair() {
    let mut findings = findings();
    findings.causes[3].axis = Axis::Undecided;
    findings.verdicts[4].why = Some("the ratio crosses the tolerance".into());
    let lacks = "Latency: nothing measured repairs it";
    let pages = made(&findings, &cells());
    let markdown = page(&pages, "report.md");
    assert!(!markdown.contains(lacks) && markdown.contains("- Latency: the ratio crosses the tolerance."));
    findings.notes = vec!["latency is undecided: the ratio crosses the tolerance; 12 blocks would do".into()];
    let pages = made(&findings, &cells());
    assert_eq!(
        page(&pages, "report.md").matches("the ratio crosses the tolerance").count(),
        1,
        "a reason is told once"
    );
    findings.verdicts[4].ruling = Ruling::Worse;
    assert!(page(&made(&findings, &cells()), "report.md").contains(lacks));
}

/// `none` is the method's name in files; in a sentence it would be read as nothing.
#[test]
fn sentences_say_unscaled() {
    let mut findings = findings();
    findings.causes[1].axis = Axis::Factor;
    findings.causes[1].repair.as_mut().unwrap().cell = "none".into();
    let advice = findings.recommendation.as_mut().unwrap();
    let because = vec!["factor 1 stretches to 2,048 tokens".to_owned()];
    advice.rejected.push(Rejected { adapted: 0, method: "none".into(), factor: 1.0, because });
    let pages = made(&findings, &cells());
    sound(&pages);
    let markdown = page(&pages, "report.md");
    for words in [
        "| unscaled | 107%",
        "unscaled leaves ",
        "the repair by unscaled includes all",
        "| Long range, unscaled nats/token |",
        "- unscaled: factor 1 stretches",
        "Best is unscaled",
    ] {
        assert!(markdown.contains(words), "{words}");
    }
    let summary = with(&findings, &cells(), |run| terminal(run, false));
    assert!(summary.contains("unscaled repairs 107%"), "{summary}");
    // What is deployed is known by its label, however it is said.
    let advice = findings.recommendation.as_mut().unwrap();
    (advice.method, advice.factor) = ("none".into(), 1.0);
    findings.deployed = "none".into();
    let pages = made(&findings, &cells());
    let markdown = page(&pages, "report.md");
    assert!(markdown.contains("deployed: unscaled") && markdown.contains("Keep unscaled."), "{markdown}");
    assert!(markdown.contains("### What it gains and what it costs"), "{markdown}");
}

#[test]
fn the_unscaled_model_is_drawn_in_the_blocks_of_the_deployed_cell() {
    let (alone, mut cells) = (cells(), cells());
    let (_, Outcome::Measured(unscaled)) = &alone[0] else { panic!("the unscaled cell was measured") };
    // A candidate, timed in another hour, in which everything took twice as long.
    let later = |row: &Measurement, cell: &Cell| {
        let mut row = row.clone();
        row.cell = cell.id();
        row.reading.document += 10_000;
        row.reading.value *= 2.0;
        row
    };
    for (cell, outcome) in &mut cells {
        let cell = &*cell;
        let own = *cell == Cell::unscaled();
        if let Outcome::Measured(rows) = outcome
            && (own || cell.label() == "yarn x4")
        {
            let timed = unscaled.iter().filter(|row| row.reading.probe == "latency");
            rows.extend(timed.filter(|row| own || row.reading.repeat == 0).map(|row| later(row, cell)));
        }
    }
    let (before, after) = (made(&findings(), &alone), made(&findings(), &cells));
    let drawn = |pages: &[Page]| {
        let (_, time) = page(pages, "report.md").split_once("Decode of unscaled: ").unwrap();
        time.split_once(' ').unwrap().0.to_owned()
    };
    assert_eq!(drawn(&before), drawn(&after));
    let caption = page(&after, "report.md");
    assert!(caption.contains("medians over 6 interleaved blocks (control 12)"), "{caption}");
    assert!(caption.contains("compare cells by their ratios") && caption.contains("Decode, ratio of yarn x4: 1.000"));
    assert!(!page(&before, "report.md").contains("compare cells by their ratios"));
}

#[test]
fn two_runs_side_by_side_say_what_changed() {
    let (before, mut after) = (findings(), findings());
    after.verdicts[0].ruling = Ruling::WithinNoise;
    let mut cells_after = cells();
    let moved = cells_after.iter_mut().find(|(cell, _)| cell.label() == "yarn x4").unwrap();
    if let Outcome::Measured(rows) = &mut moved.1 {
        for row in rows.iter_mut().filter(|row| row.reading.probe == "long_range") {
            row.reading.value += 0.25;
        }
    }
    cells_after.retain(|(cell, _)| cell.label() != "ntk x8");
    let comparison = with(&before, &cells(), |old| with(&after, &cells_after, |new| compare(("a", old), ("b", new))));
    let yarn =
        comparison.cells.iter().find(|cell| cell.cell == "yarn x4" && cell.question == Question::LongRange).unwrap();
    assert!(yarn.moved && (yarn.change.point - 0.25).abs() < 1e-12, "{yarn:?}");
    assert_eq!(comparison.cells.iter().filter(|cell| cell.moved).count(), 1);
    assert_eq!(comparison.only, [("ntk x8".to_owned(), "a".to_owned())]);
    assert!(comparison.origin.is_empty());
    let text = comparison.terminal();
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(text.contains("Short range against reference: worse -> within noise"), "{text}");
    let document = comparison.document();
    for page in [gyro::reports::html::page(&document), gyro::reports::markdown::page(&document)] {
        assert!(page.contains("+0.250 nats/token") && page.contains("ntk x8: a"), "{page}");
    }
}

#[test]
fn runs_over_other_documents_are_not_compared_cell_by_cell() {
    let (findings, cells) = (findings(), cells());
    let (one, mut other) = (provenance(), provenance());
    other.text_hash = "another".into();
    let run = |provenance| Run {
        findings: &findings,
        cells: &cells,
        trained: Tokens(2048),
        target: Tokens(8192),
        provenance,
    };
    let comparison = compare(("a", &run(&one)), ("b", &run(&other)));
    assert!(comparison.cells.is_empty() && comparison.unpaired.is_some(), "{comparison:?}");
}

#[test]
fn the_waterfall_adds_up() {
    let pages = made(&findings(), &cells());
    let chart = page(&pages, "charts/repair.svg");
    // Short range: 1.268 deployed, ntk x4 leaves 0.022; of the gap 1.246 the method has 81 %, the factor 19 %.
    for number in ["1.268", "1.009", "0.237", "0.022"] {
        assert!(chart.contains(number), "{number} is not in the picture");
    }
}

#[test]
fn the_audit_is_told_in_every_format() {
    let mut findings = findings();
    let found = |severity| AuditFinding {
        severity,
        check: "factor_ratio".into(),
        file: "config.json".into(),
        key: "rope_scaling.factor".into(),
        line: Some(12),
        meaning: format!("weighs as {}", severity.name()),
        instead: "\"factor\": 4".into(),
        known: vec!["huggingface/transformers #38224".into()],
    };
    findings.audit = vec![found(Severity::Error), found(Severity::Note)];
    let pages = made(&findings, &cells());
    sound(&pages);
    for name in ["report.md", "report.html"] {
        let page = page(&pages, name);
        for part in ["rope_scaling.factor (config.json, line 12)", "weighs as error", "weighs as note", "#38224"] {
            assert!(page.contains(part), "{name} lacks {part}");
        }
    }
    let summary = with(&findings, &cells(), |run| terminal(run, false));
    assert!(summary.contains("audit: error: rope_scaling.factor (config.json, line 12): weighs as error"), "{summary}");
    // A note is no reason to interrupt the summary.
    assert!(!summary.contains("weighs as note"));
}

#[test]
fn hostile_words_stay_words() {
    let mut findings = findings();
    let hostile = "<script>alert(1)</script> | \"quoted\" & 'more'";
    findings.question = hostile.into();
    findings.answer = hostile.into();
    findings.deployed = hostile.into();
    findings.notes = vec![hostile.into()];
    findings.causes[0].evidence = vec![hostile.into()];
    let mut cells = cells();
    cells[3].1 = Outcome::Failed { reason: hostile.into() };
    findings.cells[3].reason = Some(hostile.into());
    let pages = made(&findings, &cells);
    sound(&pages);
    assert!(page(&pages, "report.html").contains("&lt;script&gt;alert(1)"));
    assert!(!page(&pages, "report.md").contains("<script"));
}

#[test]
fn a_run_without_retrieval_attention_and_latency_says_so() {
    let mut cells = cells();
    for (_, outcome) in &mut cells {
        if let Outcome::Measured(rows) = outcome {
            rows.retain(|row| row.reading.probe == "long_range");
        }
    }
    let mut findings = findings();
    findings.verdicts.retain(|verdict| matches!(verdict.question, Question::ShortRange | Question::LongRange));
    findings.causes.retain(|cause| matches!(cause.question, Question::ShortRange | Question::LongRange));
    findings.grid.retain(|grid| grid.question != Question::Retrieval);
    let pages = made(&findings, &cells);
    sound(&pages);
    for words in ["No facts were asked for", "Attention was not looked at", "Nothing was timed"] {
        assert!(page(&pages, "report.md").contains(words) && page(&pages, "report.html").contains(words), "{words}");
    }
}

#[test]
fn a_run_whose_cells_all_failed_says_so() {
    let failed = || Outcome::Failed { reason: "out of memory".into() };
    let cells: Vec<_> = cells().into_iter().map(|(cell, _)| (cell, failed())).collect();
    let mut findings = findings();
    findings.verdicts.clear();
    findings.causes.clear();
    findings.grid.clear();
    findings.recommendation = None;
    for cell in &mut findings.cells {
        cell.outcome = "failed".into();
        cell.reason = Some("out of memory".into());
    }
    let pages = made(&findings, &cells);
    sound(&pages);
    assert!(charts(&pages).is_empty());
    let markdown = page(&pages, "report.md");
    for words in ["Every cell failed", "No question was ruled on", "No cell has a loss by position"] {
        assert!(markdown.contains(words), "{words}");
    }
    let summary = with(&findings, &cells, |run| terminal(run, false));
    assert!(summary.contains("no question was ruled on") && summary.contains("failed: yarn x8: out of memory"));
}

#[test]
fn a_cell_that_blows_up_leaves_the_others_readable() {
    let mut cells = cells();
    for (cell, outcome) in &mut cells {
        let Outcome::Measured(rows) = outcome else { continue };
        for row in rows.iter_mut().filter(|row| *cell == Cell::unscaled() && row.reading.at.to == Some(8192)) {
            row.reading.value = if row.reading.document == 0 { f64::NAN } else { 48.0 };
        }
    }
    let pages = made(&findings(), &cells);
    sound(&pages);
    let chart = page(&pages, "charts/loss_by_position.svg");
    assert!(chart.contains("48.0"), "the value is written where it is cut");
    assert!(page(&pages, "report.md").contains("Readings that are not finite numbers are not drawn: unscaled (1)."));
}

#[test]
fn report_names_are_distinct() {
    let mut names: Vec<&str> = REPORTS.iter().map(|report| report.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), REPORTS.len());
}

/// Writes the pages where a person can look at them: `GYRO_REPORT_OUT=folder`.
#[test]
fn pages_are_written_where_asked() {
    let Some(folder) = std::env::var_os("GYRO_REPORT_OUT").map(std::path::PathBuf::from) else { return };
    for page in made(&findings(), &cells()) {
        let path = folder.join(&page.path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, page.bytes).unwrap();
    }
}
