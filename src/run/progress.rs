//! Progress: bars on a terminal, one plain line a cell elsewhere; always on stderr.

use std::cell::{Cell as Shared, RefCell};
use std::io::IsTerminal;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use super::cells::cells_of;
use super::finalists;
use super::remaining::{Kind, Remaining};
use crate::ablation::plan;
use crate::measurement::{Arm, Cell, CellId, Outcome};
use crate::scenario::Scenario;

/// The progress of a run in documents read (and blocks timed).
pub struct Progress {
    bar: ProgressBar,
    is_terminal: bool,
    cells: Shared<usize>,
    cell: Shared<usize>,
    began: Shared<Instant>,
    documents: u64,
    blocks: u64,
    remaining: RefCell<Remaining>,
}

impl Progress {
    /// The progress of a scenario of which some cells are done.
    #[must_use]
    pub fn new(scenario: &Scenario, done: &[(CellId, Outcome)], notes: &[String]) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let all = cells_of(scenario);
        let documents = scenario.sizes.documents as u64;
        let blocks = (scenario.sizes.latency_lengths.len() * (scenario.sizes.latency_blocks + 1)) as u64;
        // The best ones are known when all others are measured; the deployed cell may be among them, and is timed anyway.
        let finalists = finalists::count(scenario);
        let mut progress = Self {
            bar: ProgressBar::hidden(),
            is_terminal,
            cells: Shared::new(all.len() + finalists),
            cell: Shared::new(0),
            began: Shared::new(Instant::now()),
            documents,
            blocks,
            remaining: RefCell::default(),
        };
        let open = || all.iter().filter(|cell| !done.iter().any(|(id, _)| *id == cell.id()));
        let total = open().map(|cell| progress.steps(cell)).sum::<u64>() + finalists as u64 * blocks;
        progress.remaining.borrow_mut().add(Kind::Timed, finalists as u64 * blocks);
        for cell in open() {
            progress.remaining.borrow_mut().add(Kind::of(cell), progress.steps(cell));
        }
        if is_terminal {
            progress.bar = ProgressBar::new(total).with_style(
                ProgressStyle::with_template("{prefix:>8} {bar:24} {pos}/{len} documents  {msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
        }
        for note in notes {
            progress.say(&format!("note: {note}"));
        }
        progress
    }

    /// Says what the run will cost before it costs anything.
    pub fn cost(&self, scenario: &Scenario, exhaustive: bool) {
        let all = cells_of(scenario);
        let certain = if exhaustive { all.len() } else { plan::certain(scenario, &all) };
        let tokens = scenario.sizes.documents * scenario.target.0;
        let mut each = format!("about {} tokens each", crate::units::Tokens(tokens));
        if let count @ 1.. = finalists::count(scenario) {
            each += &format!(", then the timing of the {count} best");
        }
        if certain < all.len() {
            self.say(&format!(
                "plan: {certain} of {} cells at once, {each}, and the others only as long as they can change a cause \
                 (--exhaustive measures all)",
                all.len()
            ));
        } else {
            self.say(&format!("plan: {} cells, {each}", all.len()));
        }
    }

    fn steps(&self, cell: &Cell) -> u64 {
        if cell.arm == Arm::Latency { self.blocks } else { self.documents }
    }

    fn say(&self, line: &str) {
        if self.is_terminal {
            self.bar.println(line);
        } else {
            eprintln!("{line}");
        }
    }

    fn count(&self) -> String {
        self.cell.set(self.cell.get() + 1);
        // A candidate that turned out to be slow has a successor, which nobody counted.
        self.cells.set(self.cells.get().max(self.cell.get()));
        format!("{}/{}", self.cell.get(), self.cells.get())
    }

    /// A cell that an earlier run has finished.
    pub fn skip(&self, cell: &Cell) {
        let count = self.count();
        self.say(&format!("{count} {}: on disk already", cell.label()));
    }

    /// A cell begins.
    pub fn begin(&self, cell: &Cell) {
        self.bar.set_prefix(self.count());
        let left = self.remaining.borrow().words().map_or_else(String::new, |left| format!(", {left}"));
        self.bar.set_message(format!("{}{left}", cell.label()));
        self.began.set(Instant::now());
    }

    /// One more document was read, or one more block timed.
    pub fn document(&self) {
        self.bar.inc(1);
    }

    /// A cell is measured or has failed.
    pub fn end(&self, cell: &Cell, outcome: &Outcome) {
        let took = self.began.get().elapsed();
        let seconds = took.as_secs_f64();
        self.remaining.borrow_mut().done(Kind::of(cell), self.steps(cell), took);
        let left = self.remaining.borrow().words().map_or_else(String::new, |left| format!(", {left}"));
        let count = format!("{}/{}", self.cell.get(), self.cells.get());
        match outcome {
            Outcome::Failed { reason } => self.say(&format!("{count} {}: failed: {reason}", cell.label())),
            Outcome::Measured(_) if self.is_terminal => {}
            Outcome::Measured(rows) => {
                self.say(&format!("{count} {}: {} rows in {seconds:.1} s{left}", cell.label(), rows.len()));
            }
        }
    }

    /// Takes the bar off the screen.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// The progress of a training: a bar on a terminal, one plain line a point of the curve elsewhere.
#[cfg(feature = "libtorch")]
pub struct TrainingBar {
    bar: ProgressBar,
    steps: usize,
}

/// The progress of a course of training.
#[cfg(feature = "libtorch")]
#[must_use]
pub fn training_bar(course: &crate::recipe::Course) -> TrainingBar {
    let bar = if std::io::stderr().is_terminal() {
        ProgressBar::new(course.steps() as u64).with_style(
            ProgressStyle::with_template("{bar:24} step {pos}/{len}, {eta} left  {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar()),
        )
    } else {
        ProgressBar::hidden()
    };
    TrainingBar { bar, steps: course.steps() }
}

#[cfg(feature = "libtorch")]
impl TrainingBar {
    /// One more point of the curve.
    pub fn point(&self, point: &crate::recipe::CurvePoint) {
        let recall = point.answer_top1.map_or_else(String::new, |share| format!(", facts {:.0} %", 100.0 * share));
        let line = format!("text {:.3} nats/token{recall}, length {}", point.text_nll, point.length);
        if self.bar.is_hidden() {
            eprintln!("step {}/{}: {line}, {:.0} s", point.step, self.steps, point.seconds.0);
        } else {
            self.bar.set_position(point.step as u64);
            self.bar.set_message(line);
        }
    }

    /// Takes the bar off the screen.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
