//! The argument of a report, format-free: the question, the answer, the rulings, and the evidence in its order.

use super::figures::Figure;
use super::tables::{
    attention_rows, causes_table, grid_table, measured, origin_table, rulings, shapley_table, stability_table, useless,
};
use super::{ReportError, Run, charts, numbers};
use crate::findings::{AuditFinding, Cause, GridSummary, Question, Ruling};

/// A run told in order; every format writes down the same story.
#[derive(Debug)]
pub struct Story<'a> {
    /// What it is told from.
    pub run: &'a Run<'a>,
    /// The rulings, which stand on the first screen.
    pub rulings: Table,
    /// Every figure; the blocks refer to them by name.
    pub figures: Vec<Figure>,
    /// The evidence.
    pub blocks: Vec<Block>,
}

/// A piece of a page.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// Opens a part of the argument.
    Heading(String),
    /// A smaller heading within a part.
    Subheading(String),
    /// A paragraph.
    Text(String),
    /// Points of equal rank.
    List(Vec<String>),
    /// Numbers.
    Table(Table),
    /// The figure of that name.
    Figure(String),
    /// Text that is shown as it was typed.
    Code(String),
}

/// Rows under a head; every row is as long as the head.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// What stands in each column.
    pub head: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<Entry>>,
}

/// What stands in a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// Words.
    Text(String),
    /// A number, aligned to the right.
    Number(String),
    /// A ruling: word, symbol and colour.
    Ruling(Ruling),
}

pub(super) fn text(words: impl Into<String>) -> Entry {
    Entry::Text(words.into())
}

pub(super) fn number(words: impl Into<String>) -> Entry {
    Entry::Number(words.into())
}

pub(super) fn table(head: &[&str], rows: Vec<Vec<Entry>>) -> Block {
    Block::Table(Table { head: head.iter().map(|&word| word.to_owned()).collect(), rows })
}

impl<'a> Story<'a> {
    /// Tells a run.
    ///
    /// # Errors
    /// [`ReportError::Chart`] where a figure cannot be drawn.
    pub fn of(run: &'a Run<'a>) -> Result<Self, ReportError> {
        let mut story = Self { run, rulings: rulings(run), figures: charts::all(run)?, blocks: Vec::new() };
        story.damage();
        story.repairs();
        story.grid();
        story.stability();
        story.probes();
        story.recommendation();
        story.audit();
        story.remarks();
        story.cells();
        story.origin();
        Ok(story)
    }

    fn heading(&mut self, words: &str) {
        self.blocks.push(Block::Heading(words.to_owned()));
    }

    fn say(&mut self, words: impl Into<String>) {
        self.blocks.push(Block::Text(words.into()));
    }

    /// The figure of that name, or why there is none.
    fn figure_or(&mut self, name: &str, otherwise: &str) {
        if self.figures.iter().any(|figure| figure.name == name) {
            self.blocks.push(Block::Figure(name.to_owned()));
        } else {
            self.say(otherwise);
        }
    }

    fn damage(&mut self) {
        self.heading("Where the damage is");
        let shapes: Vec<String> = worst(self.run)
            .filter(|cause| cause.shape != "none")
            .map(|cause| format!("{}: {}", capitalised(cause.question.words()), shape_words(&cause.shape)))
            .collect();
        if !shapes.is_empty() {
            self.blocks.push(Block::List(shapes));
        }
        self.figure_or("loss_by_position", "No cell has a loss by position, so there is no chart of it.");
    }

    fn repairs(&mut self) {
        let causes = &self.run.findings.causes;
        self.heading("What repairs it, and what does not");
        if causes.is_empty() {
            return self.say("No question has a cause: nothing was ruled on.");
        }
        self.blocks.push(causes_table(causes));
        self.say(
            "Repair is the share of the damage that goes away when this one thing is changed (100% is all of it). \
             Confidence is the share of bootstrap resamples in which the cause ranks first.",
        );
        let shapley: Vec<&Cause> = worst(self.run).filter(|cause| !cause.shapley.is_empty()).collect();
        if !shapley.is_empty() {
            self.blocks.push(Block::Subheading("How the gap divides (Shapley shares)".to_owned()));
            self.blocks.push(shapley_table(&shapley));
            self.say(
                "Shares of the gap between the deployed cell and the repaired one, averaged over the orders in which \
                 the axes can be changed. The interaction is what neither axis does alone; the shares contain it.",
            );
        }
        for question in Question::ALL {
            let evidence: Vec<String> =
                causes.iter().filter(|c| c.question == question).flat_map(|c| c.evidence.clone()).collect();
            if !evidence.is_empty() {
                self.blocks.push(Block::Subheading(format!("Evidence: {}", question.words())));
                self.blocks.push(Block::List(evidence));
            }
        }
        let useless = useless(self.run);
        if !useless.is_empty() {
            self.blocks.push(Block::Subheading("What leaves damage".to_owned()));
            self.blocks.push(Block::List(useless));
        }
    }

    fn grid(&mut self) {
        self.heading("Method against factor");
        let grids: Vec<&GridSummary> = self.run.findings.grid.iter().filter(|grid| !grid.cells.is_empty()).collect();
        if grids.is_empty() {
            return self.say("No cell of the grid was measured, so there is no table of method and factor.");
        }
        for grid in grids {
            self.blocks.push(Block::Subheading(capitalised(grid.question.words())));
            self.blocks.push(Block::Figure(format!("grid_{}", grid.question.name())));
            let unit = &grid.unit;
            let effects = |effects: &std::collections::BTreeMap<String, f64>, times: &str| {
                let mut parts: Vec<_> = effects.iter().collect();
                parts.sort_by(|a, b| number_or_max(a.0).total_cmp(&number_or_max(b.0)).then(a.0.cmp(b.0)));
                let parts: Vec<String> =
                    parts.into_iter().map(|(name, x)| format!("{times}{name} {}", numbers::change(unit, *x))).collect();
                parts.join(", ")
            };
            let suffix = numbers::suffix(unit);
            let suffix = if suffix.is_empty() { String::new() } else { format!(" ({suffix})") };
            let mut lines = Vec::new();
            if !grid.method_effects.is_empty() {
                lines.push(format!("Mean change by method{suffix}: {}.", effects(&grid.method_effects, "")));
            }
            if !grid.factor_effects.is_empty() {
                lines.push(format!("Mean change by factor{suffix}: {}.", effects(&grid.factor_effects, "x")));
            }
            if !lines.is_empty() {
                self.blocks.push(Block::List(lines));
            }
        }
        self.blocks.push(Block::Subheading("Every cell against the reference".to_owned()));
        self.blocks.push(grid_table(&self.run.findings.grid));
    }

    fn stability(&mut self) {
        let stability = &self.run.findings.stability;
        if stability.iter().all(|row| row.beyond.is_empty()) {
            return;
        }
        self.heading("Who holds beyond the trained length");
        self.blocks.push(stability_table(stability));
        self.say(
            "Rise of the loss over the cell's own level in the last bin inside the trained length, paired by document; what \
             the text there is harder for the truncated reference is taken off. A cell breaks where the whole interval lies \
             above the long-range tolerance.",
        );
    }

    fn probes(&mut self) {
        self.heading("Recall by distance");
        self.figure_or("recall_by_distance", "No facts were asked for, so there is no recall by distance.");
        self.heading("Attention by distance");
        self.figure_or("attention_by_distance", "Attention was not looked at, so there is no chart of it.");
        let rows = attention_rows(self.run);
        if !rows.is_empty() {
            self.blocks.push(table(
                &["Cell", "Entropy, nats", "Beyond the trained length", "Largest logit", "Documents"],
                rows,
            ));
            self.say("Means over layers and documents, with 95% intervals over documents where there are several.");
        }
        self.heading("Latency by length");
        self.figure_or("latency_by_length", "Nothing was timed, so there is no chart of latency.");
        self.blocks.extend(super::speed::blocks(self.run.findings));
    }

    fn recommendation(&mut self) {
        self.heading("Recommendation");
        let Some(advice) = &self.run.findings.recommendation else {
            return self.say("None: no measured cell of the grid can be recommended over the deployed one.");
        };
        let label = advice.label();
        let word = if label == self.run.findings.deployed { "Keep" } else { "Deploy" };
        self.say(format!("{word} {label}."));
        self.blocks.push(Block::List(advice.because.clone()));
        let price: Vec<Vec<Entry>> = self
            .run
            .findings
            .grid
            .iter()
            .flat_map(|grid| grid.cells.iter().map(move |cell| (grid, cell)))
            .filter(|(_, cell)| super::tables::label(cell) == label)
            .map(|(grid, cell)| {
                let mut row = vec![text(capitalised(grid.question.words()))];
                row.extend(measured(&grid.unit, cell));
                row
            })
            .collect();
        if !price.is_empty() {
            self.blocks.push(Block::Subheading("What it gains and what it costs".to_owned()));
            self.blocks.push(table(&["Question", "Value", "Change", "Ruling", "n"], price));
        }
        if !advice.rejected.is_empty() {
            self.blocks.push(Block::Subheading("Why not the others".to_owned()));
            let why = |because: &[String]| because.join("; ");
            let rejected = advice.rejected.iter();
            self.blocks.push(Block::List(
                rejected.map(|other| format!("{}: {}", other.label(), why(&other.because))).collect(),
            ));
        }
    }

    fn audit(&mut self) {
        let audit = &self.run.findings.audit;
        if audit.is_empty() {
            return;
        }
        self.heading("What the configuration says by itself");
        let row = |finding: &AuditFinding| {
            vec![
                text(finding.severity.name()),
                text(finding.place()),
                text(&finding.meaning),
                text(&finding.instead),
                text(finding.known.join(", ")),
            ]
        };
        self.blocks.push(table(
            &["Weight", "Where", "What it means", "What to write instead", "Known from"],
            audit.iter().map(row).collect(),
        ));
        self.say("Read from the files before anything ran; no measurement stands behind it.");
    }

    fn remarks(&mut self) {
        let mut remarks: Vec<String> = self
            .run
            .findings
            .verdicts
            .iter()
            .filter_map(|v| v.why.as_ref().map(|why| format!("{}: {why}", capitalised(v.question.words()))))
            .collect();
        remarks.extend(self.run.findings.notes.iter().cloned());
        for expectation in &self.run.findings.expectations {
            remarks.push(format!(
                "The scenario expects the cause {} for {}; found: {} ({}).",
                expectation.expected.name(),
                expectation.question.words(),
                expectation.found.name(),
                if expectation.met { "as expected" } else { "not as expected" },
            ));
        }
        if self.run.provenance.quick {
            remarks.push("This was a quick run: few documents, wide intervals.".to_owned());
        }
        if !remarks.is_empty() {
            self.heading("Open points and remarks");
            self.blocks.push(Block::List(remarks));
        }
    }

    fn cells(&mut self) {
        self.heading("Cells");
        let findings = self.run.findings;
        let failed = findings.cells.iter().filter(|cell| cell.outcome == "failed").count();
        if failed > 0 && failed == findings.cells.len() {
            self.say("Every cell failed: nothing was measured.");
        }
        let rows = findings.cells.iter().map(|cell| {
            let outcome = match &cell.reason {
                Some(reason) => format!("{}: {reason}", cell.outcome),
                None => cell.outcome.clone(),
            };
            vec![
                text(&cell.method),
                number(format!("x{}", cell.factor)),
                text(&cell.training),
                text(cell.condition.replace('_', " ")),
                text(outcome),
                text(&cell.id),
            ]
        });
        let head = ["Method", "Factor", "Weights", "Condition", "Outcome", "Identity"];
        self.blocks.push(table(&head, rows.collect()));
    }

    fn origin(&mut self) {
        let provenance = self.run.provenance;
        self.heading("How it was measured");
        let mut sentences: Vec<String> = provenance
            .protocols
            .iter()
            .map(|(probe, sentence)| format!("{}: {sentence}", capitalised(&probe.replace('_', " "))))
            .collect();
        let verdicts = self.run.findings.verdicts.iter().filter(|verdict| !verdict.protocol.is_empty());
        sentences
            .extend(verdicts.map(|v| format!("Ruling on {} ({}): {}", v.question.words(), v.quantity, v.protocol)));
        sentences.dedup();
        self.blocks.push(Block::List(sentences));
        self.heading("How to repeat it");
        let quick = if provenance.quick { " --quick" } else { "" };
        self.blocks.push(Block::Code(format!("gyro diagnose {}{quick}", provenance.scenario_path)));
        self.blocks.push(origin_table(self.run));
        self.blocks.push(Block::Subheading("The scenario".to_owned()));
        self.blocks.push(Block::Code(provenance.scenario_text.trim_end().to_owned()));
    }
}

/// First-ranked causes, one for each question.
fn worst<'a>(run: &'a Run<'_>) -> impl Iterator<Item = &'a Cause> {
    let causes = &run.findings.causes;
    Question::ALL.into_iter().filter_map(move |question| causes.iter().find(|cause| cause.question == question))
}

/// The first letter large.
pub(super) fn capitalised(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn number_or_max(name: &str) -> f64 {
    name.trim_start_matches('x').parse().unwrap_or(f64::MAX)
}

/// What a shape means.
fn shape_words(shape: &str) -> String {
    match shape {
        "constant" => "the damage is about the same at every position.".to_owned(),
        "growing" => "the damage grows with the distance.".to_owned(),
        "cache_only" => "the damage appears only with a cache.".to_owned(),
        "batch_only" => "the damage appears only in a batch.".to_owned(),
        "order_only" => "the damage depends on the order of requests.".to_owned(),
        "latency_only" => "only the time is affected.".to_owned(),
        _ => match shape.strip_prefix("step@") {
            Some(at) => format!("the damage begins with a step at position {at}."),
            None => format!("the shape of the damage is `{shape}`."),
        },
    }
}
