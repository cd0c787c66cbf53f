//! The tables of the story: rulings, causes, cells, attention, provenance.

use super::document::{Block, Entry, Table, number, table, text};
use super::figures::{Of, anywhere, curve};
use super::story::capitalised;
use super::{Run, numbers};
use crate::findings::{Axis, Cause, GridCell, GridSummary, Question, Ruling, Stability, Verdict};
use crate::measurement::{Quantity, spoken};
use crate::units::Tokens;

/// A verdict's question, with the quantity where one question has several.
pub(super) fn asked(verdict: &Verdict) -> String {
    match verdict.question {
        Question::Latency if verdict.quantity.ends_with("_seconds") => {
            capitalised(&verdict.quantity.replace('_', ", "))
        }
        Question::Latency => format!("Latency ({})", verdict.quantity),
        question => capitalised(question.words()),
    }
}

/// One row for each cause.
pub(super) fn causes_table(causes: &[Cause]) -> Block {
    let rows = causes.iter().map(|cause| {
        let (by, share) = cause.repair.as_ref().map_or_else(
            || ("\u{2013}".to_owned(), "\u{2013}".to_owned()),
            |repair| {
                let e = &repair.fraction;
                let interval = if e.n < 2 {
                    String::new()
                } else {
                    format!(" [{}, {}]", numbers::percent(e.low), numbers::percent(e.high))
                };
                (spoken(&repair.cell), format!("{}{interval}, n = {}", numbers::percent(e.point), e.n))
            },
        );
        if cause.axis == Axis::None {
            let dash = || number("\u{2013}");
            return vec![
                text(capitalised(cause.question.words())),
                text("no damage"),
                text(""),
                dash(),
                text(""),
                dash(),
            ];
        }
        vec![
            text(capitalised(cause.question.words())),
            text(cause.axis.name()),
            text(spoken(&cause.name)),
            number(numbers::percent(cause.confidence)),
            text(by),
            number(share),
        ]
    });
    table(
        "What is to blame, and what repairs it",
        &["Question", "Cause", "Level", "Confidence", "Repaired by", "Repair [95% interval]"],
        rows.collect(),
    )
}

/// How each question's gap divides over the axes.
pub(super) fn shapley_table(causes: &[&Cause]) -> Block {
    let mut axes: Vec<&String> = causes.iter().flat_map(|cause| cause.shapley.keys()).collect();
    axes.sort_by_key(|axis| (*axis == "interaction", (*axis).clone()));
    axes.dedup();
    let mut head = vec!["Question".to_owned()];
    head.extend(axes.iter().map(|axis| capitalised(axis)));
    let rows = causes.iter().map(|cause| {
        let shares = axes.iter().map(|axis| {
            number(cause.shapley.get(*axis).map_or_else(|| "\u{2013}".to_owned(), |share| numbers::percent(*share)))
        });
        std::iter::once(text(capitalised(cause.question.words()))).chain(shares).collect()
    });
    Block::Table(Table { caption: "How the gap divides".to_owned(), head, rows: rows.collect() })
}

/// Value, change, ruling and n of a cell of the grid.
pub(super) fn measured(unit: &str, cell: &GridCell) -> Vec<Entry> {
    vec![
        number(numbers::estimate(unit, &cell.value, numbers::value)),
        number(numbers::estimate(unit, &cell.change, numbers::change)),
        Entry::Ruling(cell.ruling),
        number(cell.value.n.to_string()),
    ]
}

/// One row for each cell, one column for each question.
pub(super) fn grid_table(grids: &[GridSummary]) -> Block {
    let mut labels: Vec<String> = Vec::new();
    for label in grids.iter().flat_map(|grid| &grid.cells).map(label) {
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    let mut head = vec!["Cell".to_owned()];
    head.extend(grids.iter().map(|grid| {
        let unit = numbers::suffix(&grid.unit);
        let unit = if unit.is_empty() { String::new() } else { format!(", {unit}") };
        let confidence = grid.cells.first().map_or(0.95, |cell| cell.change.confidence);
        let n = grid.cells.iter().map(|cell| cell.change.n).max().unwrap_or(0);
        let words = capitalised(grid.question.words());
        format!("{words}{unit} [{}, n = {n}]", numbers::percent(confidence))
    }));
    let rows = labels.into_iter().map(|name| {
        let changes = grids.iter().map(|grid| match grid.cells.iter().find(|cell| label(cell) == name) {
            Some(cell) => {
                let change = numbers::estimate(&grid.unit, &cell.change, numbers::change);
                let change = change.replace(&format!(" {}", grid.unit), "");
                number(format!("{} {change}", numbers::symbol(cell.ruling)))
            }
            None => number("\u{2013}"),
        });
        std::iter::once(text(&name)).chain(changes).collect()
    });
    Block::Table(Table { caption: "Every cell against the reference".to_owned(), head, rows: rows.collect() })
}

/// One row for each cell: its level inside, the rise in each bin beyond, and recall on both sides.
pub(super) fn stability_table(rows: &[Stability]) -> Block {
    let mut head: Vec<String> = ["Cell", "Weights", "Inside, nats/token"].map(str::to_owned).to_vec();
    let bins = rows.iter().map(|row| &row.beyond).max_by_key(|beyond| beyond.len());
    let bins: Vec<(usize, usize)> = bins.into_iter().flatten().map(|bin| (bin.from, bin.to)).collect();
    head.extend(bins.iter().map(|(from, to)| format!("Rise at {}\u{2013}{}", Tokens(*from), Tokens(*to))));
    head.extend(["Breaks at", "Recall inside", "Recall beyond"].map(str::to_owned));
    let dash = || number("\u{2013}");
    let rows = rows.iter().map(|row| {
        let mut entries = vec![
            text(&row.label),
            text(&row.training),
            number(numbers::estimate("", &row.inside, |_, x| {
                numbers::value("nats/token", x).replace(" nats/token", "")
            })),
        ];
        entries.extend(bins.iter().map(|(from, _)| {
            row.beyond.iter().find(|bin| bin.from == *from).map_or_else(dash, |bin| {
                let rise = numbers::estimate("nats/token", &bin.rise, numbers::change).replace(" nats/token", "");
                number(format!("{} {rise}", numbers::symbol(bin.ruling)))
            })
        }));
        entries.push(row.breaks.map_or_else(dash, |at| number(Tokens(at).to_string())));
        let recall = |e: Option<crate::stats::Estimate>| {
            e.map_or_else(dash, |e| number(numbers::estimate("share", &e, numbers::value)))
        };
        entries.extend([recall(row.recall_inside), recall(row.recall_beyond)]);
        entries
    });
    Block::Table(Table { caption: "Who holds beyond the trained length".to_owned(), head, rows: rows.collect() })
}

/// The cells that failed, and why.
pub(super) fn failed_rows(run: &Run<'_>) -> Vec<Vec<Entry>> {
    let failed = run.findings.cells.iter().filter_map(|cell| {
        let reason = cell.reason.as_ref()?;
        Some(vec![text(cell.label()), text(reason), Entry::Code(cell.id.clone())])
    });
    failed.collect()
}

/// A cell of the grid as the cell itself writes it.
pub(crate) fn label(cell: &GridCell) -> String {
    crate::measurement::label(&cell.method, Tokens(0), crate::units::Stretch(cell.factor))
}

/// For each damaged question, the cells that leave it damaged.
pub(super) fn useless(run: &Run<'_>) -> Vec<String> {
    let damaged = run.findings.verdicts.iter().filter(|verdict| verdict.ruling == Ruling::Worse);
    let sentences = damaged.filter_map(|verdict| {
        let grid = run.findings.grid.iter().find(|grid| grid.question == verdict.question)?;
        let cells: Vec<String> = grid
            .cells
            .iter()
            .filter(|cell| cell.ruling == Ruling::Worse && label(cell) != run.findings.deployed)
            .map(|cell| format!("{} ({})", spoken(&label(cell)), numbers::change(&grid.unit, cell.change.point)))
            .collect();
        (!cells.is_empty()).then(|| {
            format!(
                "{} is still worse than the reference with {}.",
                capitalised(verdict.question.words()),
                cells.join(", ")
            )
        })
    });
    sentences.collect()
}

/// One row of attention statistics for each cell that has them.
pub(super) fn attention_rows(run: &Run<'_>) -> Vec<Vec<Entry>> {
    let rows = run.cells.iter().filter_map(|(cell, outcome)| {
        let mut n = 0;
        let quantities = [Quantity::Entropy, Quantity::MassBeyondTrained, Quantity::LargestLogit];
        let entries: Vec<Entry> = quantities
            .into_iter()
            .map(|quantity| {
                let of = Of { probe: "attention", quantity, bin: anywhere };
                let mean = curve(outcome, &of).first().map(|point| point.1);
                n = mean.map_or(n, |e| e.n.max(n));
                // The head names the unit, and the last column says where an interval is missing.
                number(mean.map_or_else(
                    || "\u{2013}".to_owned(),
                    |e| {
                        let unit = if quantity.unit() == "share" { "share" } else { "" };
                        if e.n < 2 {
                            numbers::value(unit, e.point)
                        } else {
                            numbers::estimate(unit, &e, numbers::value)
                        }
                    },
                ))
            })
            .collect();
        (n > 0).then(|| std::iter::once(text(cell.label())).chain(entries).chain([number(n.to_string())]).collect())
    });
    rows.collect()
}

/// Where the numbers come from.
pub(super) fn origin_table(run: &Run<'_>) -> Block {
    let p = run.provenance;
    let mut rows = vec![("Commit", p.commit.clone().unwrap_or_else(|| "unknown".to_owned()))];
    rows.extend(p.versions.iter().map(|(name, version)| (name.as_str(), version.clone())));
    let memory = p.machine.memory_bytes.map_or_else(String::new, |count| format!(", {}", numbers::bytes(count)));
    rows.extend([
        (
            "Machine",
            format!(
                "{}, {}, {}{memory}",
                p.machine.processor,
                numbers::counted(p.machine.cores, "core"),
                p.machine.system
            ),
        ),
        ("Device", format!("{}, {}", p.device, numbers::counted(p.threads, "thread"))),
        ("Seed", p.seed.to_string()),
        ("Scenario", p.scenario_path.clone()),
        ("Trained and target length", format!("{} and {} tokens", run.trained, run.target)),
        ("Checkpoint", p.checkpoint.clone()),
    ]);
    rows.extend(p.checkpoint_hashes.iter().map(|(file, hash)| (file.as_str(), format!("BLAKE3 {}", short(hash)))));
    rows.extend([
        ("Text", format!("BLAKE3 {}", short(&p.text_hash))),
        ("Started", p.started.clone()),
        ("Duration", numbers::value("seconds", p.wall_seconds.0)),
        ("Peak memory", p.peak_memory_bytes.map_or_else(|| "unknown".to_owned(), numbers::bytes)),
    ]);
    table(
        "Where the numbers come from",
        &["What", "Value"],
        rows.into_iter().map(|(what, value)| vec![text(what), text(value)]).collect(),
    )
}

/// The first 16 letters of a hash; `run.json` holds all of it.
fn short(hash: &str) -> String {
    hash.chars().take(16).collect()
}
