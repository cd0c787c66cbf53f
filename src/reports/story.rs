//! The argument of a report, format-free: the question, the answer, the rulings, and the evidence in its order.

use super::document::{Block, Claim, Document, Entry, number, table, text};
use super::tables::{
    attention_rows, causes_table, failed_rows, grid_table, measured, origin_table, shapley_table, stability_table,
    useless,
};
use super::{ReportError, Run, cards, charts, evidence, numbers};
use crate::findings::{AuditFinding, Axis, Cause, GridSummary, Question, Ruling};
use crate::measurement::spoken;

/// A run told in order; every format writes down the same story.
#[derive(Debug)]
pub struct Story<'a> {
    /// What it is told from.
    pub run: &'a Run<'a>,
    /// The page.
    pub document: Document,
}

impl<'a> Story<'a> {
    /// Tells a run.
    ///
    /// # Errors
    /// [`ReportError::Chart`] where a figure cannot be drawn.
    pub fn of(run: &'a Run<'a>) -> Result<Self, ReportError> {
        let findings = run.findings;
        let first = if findings.verdicts.is_empty() {
            vec![Block::Text("No question was ruled on.".to_owned())]
        } else {
            vec![Block::Cards(cards::cards(run))]
        };
        let document = Document {
            origin: format!(
                "Gyro \u{b7} {} \u{b7} deployed: {} \u{b7} {}",
                findings.scenario,
                spoken(&findings.deployed),
                run.provenance.started
            ),
            title: findings.question.clone(),
            answer: findings.answer.clone(),
            tone: Some(cards::gravest(run)),
            first,
            blocks: Vec::new(),
            figures: charts::all(run)?,
        };
        let mut story = Self { run, document };
        story.damage();
        story.repairs();
        story.no_repairs();
        story.unexplained();
        story.deviations();
        story.latency();
        story.recommendation();
        story.audit();
        story.checking();
        story.cells();
        story.origin();
        Ok(story)
    }

    fn push(&mut self, block: Block) {
        self.document.blocks.push(block);
    }

    fn list(&mut self, title: &str, points: Vec<String>) {
        if !points.is_empty() {
            self.document.subheading(title);
            self.push(Block::List(points));
        }
    }

    fn damage(&mut self) {
        self.document.heading("Where the damage is");
        self.document.figure_or("loss_by_position", "No cell has a loss by position, so there is no chart of it.");
        let shapes: Vec<String> = worst(self.run)
            .filter(|cause| cause.shape != "none")
            .map(|cause| {
                format!("{}: {}", capitalised(cause.question.words()), shape_words(cause.question, &cause.shape))
            })
            .collect();
        self.list("Its shape", shapes);
        self.document.figure_or("recall_by_distance", "No facts were asked for, so there is no recall by distance.");
        self.document.figure_or("recall_map", "");
        self.document.figure_or("attention_by_distance", "Attention was not looked at, so there is no chart of it.");
        let rows = attention_rows(self.run);
        if !rows.is_empty() {
            self.push(table(
                "Attention, mean over layers",
                &["Cell", "Entropy, nats", "Beyond the trained length", "Largest logit", "Documents"],
                rows,
            ));
            self.document
                .say("Means over layers and documents, with 95% intervals over documents where there are several.");
        }
    }

    fn repairs(&mut self) {
        let causes = &self.run.findings.causes;
        self.document.heading("What repairs it");
        if causes.is_empty() {
            return self.document.say("No question has a cause: nothing was ruled on.");
        }
        self.push(causes_table(causes));
        self.document.say(
            "Repair is the share of the damage that goes away when this one thing is changed (100% is all of it). \
             Confidence is the share of bootstrap resamples in which the cause ranks first.",
        );
        self.document.figure_or("repair", "");
        let shapley: Vec<&Cause> = worst(self.run).filter(|cause| !cause.shapley.is_empty()).collect();
        if !shapley.is_empty() {
            self.document.subheading("How the gap divides (Shapley shares)");
            self.push(shapley_table(&shapley));
            self.document.say(
                "Shares of the gap between the deployed cell and the repaired one, averaged over the orders in which \
                 the axes can be changed. The interaction is what neither axis does alone; the shares contain it.",
            );
        }
        self.document.figure_or("periods", "");
        for question in Question::ALL {
            let claims = claims(self.run, question);
            if !claims.is_empty() {
                self.document.subheading(&format!("Evidence: {}", question.words()));
                self.document.claim(claims);
            }
        }
        self.grid();
    }

    /// What the deployment does otherwise than its healthy replay; nothing where the two were not compared.
    fn deviations(&mut self) {
        let deviations = &self.run.findings.deviations;
        if deviations.is_empty() {
            return;
        }
        self.document.heading("What the engine does otherwise than its healthy replay");
        let dash = || "\u{2013}".to_owned();
        let rows = deviations
            .iter()
            .map(|one| {
                let onset = one.onset.map_or_else(dash, |at| format!("{} [{}, {}]", at.point, at.low, at.high));
                let explained = one.explained.map_or_else(dash, |share| format!("{:.0}%", 100.0 * share));
                vec![
                    text(one.name.clone()),
                    text(one.place.clone().unwrap_or_else(dash)),
                    text(one.shape.clone()),
                    text(onset),
                    text(explained),
                    text(if one.exact { "every answer" } else { "no" }),
                ]
            })
            .collect();
        let head = ["Suspicion", "Place", "Where it shows", "From position", "Explained", "Its replay agrees"];
        self.push(table("Suspicions and what they explain", &head, rows));
        let evidence = deviations.first().map(|first| first.evidence.clone()).unwrap_or_default();
        self.push(Block::List(evidence));
    }

    fn grid(&mut self) {
        self.document.heading("Method against factor");
        let grids: Vec<&GridSummary> = self.run.findings.grid.iter().filter(|grid| !grid.cells.is_empty()).collect();
        if grids.is_empty() {
            return self.document.say("No cell of the grid was measured, so there is no table of method and factor.");
        }
        for grid in grids {
            self.document.subheading(&capitalised(grid.question.words()));
            self.document.figure_or(&format!("grid_{}", grid.question.name()), "");
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
                self.push(Block::List(lines));
            }
        }
    }

    fn no_repairs(&mut self) {
        self.document.heading("What does not repair it");
        let useless = useless(self.run);
        if useless.is_empty() {
            self.document
                .say("No measured cell leaves a question worse than the reference that the deployed one broke.");
        } else {
            self.push(Block::List(useless));
        }
        if self.run.findings.grid.iter().any(|grid| !grid.cells.is_empty()) {
            self.document.subheading("Every cell against the reference");
            self.push(grid_table(&self.run.findings.grid));
        }
        let stability = &self.run.findings.stability;
        if stability.iter().any(|row| !row.beyond.is_empty()) {
            self.document.subheading("Who holds beyond the trained length");
            self.push(stability_table(stability));
            self.document.say(
                "Rise of the loss over the cell's own level in the last bin inside the trained length, paired by \
                 document; what the text there is harder for the truncated reference is taken off. A cell breaks where \
                 the whole interval lies above the long-range tolerance.",
            );
        }
    }

    /// What no cell gave back, what could not be judged, and what the scenario expected in vain.
    fn unexplained(&mut self) {
        self.document.heading("What stays unexplained");
        let findings = self.run.findings;
        let is_worse = |question: Question| {
            findings.verdicts.iter().any(|verdict| verdict.question == question && verdict.ruling == Ruling::Worse)
        };
        // Where no damage is shown there is nothing to repair; the verdict says itself why it is open.
        let open = worst(self.run).filter(|cause| cause.axis != Axis::None && is_worse(cause.question));
        let mut points: Vec<String> = open.map(left_by).collect();
        points.extend(findings.verdicts.iter().filter_map(|verdict| {
            // A note that gives the same reason also says what would settle the question.
            let why =
                verdict.why.as_ref().filter(|why| !findings.notes.iter().any(|note| note.contains(why.as_str())))?;
            Some(format!("{}: {why}.", capitalised(verdict.question.words())))
        }));
        points.extend(findings.notes.iter().cloned());
        for expectation in &findings.expectations {
            points.push(format!(
                "The scenario expects the cause {} for {}; found: {} ({}).",
                expectation.expected.name(),
                expectation.question.words(),
                expectation.found.name(),
                if expectation.met { "as expected" } else { "not as expected" },
            ));
        }
        if self.run.provenance.quick {
            points.push("This was a quick run: few documents, wide intervals.".to_owned());
        }
        if points.is_empty() {
            self.document.say("Nothing: no question is worse, undecided or incomparable.");
        } else {
            self.push(Block::List(points));
        }
        let failed = failed_rows(self.run);
        if !failed.is_empty() {
            self.push(table("Cells that failed", &["Cell", "Reason", "Identity"], failed));
        }
    }

    fn latency(&mut self) {
        self.document.heading("Latency by length");
        self.document.figure_or("latency_by_length", "Nothing was timed, so there is no chart of latency.");
        for block in super::speed::blocks(self.run.findings) {
            self.push(block);
        }
    }

    fn recommendation(&mut self) {
        self.document.heading("Recommendation");
        let Some(advice) = &self.run.findings.recommendation else {
            return self.document.say("None: no measured cell of the grid can be recommended over the deployed one.");
        };
        let label = advice.label();
        let word = if label == self.run.findings.deployed { "Keep" } else { "Deploy" };
        self.document.say(format!("{word} {}.", spoken(&label)));
        self.push(Block::List(advice.because.clone()));
        let grids = self.run.findings.grid.iter();
        let price: Vec<Vec<Entry>> = grids
            .flat_map(|grid| grid.cells.iter().map(move |cell| (grid, cell)))
            .filter(|(_, cell)| super::tables::label(cell) == label)
            .map(|(grid, cell)| {
                let mut row = vec![text(capitalised(grid.question.words()))];
                row.extend(measured(&grid.unit, cell));
                row
            })
            .collect();
        if !price.is_empty() {
            self.document.subheading("What it gains and what it costs");
            let head = ["Question", "Value", "Change", "Ruling", "n"];
            self.push(table("The recommended cell against the reference", &head, price));
        }
        let why = |because: &[String]| because.join("; ");
        let rejected = advice.rejected.iter();
        self.list(
            "Why not the others",
            rejected.map(|other| format!("{}: {}", spoken(&other.label()), why(&other.because))).collect(),
        );
    }

    fn audit(&mut self) {
        let audit = &self.run.findings.audit;
        if audit.is_empty() {
            return;
        }
        self.document.heading("What the configuration says by itself");
        let row = |finding: &AuditFinding| {
            vec![
                text(finding.severity.name()),
                text(finding.place()),
                text(&finding.meaning),
                text(&finding.instead),
                text(finding.known.join(", ")),
            ]
        };
        self.push(table(
            "Findings of the audit",
            &["Weight", "Where", "What it means", "What to write instead", "Known from"],
            audit.iter().map(row).collect(),
        ));
        self.document.say("Read from the files before anything ran; no measurement stands behind it.");
    }

    /// How a reader without the project finds the rows behind a number, and how to measure the deciding cell again.
    fn checking(&mut self) {
        let provenance = self.run.provenance;
        self.document.heading("How to repeat and check it");
        let quick = if provenance.quick { " --quick" } else { "" };
        let path = &provenance.scenario_path;
        self.document.say("The whole run, and the deciding cell alone beside its references:");
        let mut commands = format!("gyro diagnose {path}{quick}");
        if let Some(cell) = deciding(self.run) {
            commands.push_str(&format!("\ngyro diagnose {path}{quick} --only '{cell}'"));
        }
        self.push(Block::Code(commands));
        for block in evidence::blocks(self.run) {
            self.push(block);
        }
    }

    fn cells(&mut self) {
        self.document.heading("Cells");
        let findings = self.run.findings;
        let failed = findings.cells.iter().filter(|cell| cell.outcome == "failed").count();
        if failed > 0 && failed == findings.cells.len() {
            self.document.say("Every cell failed: nothing was measured.");
        }
        let rows = findings.cells.iter().map(|cell| {
            vec![
                text(&cell.method),
                number(format!("x{}", cell.factor)),
                text(&cell.training),
                text(cell.condition.replace('_', " ")),
                text(&cell.outcome),
                Entry::Code(cell.id.clone()),
            ]
        });
        let head = ["Method", "Factor", "Weights", "Condition", "Outcome", "Identity"];
        let rows = rows.collect();
        self.push(table("Every cell of the run", &head, rows));
    }

    fn origin(&mut self) {
        let provenance = self.run.provenance;
        self.document.heading("How it was measured");
        let mut sentences: Vec<String> = provenance
            .protocols
            .iter()
            .map(|(probe, sentence)| format!("{}: {sentence}", capitalised(&probe.replace('_', " "))))
            .collect();
        let verdicts = self.run.findings.verdicts.iter().filter(|verdict| !verdict.protocol.is_empty());
        sentences
            .extend(verdicts.map(|v| format!("Ruling on {} ({}): {}", v.question.words(), v.quantity, v.protocol)));
        sentences.dedup();
        self.push(Block::List(sentences));
        let origin = origin_table(self.run);
        self.push(origin);
        self.document.subheading("The scenario");
        self.push(Block::Code(provenance.scenario_text.trim_end().to_owned()));
    }
}

/// First-ranked causes, one for each question.
pub(super) fn worst<'a>(run: &'a Run<'_>) -> impl Iterator<Item = &'a Cause> {
    let causes = &run.findings.causes;
    Question::ALL.into_iter().filter_map(move |question| causes.iter().find(|cause| cause.question == question))
}

/// The cell that decided: the repair of the first question that is worse.
fn deciding(run: &Run<'_>) -> Option<String> {
    let is_worse = |question| run.findings.verdict(question).is_some_and(|verdict| verdict.ruling == Ruling::Worse);
    let repaired = worst(run).filter(|cause| is_worse(cause.question)).find_map(|cause| cause.repair.as_ref());
    repaired.map(|repair| repair.cell.clone())
}

/// The evidence on a question, each sentence once, though several causes rest on it.
fn claims(run: &Run<'_>, question: Question) -> Vec<Claim> {
    let mut claims: Vec<Claim> = Vec::new();
    let causes = run.findings.causes.iter().filter(|cause| cause.question == question);
    for sentence in causes.flat_map(|cause| &cause.evidence) {
        if !claims.iter().any(|claim| claim.text == *sentence) {
            claims.push(Claim::new(sentence, evidence::sources(run, question, sentence)));
        }
    }
    claims
}

/// What the repair of a cause leaves of the damage, in a sentence.
fn left_by(cause: &Cause) -> String {
    let words = capitalised(cause.question.words());
    match &cause.repair {
        Some(repair) if repair.fraction.high >= 1.0 => format!(
            "{words}: the interval of the repair by {} includes all of the damage, so nothing need be left to explain.",
            spoken(&repair.cell)
        ),
        Some(repair) => format!(
            "{words}: {} [{}, {}] of the damage is left under {} (n = {}); no measured cell explains that part.",
            numbers::percent(1.0 - repair.fraction.point),
            numbers::percent(1.0 - repair.fraction.high),
            numbers::percent(1.0 - repair.fraction.low),
            spoken(&repair.cell),
            repair.fraction.n
        ),
        None => format!("{words}: nothing measured repairs it, so its cause is open."),
    }
}

/// The first letter large.
pub(crate) fn capitalised(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn number_or_max(name: &str) -> f64 {
    name.trim_start_matches('x').parse().unwrap_or(f64::MAX)
}

/// What a shape means: recall is followed by the distance to the fact, all else by the position.
fn shape_words(question: Question, shape: &str) -> String {
    let place = if question == Question::Retrieval { "distance" } else { "position" };
    match shape {
        "constant" => format!("the damage is about the same at every {place}."),
        "growing" => format!("the damage grows with the {place}."),
        "cache_only" => "the damage appears only with a cache.".to_owned(),
        "batch_only" => "the damage appears only in a batch.".to_owned(),
        "order_only" => "the damage depends on the order of requests.".to_owned(),
        "latency_only" => "only the time is affected.".to_owned(),
        "unclear" => "the intervals do not say where the damage begins.".to_owned(),
        _ => match shape.strip_prefix("step@") {
            Some(at) => format!("the damage begins with a step at {place} {at}."),
            None => format!("the shape of the damage is `{shape}`."),
        },
    }
}
