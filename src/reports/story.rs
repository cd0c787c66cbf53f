//! The argument of a report, format-free: the question, the answer, the rulings, and the evidence in its order.

use super::figures::{Figure, Of, anywhere, curve};
use super::{ReportError, Run, charts, numbers};
use crate::findings::{Axis, Cause, GridCell, GridSummary, Question, Ruling, Verdict};
use crate::measurement::Quantity;

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

fn text(words: impl Into<String>) -> Entry {
    Entry::Text(words.into())
}

fn number(words: impl Into<String>) -> Entry {
    Entry::Number(words.into())
}

fn table(head: &[&str], rows: Vec<Vec<Entry>>) -> Block {
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
        story.probes();
        story.recommendation();
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
    }

    fn recommendation(&mut self) {
        self.heading("Recommendation");
        let Some(advice) = &self.run.findings.recommendation else {
            return self.say("None: no measured cell of the grid can be recommended over the deployed one.");
        };
        let label = if advice.factor > 1.0 {
            format!("{} x{}", advice.method, advice.factor)
        } else {
            format!("{}, unscaled", advice.method)
        };
        let word = if label == self.run.findings.deployed { "Keep" } else { "Deploy" };
        self.say(format!("{word} {label}."));
        self.blocks.push(Block::List(advice.because.clone()));
        let price: Vec<Vec<Entry>> = self
            .run
            .findings
            .grid
            .iter()
            .flat_map(|grid| grid.cells.iter().map(move |cell| (grid, cell)))
            .filter(|(_, cell)| cell.method == advice.method && cell.factor == advice.factor)
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
            let why = |because: &[String]| because.join(" ");
            let rejected = advice.rejected.iter();
            self.blocks.push(Block::List(
                rejected.map(|other| format!("{} x{}: {}", other.method, other.factor, why(&other.because))).collect(),
            ));
        }
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
            let factor = number(format!("x{}", cell.factor));
            vec![text(&cell.method), factor, text(cell.condition.replace('_', " ")), text(outcome), text(&cell.id)]
        });
        self.blocks.push(table(&["Method", "Factor", "Condition", "Outcome", "Identity"], rows.collect()));
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

/// A verdict's question, with the quantity where one question has several.
pub(super) fn asked(verdict: &Verdict) -> String {
    match verdict.question {
        Question::Latency => format!("Latency ({})", verdict.quantity),
        question => capitalised(question.words()),
    }
}

/// The rulings, one row each.
fn rulings(run: &Run<'_>) -> Table {
    let confidence = run.findings.verdicts.iter().find_map(|verdict| verdict.change).map_or(0.95, |e| e.confidence);
    let head = [
        "Question".to_owned(),
        "Ruling".to_owned(),
        format!("Change [{} interval]", numbers::percent(confidence)),
        "Accepted".to_owned(),
        "Deployed".to_owned(),
        "Compared with".to_owned(),
        "n".to_owned(),
    ];
    let rows = run.findings.verdicts.iter().map(|verdict| {
        let unit = verdict.unit.as_str();
        // A ratio's two sides are durations; everything else is in the unit of the change.
        let side = if unit == "ratio" { "seconds" } else { unit };
        let value = |e: Option<crate::stats::Estimate>| {
            e.map_or_else(|| "\u{2013}".to_owned(), |e| numbers::value(side, e.point))
        };
        let reference = verdict.reference.map_or_else(String::new, |e| format!(" {}", numbers::value(side, e.point)));
        let change = verdict
            .change
            .map_or_else(|| "not comparable".to_owned(), |e| numbers::estimate(unit, &e, numbers::change));
        vec![
            text(asked(verdict)),
            Entry::Ruling(verdict.ruling),
            number(change),
            number(numbers::tolerance(unit, verdict.tolerance)),
            number(value(verdict.deployed)),
            number(format!("{}{reference}", verdict.against)),
            number(verdict.change.map_or_else(|| "\u{2013}".to_owned(), |e| e.n.to_string())),
        ]
    });
    Table { head: head.to_vec(), rows: rows.collect() }
}

fn causes_table(causes: &[Cause]) -> Block {
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
                (repair.cell.clone(), format!("{}{interval}, n = {}", numbers::percent(e.point), e.n))
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
            text(&cause.name),
            number(numbers::percent(cause.confidence)),
            text(by),
            number(share),
        ]
    });
    table(&["Question", "Cause", "Level", "Confidence", "Repaired by", "Repair [95% interval]"], rows.collect())
}

fn shapley_table(causes: &[&Cause]) -> Block {
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
    Block::Table(Table { head, rows: rows.collect() })
}

/// Value, change, ruling and n of a cell of the grid.
fn measured(unit: &str, cell: &GridCell) -> Vec<Entry> {
    vec![
        number(numbers::estimate(unit, &cell.value, numbers::value)),
        number(numbers::estimate(unit, &cell.change, numbers::change)),
        Entry::Ruling(cell.ruling),
        number(cell.value.n.to_string()),
    ]
}

/// One row for each cell, one column for each question.
fn grid_table(grids: &[GridSummary]) -> Block {
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
    Block::Table(Table { head, rows: rows.collect() })
}

/// A cell of the grid as the cell itself writes it.
fn label(cell: &GridCell) -> String {
    if cell.factor > 1.0 { format!("{} x{}", cell.method, cell.factor) } else { cell.method.clone() }
}

/// For each damaged question, the cells that leave it damaged.
fn useless(run: &Run<'_>) -> Vec<String> {
    let damaged = run.findings.verdicts.iter().filter(|verdict| verdict.ruling == Ruling::Worse);
    let sentences = damaged.filter_map(|verdict| {
        let grid = run.findings.grid.iter().find(|grid| grid.question == verdict.question)?;
        let cells: Vec<String> = grid
            .cells
            .iter()
            .filter(|cell| cell.ruling == Ruling::Worse && label(cell) != run.findings.deployed)
            .map(|cell| format!("{} ({})", label(cell), numbers::change(&grid.unit, cell.change.point)))
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

fn attention_rows(run: &Run<'_>) -> Vec<Vec<Entry>> {
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

fn origin_table(run: &Run<'_>) -> Block {
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
    table(&["What", "Value"], rows.into_iter().map(|(what, value)| vec![text(what), text(value)]).collect())
}

/// The first 16 letters of a hash; `run.json` holds all of it.
fn short(hash: &str) -> String {
    hash.chars().take(16).collect()
}
