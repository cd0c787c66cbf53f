//! The memo as pages: Markdown, one self-contained HTML file, JSON; and a summary for a terminal.

use super::{ALTERNATIVES, Candidate, Mark, Memo, Setting, Settings, Standing, What};
use crate::findings::{Findings, Question, Recommendation, Ruling};
use crate::measurement::{Arm, Cell, Outcome};
use crate::reports::document::{Block, Document, Entry, Table, number, table, text};
use crate::reports::{Figure, Page, ReportError, Run, capitalised, figures_of, html, markdown, numbers, paragraph};

/// `memo.md`, `memo.html` and `memo.json`, with the figures that `memo.md` shows.
///
/// # Errors
/// [`ReportError`] where a figure or the JSON cannot be written.
pub fn pages(memo: &Memo, run: &Run<'_>) -> Result<Vec<Page>, ReportError> {
    let wanted = ["periods", "loss_by_position", "recall_by_distance", "latency_by_length"];
    // The figures point out the cell that the memo recommends, and have names of their own beside the report's.
    let chosen = memo.candidates.first().map(|candidate| &candidate.cell);
    let recommendation = chosen.map(|cell| Recommendation {
        method: cell.method.label(),
        factor: cell.factor.0,
        adapted: cell.adapted.0,
        because: Vec::new(),
        rejected: Vec::new(),
    });
    let findings = Findings { recommendation, ..run.findings.clone() };
    // Only what is weighed is drawn: the recommended cell, its alternatives, what is deployed and the references.
    let weighed = |cell: &Cell| {
        cell.arm != Arm::Grid
            || *cell == Cell::unscaled()
            || cell.label() == run.findings.deployed
            || shown(memo).any(|candidate| candidate.cell == *cell)
    };
    let cells: Vec<(Cell, Outcome)> = run.cells.iter().filter(|(cell, _)| weighed(cell)).cloned().collect();
    let figures = figures_of(&Run { findings: &findings, cells: &cells, ..*run })?.into_iter();
    let figures = figures.filter(|figure| wanted.contains(&figure.name.as_str()));
    let figures = figures.map(|figure| Figure { name: format!("memo_{}", figure.name), ..figure }).collect();
    let document = document(memo, run, figures);
    let mut json = serde_json::to_string_pretty(memo)?;
    json.push('\n');
    let mut pages = vec![
        Page::new("memo.json", json),
        Page::new("memo.md", markdown::page(&document)),
        Page::new("memo.html", html::page(&document)),
    ];
    pages.extend(document.figures.iter().map(|figure| Page::new(figure.path(), figure.svg.as_str())));
    Ok(pages)
}

/// The decision and the constraints in 80 columns.
#[must_use]
pub fn terminal(memo: &Memo) -> String {
    let mut page = String::new();
    paragraph(&mut page, "", &memo.question);
    page.push('\n');
    for sentence in &memo.decision.sentences {
        paragraph(&mut page, "  ", &sentence.text);
    }
    page.push('\n');
    for candidate in shown(memo) {
        paragraph(&mut page, "", &format!("{} ({}):", candidate.label, candidate.training));
        for standing in &candidate.standings {
            paragraph(
                &mut page,
                "      ",
                &format!("  {} {}", numbers::symbol(standing.ruling), super::decision::standing_words(standing)),
            );
        }
    }
    page.push('\n');
    for link in &memo.chain {
        paragraph(
            &mut page,
            "      ",
            &format!(
                "{}: {}; expected: {}; measured: {}",
                link.mark.words(),
                link.mechanism,
                link.expected,
                link.measured
            ),
        );
    }
    page
}

/// The recommended cell and its alternatives.
fn shown(memo: &Memo) -> impl Iterator<Item = &Candidate> {
    memo.candidates.iter().filter(|candidate| candidate.same_as.is_none()).take(1 + ALTERNATIVES)
}

fn document(memo: &Memo, run: &Run<'_>, figures: Vec<Figure>) -> Document {
    let decision = &memo.decision;
    let mut page = Document {
        origin: format!(
            "Gyro decision memo \u{b7} {} \u{b7} trained {} \u{b7} target {} tokens \u{b7} {}",
            memo.scenario, run.trained, run.target, run.provenance.started
        ),
        title: memo.question.clone(),
        answer: decision.sentences.first().map(|claim| claim.text.clone()).unwrap_or_default(),
        tone: Some(if decision.meets_all { Ruling::Better } else { Ruling::Undecided }),
        first: vec![
            Block::Claims(decision.sentences.iter().skip(1).cloned().collect()),
            constraints(memo, shown(memo).collect(), "Each candidate against each constraint"),
        ],
        blocks: Vec::new(),
        figures,
    };
    evidence(&mut page, memo);
    conduct(&mut page, memo);
    pasting(&mut page, memo);
    rests(&mut page, memo, run);
    page
}

fn constraint_words(question: Question) -> &'static str {
    match question {
        Question::ShortRange => "Short range preserved",
        Question::LongRange => "Loss stable to the target",
        Question::Retrieval => "Facts found up to the target",
        Question::Latency => "Latency unchanged",
    }
}

/// Passed or failed, by how much.
fn constraints(memo: &Memo, candidates: Vec<&Candidate>, caption: &str) -> Block {
    let questions: Vec<Question> =
        memo.candidates.first().into_iter().flat_map(|c| &c.standings).map(|s| s.constraint).collect();
    let mut head = vec!["Candidate".to_owned(), "Weights".to_owned()];
    for question in &questions {
        let standing = memo.candidates.first().and_then(|candidate| candidate.standing(*question));
        let accepted = standing.map_or_else(String::new, |standing| {
            format!(" (accepted {})", with_unit(&standing.unit, numbers::tolerance(&standing.unit, standing.tolerance)))
        });
        head.push(format!("{}{accepted}", constraint_words(*question)));
    }
    head.push("Rests on".to_owned());
    let rows = candidates.into_iter().map(|candidate| {
        let mut row = vec![text(&candidate.label), text(&candidate.training)];
        row.extend(questions.iter().map(|question| match candidate.standing(*question) {
            Some(standing) => Entry::Judged(standing.ruling, standing.status().to_owned(), by_how_much(standing)),
            None => text("\u{2013}"),
        }));
        row.push(Entry::Links(candidate.standings.iter().flat_map(|standing| standing.sources.clone()).collect()));
        row
    });
    Block::Table(Table { caption: caption.to_owned(), head, rows: rows.collect() })
}

/// A number with the unit that it does not carry itself.
fn with_unit(unit: &str, number: String) -> String {
    let suffix = numbers::suffix(unit);
    if suffix.is_empty() { number } else { format!("{number} {suffix}") }
}

/// The change with its interval, and how much of the tolerance is left.
fn by_how_much(standing: &Standing) -> String {
    let unit = standing.unit.as_str();
    // The head of the column names the unit.
    let suffix = numbers::suffix(unit);
    let bare = |text: String| if suffix.is_empty() { text } else { text.replace(&format!(" {suffix}"), "") };
    let change = match (&standing.change, standing.expected) {
        (Some(change), _) => format!("{}, n = {}", bare(numbers::estimate(unit, change, numbers::change)), change.n),
        (None, Some(expected)) => format!("{expected:.3}x by its operations"),
        (None, None) => return standing.why.clone().unwrap_or_default(),
    };
    let Some(margin) = standing.margin else { return change };
    if standing.constraint == Question::Latency {
        // The margin is the tolerance over the ratio.
        let timing = standing.timing.as_ref().map_or_else(String::new, |timing| format!("{timing}: "));
        return format!("{timing}{change}; {}", against_limit(margin.recip()));
    }
    let size = numbers::tolerance(unit, margin.abs());
    format!("{change}; {size} {}", if margin < 0.0 { "beyond" } else { "to spare" })
}

/// A ratio to a limit in words: `5 % below the limit`, `5.7 times the limit`.
fn against_limit(share: f64) -> String {
    if share >= 2.0 {
        format!("{share:.1} times the limit")
    } else {
        format!("{:.1}% {} the limit", 100.0 * (share - 1.0).abs(), if share > 1.0 { "above" } else { "below" })
    }
}

fn evidence(page: &mut Document, memo: &Memo) {
    page.heading("How it works, and what it is for");
    page.claim(memo.mechanism.clone());
    page.figure_or("memo_periods", "");
    for contrast in &memo.contrasts {
        page.heading(&format!("The contrast with {}", contrast.method));
        page.claim(contrast.claims.clone());
    }
    page.heading("Side by side");
    let mut head: Vec<&str> = vec!["Aspect"];
    head.extend(memo.comparison.columns.iter().map(String::as_str));
    head.push("Rests on");
    let rows = memo.comparison.rows.iter().map(|(aspect, words, sources)| {
        std::iter::once(text(aspect)).chain(words.iter().map(text)).chain([Entry::Links(sources.clone())]).collect()
    });
    page.blocks.push(table("Aspects by method", &head, rows.collect()));
    page.figure_or("memo_loss_by_position", "");
    page.figure_or("memo_recall_by_distance", "");
    chain(page, memo);
    page.figure_or("memo_latency_by_length", "");
    page.heading("Training-free now, or a short adaptation");
    page.claim(memo.adaptation.clone());
    if memo.candidates.len() > 1 + ALTERNATIVES {
        page.heading("Every candidate");
        page.blocks.push(constraints(
            memo,
            memo.candidates.iter().collect(),
            "Every candidate at its best cell, the best first",
        ));
        let same: Vec<String> = memo
            .candidates
            .iter()
            .filter_map(|candidate| {
                Some(format!(
                    "{} rotates as {} does, and is not counted twice.",
                    candidate.label,
                    candidate.same_as.as_ref()?
                ))
            })
            .collect();
        if !same.is_empty() {
            page.blocks.push(Block::List(same));
        }
    }
}

/// From mechanism to expected to measured.
fn chain(page: &mut Document, memo: &Memo) {
    page.heading("From mechanism to measured");
    let rows = memo.chain.iter().map(|link| {
        let mark = match link.mark {
            Mark::Confirmed => Ruling::Better,
            Mark::Contradicted => Ruling::Worse,
            Mark::NotTested => Ruling::Incomparable,
        };
        vec![
            text(&link.mechanism),
            text(&link.expected),
            text(&link.measured),
            Entry::Mark(mark, link.mark.words().to_owned()),
            Entry::Links(link.sources.clone()),
        ]
    });
    page.blocks.push(table(
        "The chain, link by link",
        &["Mechanism", "Expected", "Measured", "Link", "Rows"],
        rows.collect(),
    ));
}

fn conduct(page: &mut Document, memo: &Memo) {
    page.heading("Risks");
    page.claim(memo.risks.clone());
    page.heading("What would change the decision");
    page.claim(memo.reversals.clone());
    page.heading("Roll out, watch, go back");
    page.subheading("In this order");
    page.claim(memo.rollout.clone());
    page.subheading("What to watch");
    let rows = memo.watch.iter().map(|watch| {
        let unit = watch.unit.as_str();
        let suffix = numbers::suffix(unit);
        let behind = if suffix.is_empty() { String::new() } else { format!(" {suffix}") };
        vec![
            text(capitalised(watch.question.words())),
            number(format!("{}, n = {}", numbers::estimate(unit, &watch.baseline, numbers::value), watch.baseline.n)),
            number(format!("{}{behind}", numbers::tolerance(unit, watch.tolerance))),
            number(format!(
                "{} {}{behind}",
                if watch.question == Question::Retrieval { "below" } else { "above" },
                numbers::value(unit, watch.alarm)
            )),
            Entry::Links(watch.sources.clone()),
        ]
    });
    let head = ["Value", "Baseline [95%]", "Tolerance", "Alarm", "Rows"];
    page.blocks.push(table("Baselines and tolerances to set", &head, rows.collect()));
    page.say(
        "The baseline's interval is that of other documents; on the same documents as this run, as `gyro baseline \
         compare` measures, values repeat, and the alarm is for those. Time is watched by `gyro bench`.",
    );
    page.subheading("The way back");
    page.claim(memo.rollback.clone());
}

fn pasting(page: &mut Document, memo: &Memo) {
    page.heading("Settings to paste");
    for settings in [&memo.settings, &memo.fallback] {
        page.subheading(&settings.cell);
        if let Some(residual) = settings.residual {
            page.say(format!(
                "Read back by Gyro's own checkpoint reader these keys give the cell's frequencies and attention \
                 factor {}.",
                if residual == 0.0 { "exactly".to_owned() } else { format!("to within {residual:.0e} of each") }
            ));
        }
        for (engine, setting) in engines(settings) {
            match setting {
                Setting::Paste(text) => {
                    page.say(format!("{engine}:"));
                    page.blocks.push(Block::Code(text.clone()));
                }
                Setting::Refused(why) => page.say(format!("{engine}: nothing to paste; {why}.")),
            }
        }
        if !settings.remarks.is_empty() {
            page.blocks.push(Block::List(settings.remarks.clone()));
        }
    }
}

fn engines(settings: &Settings) -> [(&'static str, &Setting); 3] {
    [
        ("transformers, in config.json", &settings.transformers),
        ("vLLM", &settings.vllm),
        ("llama.cpp", &settings.llama_cpp),
    ]
}

/// What the claims rest on.
fn rests(page: &mut Document, memo: &Memo, run: &Run<'_>) {
    page.heading("What it rests on");
    page.say(
        "R names rows of measurements.parquet: the cell's identity, the cell that it is compared with, the filter on \
         the columns, and how a number is made of them. F names a formula. Intervals are 95%, from drawing whole \
         documents again; those of latency are over blocks of timings, and wider, since the worst of several is shown.",
    );
    let mut rows = Vec::new();
    let mut formulas = Vec::new();
    for source in &memo.sources {
        match &source.what {
            What::Rows { cell, id, against, against_id, filter, made, .. } => rows.push(vec![
                Entry::Anchor(source.name.clone()),
                text(cell),
                Entry::Code(id.clone()),
                text(against.clone().unwrap_or_default()),
                Entry::Code(against_id.clone().unwrap_or_default()),
                Entry::Code(filter.clone()),
                text(made),
            ]),
            What::Formula(formula) => {
                formulas.push(vec![Entry::Anchor(source.name.clone()), Entry::Code(formula.clone())]);
            }
        }
    }
    let head = ["Name", "Cell", "Identity", "Against", "Identity", "Filter", "Made of them"];
    page.blocks.push(table("Rows", &head, rows));
    page.blocks.push(table("Formulas", &["Name", "Formula"], formulas));
    page.say("The run and this memo again:");
    let quick = if run.provenance.quick { " --quick" } else { "" };
    let path = &run.provenance.scenario_path;
    page.blocks.push(Block::Code(format!("gyro diagnose {path}{quick}\ngyro memo {path}")));
    let protocols: Vec<String> = run
        .provenance
        .protocols
        .iter()
        .map(|(probe, words)| format!("{}: {words}", capitalised(&probe.replace('_', " "))))
        .collect();
    if !protocols.is_empty() {
        page.blocks.push(Block::List(protocols));
    }
}
