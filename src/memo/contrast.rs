//! The contrast with ALiBi and with T5: what they do, and what this run measured of them.

use super::candidates::Candidate;
use super::facts::{Facts, cell_of, turning};
use super::mechanism::{fixed_penalty, learned_buckets, seen_buckets};
use super::sources::Sources;
use super::{Comparison, Contrast, Dossier, candidates};
use crate::explain::{Explanation, Facts as What};
use crate::findings::{GridCell, Question, Stability};
use crate::measurement::Cell;
use crate::reports::document::Claim;
use crate::reports::{label, numbers};
use crate::units::Tokens;

const ABSENT: &str = "not measured in this run";

/// The kinds of mechanism that a RoPE model is contrasted with.
const KINDS: [&str; 2] = ["alibi", "t5"];

fn explanation<'a>(facts: &'a Facts, name: &str) -> Option<&'a Explanation> {
    if name == "alibi" { facts.alibi.as_ref() } else { facts.t5.as_ref() }
}

/// One contrast for each kind, the recommended method's own left out.
pub(super) fn contrasts(
    dossier: &Dossier<'_>,
    all: &[Candidate],
    facts: &Facts,
    sources: &mut Sources,
) -> Vec<Contrast> {
    let chosen = all.first().map(|chosen| chosen.cell.method.name()).unwrap_or_default();
    KINDS
        .into_iter()
        .filter(|name| *name != chosen)
        .map(|name| {
            let cell = cell_of(dossier, all, name);
            let mut claims = Vec::new();
            if let Some(explanation) = explanation(facts, name) {
                claims.push(match &explanation.mechanism {
                    What::Slopes(slopes) => fixed_penalty(slopes, dossier, sources),
                    What::Buckets(shared) => learned_buckets(shared, dossier, sources),
                    _ => Claim::new(explanation.summary, []),
                });
                claims.push(work(facts, explanation, sources));
            }
            match &cell {
                Some(cell) => claims.extend(measured(dossier, cell, sources)),
                None => claims.push(Claim::new(
                    format!(
                        "This run measured no {name}: a RoPE checkpoint has no weights for it. Name a checkpoint that \
                         was trained with it under `checkpoints`, or adapt this one (`ablate.adapted`), and the memo \
                         weighs it."
                    ),
                    [],
                )),
            }
            Contrast { method: name.to_owned(), cell: cell.map(|cell| cell.label()), claims }
        })
        .collect()
}

/// Parameters and work beside the recommended method's.
fn work(facts: &Facts, other: &Explanation, sources: &mut Sources) -> Claim {
    let formula = sources.formula("positional work of one decoded token: the table of `gyro explain`, all layers");
    let last = |explanation: &Explanation| explanation.work.steps.last().copied();
    let (Some(mine), Some(theirs)) = (last(&facts.chosen), last(other)) else { return Claim::new("", []) };
    Claim::new(
        format!(
            "It learns {} positional parameters (the recommended method: {}), and one decoded token at {} tokens \
             costs {} lookups of learned values and {} flops, {} of attention's own (the recommended method: {}, {}, \
             {}).",
            Tokens(other.learned),
            Tokens(facts.chosen.learned),
            theirs.context,
            Tokens(theirs.lookups),
            Tokens(theirs.flops),
            numbers::value("share", theirs.share_of_attention),
            Tokens(mine.lookups),
            Tokens(mine.flops),
            numbers::value("share", mine.share_of_attention),
        ),
        [formula],
    )
}

/// What the run says of a cell, question by question.
fn measured(dossier: &Dossier<'_>, cell: &Cell, sources: &mut Sources) -> Vec<Claim> {
    // An adapted cell says so in its own label.
    let training = dossier.scenario.training_of(cell);
    let training = if cell.adapted.0 > 0 { String::new() } else { format!(" ({})", training.words()) };
    let mut claims = Vec::new();
    for grid in &dossier.run.findings.grid {
        let Some(entry) = grid.cells.iter().find(|entry| label(entry) == cell.label()) else { continue };
        let change = numbers::estimate(&grid.unit, &entry.change, numbers::change);
        claims.push(Claim::new(
            format!(
                "{}{training}: {} {change} against the reference, {} (n = {}).",
                cell.label(),
                grid.question.words(),
                entry.ruling.words(),
                entry.change.n
            ),
            [candidates::rows(dossier, grid.question, cell, sources)],
        ));
    }
    if let Some(row) = stability(dossier, cell)
        && let Some(last) = row.beyond.last()
    {
        let source = own_level(dossier, cell, sources);
        claims.push(Claim::new(
            format!(
                "Its loss at {} to {} tokens rises by {} over its own level inside ({}).",
                Tokens(last.from),
                Tokens(last.to),
                numbers::estimate("nats/token", &last.rise, numbers::change),
                if row.breaks.is_some() { "it breaks" } else { last.ruling.words() }
            ),
            [source],
        ));
    }
    claims
}

/// The row of stability of a cell.
pub(super) fn stability<'a>(dossier: &Dossier<'a>, cell: &Cell) -> Option<&'a Stability> {
    let id = cell.id().0;
    dossier.run.findings.stability.iter().find(|row| row.id == id)
}

/// The source of a cell's rise over its own level.
pub(super) fn own_level(dossier: &Dossier<'_>, cell: &Cell, sources: &mut Sources) -> String {
    let filter = "probe == 'long_range' and quantity == 'nll'";
    let made = format!(
        "loss in a bin beyond {0} minus that in the last bin inside, less the same difference of the truncated \
         reference; paired by document",
        dossier.run.trained
    );
    sources.rows(Question::LongRange, cell, Some(&Cell::truncated()), filter, &made)
}

/// The aspects, one row each: the recommended cell, ALiBi, T5.
pub(super) fn comparison(dossier: &Dossier<'_>, all: &[Candidate], facts: &Facts, sources: &mut Sources) -> Comparison {
    let Some(chosen) = all.first() else { return Comparison { columns: Vec::new(), rows: Vec::new() } };
    let mut columns: Vec<(String, Option<&Explanation>, Option<Cell>)> =
        vec![(chosen.label.clone(), Some(&facts.chosen), Some(chosen.cell.clone()))];
    for name in KINDS.into_iter().filter(|name| *name != chosen.cell.method.name()) {
        let cell = cell_of(dossier, all, name);
        let title = cell.as_ref().map_or_else(|| name.to_owned(), Cell::label);
        columns.push((title, explanation(facts, name), cell));
    }
    let computed = |of: &dyn Fn(&Explanation) -> String| -> Vec<String> {
        columns.iter().map(|(_, e, _)| e.map_or_else(|| "\u{2013}".to_owned(), of)).collect()
    };
    let last = |e: &Explanation, of: &dyn Fn(&crate::explain::Step) -> String| {
        e.work.steps.last().map_or_else(String::new, of)
    };
    let arithmetic = sources.formula("`gyro explain` on this checkpoint's heads, trained length and target");
    let formula = || vec![arithmetic.clone()];
    let mut rows = vec![
        (format!("Unseen at {} tokens", dossier.run.target), computed(&unseen), formula()),
        ("Learned positional parameters".to_owned(), computed(&|e| Tokens(e.learned).to_string()), formula()),
        (
            "Learned values looked up for a decoded token".to_owned(),
            computed(&|e| last(e, &|step| Tokens(step.lookups).to_string())),
            formula(),
        ),
        (
            "Positional flops, of attention's own".to_owned(),
            computed(&|e| last(e, &|step| numbers::value("share", step.share_of_attention))),
            formula(),
        ),
    ];
    for grid in &dossier.run.findings.grid {
        let entry = |cell: &Cell| grid.cells.iter().find(|entry| label(entry) == cell.label());
        let value = |entry: &GridCell| {
            format!(
                "{} {}",
                numbers::symbol(entry.ruling),
                numbers::estimate(&grid.unit, &entry.change, numbers::change)
            )
        };
        let cells: Vec<Option<&GridCell>> = columns.iter().map(|(_, _, cell)| cell.as_ref().and_then(entry)).collect();
        let used = columns.iter().filter_map(|(_, _, cell)| cell.as_ref()).filter(|cell| entry(cell).is_some());
        let used: Vec<String> = used.map(|cell| candidates::rows(dossier, grid.question, cell, sources)).collect();
        let words = cells.into_iter().map(|cell| cell.map_or_else(|| ABSENT.to_owned(), value)).collect();
        rows.push((format!("Measured: {} against the reference", grid.question.words()), words, used));
    }
    let rise = |cell: &Option<Cell>| {
        let row = cell.as_ref().and_then(|cell| stability(dossier, cell))?;
        Some(numbers::estimate("nats/token", &row.beyond.last()?.rise, numbers::change))
    };
    let words = columns.iter().map(|(_, _, cell)| rise(cell).unwrap_or_else(|| ABSENT.to_owned())).collect();
    let used: Vec<&Cell> = columns.iter().filter_map(|(_, _, cell)| cell.as_ref()).collect();
    let used = used.into_iter().map(|cell| own_level(dossier, cell, sources)).collect();
    rows.push(("Measured: rise in the last bin over its own level".to_owned(), words, used));
    rows.push(latency(all, &columns, sources, dossier));
    Comparison { columns: columns.into_iter().map(|column| column.0).collect(), rows }
}

fn latency(
    all: &[Candidate],
    columns: &[(String, Option<&Explanation>, Option<Cell>)],
    sources: &mut Sources,
    dossier: &Dossier<'_>,
) -> (String, Vec<String>, Vec<String>) {
    let standing = |cell: &Cell| all.iter().find(|candidate| candidate.cell == *cell)?.standing(Question::Latency);
    let mut used = Vec::new();
    let words = columns.iter().map(|(_, _, cell)| {
        let cell = cell.as_ref()?;
        let standing = standing(cell)?;
        let ratio = standing.change?;
        used.push(candidates::rows(dossier, Question::Latency, cell, sources));
        Some(format!("{} {}", numbers::symbol(standing.ruling), numbers::estimate("ratio", &ratio, numbers::change)))
    });
    let words = words.map(|words| words.unwrap_or_else(|| ABSENT.to_owned())).collect();
    ("Measured: time against the unscaled model".to_owned(), words, used)
}

/// What of the target length training never showed.
fn unseen(explanation: &Explanation) -> String {
    match &explanation.mechanism {
        What::Slopes(_) => "nothing: the penalty is defined at every distance".to_owned(),
        What::Buckets(shared) => {
            let at = shared.saturates_at.map_or_else(String::new, |at| format!("; one bucket from {at} tokens on"));
            format!("{}{at}", seen_buckets(shared.unseen.len()))
        }
        _ => match turning(explanation) {
            Some(turning) => format!("{} of {} pairs' angles", turning.leaves.len(), turning.pairs.len()),
            None => "\u{2013}".to_owned(),
        },
    }
}
