//! The rows behind the rulings: which they are, how a number is made of them, and the documents themselves.

use std::collections::BTreeMap;

use super::document::{Block, Entry, number, table, text};
use super::story::{capitalised, worst};
use super::{Run, figures, numbers};
use crate::ablation::{ALONG, Part, by_document};
use crate::findings::{Question, Verdict};
use crate::measurement::{Arm, Cell, Outcome, Quantity, spoken};

/// The name of the rows that a loss is followed along the document in.
const ALONG_ROWS: &str = "rows: along the document";

/// The name of the rows that say what an engine does otherwise than its healthy replay.
const BATTERY_ROWS: &str = "rows: battery";

/// One value a document.
type Values = BTreeMap<u32, f64>;

/// The names of the rows behind a question, as the page defines them; none where it has no rows.
pub(super) fn names(run: &Run<'_>, question: Question) -> Vec<String> {
    if run.findings.verdict(question).is_some() { vec![name(question)] } else { Vec::new() }
}

fn name(question: Question) -> String {
    format!("rows: {}", question.words())
}

/// The names of the rows that a sentence of a question's evidence rests on.
///
/// Most sentences rest on the question's own rows, and one on what a repair costs also on those of the question that pays.
pub(super) fn sources(run: &Run<'_>, question: Question, sentence: &str) -> Vec<String> {
    if names(run, question).is_empty() {
        Vec::new()
    } else if sentence.starts_with(ALONG) {
        vec![ALONG_ROWS.to_owned()]
    } else if is_of_battery(run, sentence) {
        vec![BATTERY_ROWS.to_owned()]
    } else {
        let told = |other: &Question| *other == question || sentence.contains(&format!(" at {}", other.words()));
        Question::ALL.into_iter().filter(told).flat_map(|other| names(run, other)).collect()
    }
}

/// Whether a sentence says what the engine does otherwise than its healthy replay.
fn is_of_battery(run: &Run<'_>, sentence: &str) -> bool {
    run.findings.deviations.iter().any(|one| one.evidence.iter().any(|said| said == sentence))
}

/// The cell that the deployed one is compared with.
pub(crate) fn reference(question: Question) -> Cell {
    match question {
        Question::ShortRange | Question::Latency => Cell::unscaled(),
        Question::LongRange | Question::Retrieval => Cell::truncated(),
    }
}

/// Which rows, the recipe, and the values of each document.
pub(super) fn blocks(run: &Run<'_>) -> Vec<Block> {
    let mut seen: Vec<&Verdict> = Vec::new();
    for verdict in &run.findings.verdicts {
        if !seen.iter().any(|other| other.question == verdict.question) {
            seen.push(verdict);
        }
    }
    if seen.is_empty() {
        return Vec::new();
    }
    let mut rows: Vec<Vec<Entry>> = seen.iter().map(|verdict| source(run, verdict.question)).collect();
    rows.extend(beside(run));
    let head = ["Name", "Deployed", "Compared with", "Filter", "A document's value"];
    let mut blocks = vec![
        Block::Subheading("The rows behind each ruling".to_owned()),
        table("Where each ruling's rows are", &head, rows),
        Block::Text(
            "Every row of the run is in measurements.parquet, which any Parquet reader opens. The change is the mean \
             over documents of deployed minus reference; its interval comes from drawing whole documents again."
                .to_owned(),
        ),
        Block::Code(recipe(run)),
    ];
    blocks.extend(documents(run));
    blocks
}

fn source(run: &Run<'_>, question: Question) -> Vec<Entry> {
    vec![
        Entry::Anchor(name(question)),
        identity(run, |cell| is_deployed(run, cell)),
        Entry::Code(reference(question).id().0),
        Entry::Code(filter(run, question)),
        text(made_of(question)),
    ]
}

/// The rows that no ruling rests on, but sentences of the evidence do.
fn beside(run: &Run<'_>) -> Vec<Vec<Entry>> {
    let said: Vec<&String> = run.findings.causes.iter().flat_map(|cause| &cause.evidence).collect();
    let mut rows = Vec::new();
    if said.iter().any(|sentence| sentence.starts_with(ALONG)) {
        rows.push(vec![
            Entry::Anchor(ALONG_ROWS.to_owned()),
            identity(run, |cell| is_deployed(run, cell)),
            Entry::Code(Cell::truncated().id().0),
            Entry::Code("probe == 'long_range' and quantity == 'nll'".to_owned()),
            text("mean of value, weighted by count, in each bin from `from` to `to`"),
        ]);
    }
    if said.iter().any(|sentence| is_of_battery(run, sentence)) {
        rows.push(vec![
            Entry::Anchor(BATTERY_ROWS.to_owned()),
            identity(run, |cell| cell.arm == Arm::Parity),
            text("the healthy replay, in the same rows"),
            text("every row of the cell"),
            text("value, by request (`probe`), quantity and position"),
        ]);
    }
    rows
}

/// The identity of the first cell of that kind.
fn identity(run: &Run<'_>, is: impl Fn(&Cell) -> bool) -> Entry {
    let found = run.cells.iter().map(|(cell, _)| cell).find(|&cell| is(cell));
    Entry::Code(found.map_or_else(|| "not measured".to_owned(), |cell| cell.id().0))
}

fn is_deployed(run: &Run<'_>, cell: &Cell) -> bool {
    cell.arm == Arm::Grid && cell.label() == run.findings.deployed
}

/// The rows of a question, as a filter on the columns of `measurements.parquet`.
pub(crate) fn filter(run: &Run<'_>, question: Question) -> String {
    match question {
        Question::ShortRange => "probe == 'short_range' and quantity == 'nll'".to_owned(),
        Question::LongRange => {
            format!("probe == 'long_range' and quantity == 'nll' and `from` >= {}", run.trained.0)
        }
        Question::Retrieval => format!(
            "probe == 'retrieval' and quantity == 'recall' (reference: and distance_to <= {})",
            run.trained.0 / 2
        ),
        Question::Latency => "probe == 'latency'".to_owned(),
    }
}

/// How a document's value is made of its rows.
pub(crate) fn made_of(question: Question) -> &'static str {
    match question {
        Question::ShortRange | Question::LongRange => "mean of value, weighted by count",
        Question::Retrieval => "plain mean over the bins of distance",
        Question::Latency => "value of deployed / value of reference in the same block, geometric mean over blocks",
    }
}

/// Python that makes the changes of the losses from the rows.
fn recipe(run: &Run<'_>) -> String {
    let deployed = run.cells.iter().map(|(cell, _)| cell).find(|cell| is_deployed(run, cell));
    let id = deployed.map_or_else(String::new, |cell| cell.id().0);
    format!(
        "import pandas\n\
         rows = pandas.read_parquet(\"measurements.parquet\")\n\
         def values(cell, probe, start=0):\n    \
             r = rows[(rows.cell == cell) & (rows.probe == probe) & (rows.quantity == \"nll\") & (rows[\"from\"] >= \
             start)]\n    \
             return (r.value * r[\"count\"]).groupby(r.document).sum() / r[\"count\"].groupby(r.document).sum()\n\
         print((values(\"{id}\", \"short_range\") - values(\"{}\", \"short_range\")).mean())\n\
         print((values(\"{id}\", \"long_range\", {}) - values(\"{}\", \"long_range\", {})).mean())",
        Cell::unscaled().id(),
        run.trained.0,
        Cell::truncated().id(),
        run.trained.0,
    )
}

/// The values of each document: deployed, reference, and the cell that repairs the question.
fn documents(run: &Run<'_>) -> Option<Block> {
    let mut columns: Vec<(String, Values)> = Vec::new();
    for question in [Question::ShortRange, Question::LongRange, Question::Retrieval] {
        let unit = if question == Question::Retrieval { "" } else { Quantity::Nll.unit() };
        let mut add = |what: &str, cell: &dyn Fn(&Cell) -> bool, part| {
            let values = values(run, question, cell, part);
            if !values.is_empty() {
                columns.push((format!("{}, {what} {unit}", capitalised(question.words())).trim().to_owned(), values));
            }
        };
        add("deployed", &|cell| is_deployed(run, cell), Part::Whole);
        add("reference", &|cell| *cell == reference(question), Part::Reference);
        let repair = worst(run).find(|cause| cause.question == question).and_then(|cause| cause.repair.as_ref());
        if let Some(repair) = repair {
            add(&spoken(&repair.cell), &|cell| cell.arm == Arm::Grid && cell.label() == repair.cell, Part::Whole);
        }
    }
    let mut keys: Vec<u32> = columns.iter().flat_map(|(_, values)| values.keys().copied()).collect();
    keys.sort_unstable();
    keys.dedup();
    if keys.is_empty() {
        return None;
    }
    let head: Vec<&str> = std::iter::once("Document").chain(columns.iter().map(|(name, _)| name.as_str())).collect();
    let row = |key: &u32| {
        let value = |(_, values): &(String, Values)| {
            values.get(key).map_or_else(|| "\u{2013}".to_owned(), |x| numbers::value("", *x))
        };
        std::iter::once(number(key.to_string())).chain(columns.iter().map(|column| number(value(column)))).collect()
    };
    Some(table("The documents behind the rulings", &head, keys.iter().map(row).collect()))
}

fn values(run: &Run<'_>, question: Question, is: &dyn Fn(&Cell) -> bool, part: Part) -> Values {
    let found: Option<&(Cell, Outcome)> = run.cells.iter().find(|(cell, _)| is(cell));
    found.map_or_else(Values::new, |(_, outcome)| by_document(question, figures::rows(outcome), run.trained, part))
}
