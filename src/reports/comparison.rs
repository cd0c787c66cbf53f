//! Two runs side by side: what changed in their rulings, cells, and in where they come from.

use std::collections::{BTreeMap, BTreeSet};

use super::document::{Block, Document, Entry, number, table, text};
use super::story::capitalised;
use super::tables::asked;
use super::terminal::paragraph;
use super::{Run, figures, numbers};
use crate::ablation::{Part, by_document};
use crate::findings::{Question, Ruling, Verdict};
use crate::measurement::{Arm, Cell, spoken};
use crate::stats::{Estimate, paired_difference};

/// A cell's change from the one run to the other, on the same documents.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Moved {
    /// The cell.
    pub cell: String,
    /// The question.
    pub question: Question,
    /// `nats/token` or `share`.
    pub unit: String,
    /// The second run minus the first, paired by document.
    pub change: Estimate,
    /// Whether the interval leaves 0 out.
    pub moved: bool,
}

/// What changed from one run to another.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Comparison {
    /// The folder or name of the first run.
    pub before: String,
    /// That of the second.
    pub after: String,
    /// Each question with both rulings; absent where a run did not ask it.
    pub rulings: Vec<(String, Option<Ruling>, Option<Ruling>)>,
    /// Cells that both measured.
    pub cells: Vec<Moved>,
    /// Why the documents cannot be paired; absent where they can.
    pub unpaired: Option<String>,
    /// Cells of one run alone.
    pub only: Vec<(String, String)>,
    /// What differs in where they come from: what, before, after.
    pub origin: Vec<(String, String, String)>,
}

/// Compares two runs, each with its name.
#[must_use]
pub fn compare(before: (&str, &Run<'_>), after: (&str, &Run<'_>)) -> Comparison {
    let ((old_name, old), (new_name, new)) = (before, after);
    let unpaired = unpaired(old, new);
    let shared = || {
        let cells = new.cells.iter().map(|(cell, _)| cell).filter(|cell| cell.arm == Arm::Grid);
        cells.filter(|cell| old.cells.iter().any(|(other, _)| other == *cell))
    };
    let cells = if unpaired.is_some() { Vec::new() } else { shared().flat_map(|cell| moved(old, new, cell)).collect() };
    let lone = |one: &Run<'_>, other: &Run<'_>, name: &str| -> Vec<(String, String)> {
        let cells = one.cells.iter().filter(|(cell, _)| !other.cells.iter().any(|(there, _)| there == cell));
        cells.map(|(cell, _)| (cell.label(), name.to_owned())).collect()
    };
    Comparison {
        before: old_name.to_owned(),
        after: new_name.to_owned(),
        rulings: rulings(old, new),
        cells,
        unpaired,
        only: [lone(old, new, old_name), lone(new, old, new_name)].concat(),
        origin: origin(old, new),
    }
}

/// Why document 3 of the one run is not document 3 of the other.
fn unpaired(old: &Run<'_>, new: &Run<'_>) -> Option<String> {
    let (a, b) = (old.provenance, new.provenance);
    if a.text_hash != b.text_hash {
        Some("the documents are of different text".to_owned())
    } else if (a.seed, a.target) != (b.seed, b.target) {
        Some("seed or length differ, so the documents do".to_owned())
    } else {
        None
    }
}

fn rulings(old: &Run<'_>, new: &Run<'_>) -> Vec<(String, Option<Ruling>, Option<Ruling>)> {
    let named = |verdicts: &[Verdict]| -> Vec<(String, Ruling)> {
        let name = |verdict: &Verdict| match verdict.question {
            Question::Latency => (format!("Latency against {}", verdict.against), verdict.ruling),
            _ => (format!("{} against {}", asked(verdict), verdict.against), verdict.ruling),
        };
        verdicts.iter().map(name).collect()
    };
    let (old, new) = (named(&old.findings.verdicts), named(&new.findings.verdicts));
    let mut names: Vec<String> = Vec::new();
    for (name, _) in old.iter().chain(&new) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    let of = |list: &[(String, Ruling)], name: &str| list.iter().find(|one| one.0 == name).map(|one| one.1);
    names.into_iter().map(|name| (name.clone(), of(&old, &name), of(&new, &name))).collect()
}

/// The change of a cell in each question.
fn moved(old: &Run<'_>, new: &Run<'_>, cell: &Cell) -> Vec<Moved> {
    let values = |run: &Run<'_>, question| -> BTreeMap<u32, f64> {
        let outcome = run.cells.iter().find(|(other, _)| other == cell).map(|(_, outcome)| outcome);
        outcome.map_or_else(BTreeMap::new, |outcome| {
            by_document(question, figures::rows(outcome), run.trained, Part::Whole)
        })
    };
    let protocols = |run: &Run<'_>, question: Question| -> BTreeSet<String> {
        let outcome = run.cells.iter().find(|(other, _)| other == cell).map(|(_, outcome)| outcome);
        let rows = outcome.map(figures::rows).unwrap_or_default().iter();
        rows.filter(|row| row.reading.probe == question.name()).map(|row| row.reading.protocol.clone()).collect()
    };
    let of = |question| {
        if protocols(old, question) != protocols(new, question) {
            return None;
        }
        let (before, after) = (values(old, question), values(new, question));
        let pairs: (Vec<f64>, Vec<f64>) =
            after.iter().filter_map(|(key, value)| Some((*value, *before.get(key)?))).unzip();
        let change = question.possible(paired_difference(&pairs.0, &pairs.1)?);
        let unit = if question == Question::Retrieval { "share" } else { "nats/token" };
        let moved = change.low > 0.0 || change.high < 0.0;
        Some(Moved { cell: cell.label(), question, unit: unit.to_owned(), change, moved })
    };
    [Question::ShortRange, Question::LongRange, Question::Retrieval].into_iter().filter_map(of).collect()
}

fn origin(old: &Run<'_>, new: &Run<'_>) -> Vec<(String, String, String)> {
    let facts = |run: &Run<'_>| -> Vec<(String, String)> {
        let p = run.provenance;
        let mut facts = vec![
            ("Deployed".to_owned(), spoken(&run.findings.deployed)),
            (
                "Recommended".to_owned(),
                run.findings
                    .recommendation
                    .as_ref()
                    .map_or_else(|| "nothing".to_owned(), |advice| spoken(&advice.label())),
            ),
            ("Commit".to_owned(), p.commit.clone().unwrap_or_else(|| "unknown".to_owned())),
            ("Processor".to_owned(), p.machine.processor.clone()),
            ("Device".to_owned(), format!("{}, {}", p.device, numbers::counted(p.threads, "thread"))),
            ("Seed".to_owned(), p.seed.to_string()),
            ("Trained and target length".to_owned(), format!("{} and {} tokens", run.trained, run.target)),
            ("Text".to_owned(), p.text_hash.chars().take(16).collect()),
            ("Form".to_owned(), if p.quick { "quick" } else { "full" }.to_owned()),
            ("Scenario".to_owned(), blake3::hash(p.scenario_text.as_bytes()).to_hex().chars().take(16).collect()),
        ];
        facts.extend(p.versions.iter().map(|(name, version)| (name.clone(), version.clone())));
        facts.extend(p.checkpoint_hashes.iter().map(|(file, hash)| (file.clone(), hash.chars().take(16).collect())));
        facts
    };
    let (old, new) = (facts(old), facts(new));
    let of = |list: &[(String, String)], name: &str| {
        list.iter().find(|fact| fact.0 == name).map_or_else(|| "\u{2013}".to_owned(), |fact| fact.1.clone())
    };
    let mut names: Vec<&String> = Vec::new();
    for (name, _) in old.iter().chain(&new) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let rows = names.into_iter().map(|name| (name.clone(), of(&old, name), of(&new, name)));
    rows.filter(|(_, before, after)| before != after).collect()
}

impl Comparison {
    /// What changed, in a sentence.
    fn answer(&self) -> String {
        let changed: Vec<String> = self
            .rulings
            .iter()
            .filter(|(_, before, after)| before != after)
            .map(|(name, before, after)| format!("{name} from {} to {}", ruling_words(*before), ruling_words(*after)))
            .collect();
        let rulings = if changed.is_empty() {
            "No ruling changed".to_owned()
        } else {
            format!("Rulings changed: {}", changed.join("; "))
        };
        let moved = self.cells.iter().filter(|cell| cell.moved).count();
        let cells = match &self.unpaired {
            Some(why) => format!("cells are not compared, because {why}"),
            None => format!("{moved} of {} moved beyond their interval", numbers::counted(self.cells.len(), "value")),
        };
        format!("{rulings}; {cells}.")
    }

    /// The page.
    #[must_use]
    pub fn document(&self) -> Document {
        let mut page = Document {
            origin: "Gyro \u{b7} two runs".to_owned(),
            title: format!("{} against {}: what changed?", self.after, self.before),
            answer: self.answer(),
            ..Document::default()
        };
        let mark = |ruling: Option<Ruling>| ruling.map_or_else(|| text("not asked"), Entry::Ruling);
        let rows = self.rulings.iter().map(|(name, before, after)| vec![text(name), mark(*before), mark(*after)]);
        page.first.push(table("Rulings of both runs", &["Question", &self.before, &self.after], rows.collect()));
        page.heading("Cells that both measured");
        if let Some(why) = &self.unpaired {
            page.say(format!("Not compared: {why}."));
        } else {
            let rows = self.cells.iter().map(|cell| {
                vec![
                    text(&cell.cell),
                    text(capitalised(cell.question.words())),
                    number(numbers::estimate(&cell.unit, &cell.change, numbers::change)),
                    number(cell.change.n.to_string()),
                    text(if cell.moved { "moved" } else { "the interval includes 0" }),
                ]
            });
            let head = ["Cell", "Question", "Change [95% interval]", "n", ""];
            page.blocks.push(table("The second run minus the first, paired by document", &head, rows.collect()));
        }
        if !self.only.is_empty() {
            page.heading("Cells of one run alone");
            page.blocks
                .push(Block::List(self.only.iter().map(|(cell, run)| format!("{}: {run}", spoken(cell))).collect()));
        }
        page.heading("Where they come from");
        if self.origin.is_empty() {
            page.say("From the same scenario, checkpoint, text, versions and machine.");
        } else {
            let rows = self.origin.iter().map(|(what, before, after)| vec![text(what), text(before), text(after)]);
            page.blocks.push(table("What differs", &["What", &self.before, &self.after], rows.collect()));
        }
        page
    }

    /// The summary for a terminal, 80 columns at most.
    #[must_use]
    pub fn terminal(&self) -> String {
        let mut page = String::new();
        paragraph(&mut page, "", &format!("{} against {}", self.after, self.before));
        page.push('\n');
        paragraph(&mut page, "", &self.answer());
        page.push('\n');
        for (name, before, after) in &self.rulings {
            paragraph(&mut page, "  ", &format!("{name}: {} -> {}", ruling_words(*before), ruling_words(*after)));
        }
        let moved: Vec<&Moved> = self.cells.iter().filter(|cell| cell.moved).collect();
        if !moved.is_empty() {
            page.push('\n');
        }
        for cell in moved {
            let change = numbers::estimate(&cell.unit, &cell.change, numbers::change);
            paragraph(
                &mut page,
                "  ",
                &format!("moved: {}, {}: {change}, n = {}", spoken(&cell.cell), cell.question.words(), cell.change.n),
            );
        }
        if !self.origin.is_empty() {
            page.push('\n');
        }
        for (what, before, after) in &self.origin {
            paragraph(&mut page, "  ", &format!("differs: {what}: {before} -> {after}"));
        }
        page
    }
}

fn ruling_words(ruling: Option<Ruling>) -> &'static str {
    ruling.map_or("not asked", Ruling::words)
}
