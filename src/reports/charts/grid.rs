//! The two-way table of method and factor as a heat map, one for each quality question.

use super::lines::WIDTH;
use super::{
    Anchor, BLUE, Canvas, Drawing, FAINT, Figure, INK, ON_FILL, QUIET, RGBColor, ReportError, Run, Type, VERMILION,
    WHITE, sheet,
};
use crate::findings::{GridCell, GridSummary, Question};
use crate::measurement::{Arm, Outcome, spoken};
use crate::reports::{figures, numbers, tables::label};
use crate::units::{Stretch, Tokens};

const ROW: f64 = 68.0;
const TOP: f64 = 58.0;
const FOOT: f64 = 46.0;
const NAMES: f64 = 150.0;

/// One heat map for each question that has a grid.
pub(super) fn figures(run: &Run<'_>) -> Result<Vec<Figure>, ReportError> {
    let grids = run.findings.grid.iter().filter(|grid| !grid.cells.is_empty());
    grids.map(|grid| Table::of(run, grid).figure()).collect()
}

/// What stands at one crossing of the table.
enum Square<'a> {
    Measured(&'a GridCell),
    Failed,
    NotRun,
}

struct Table<'a> {
    run: &'a Run<'a>,
    grid: &'a GridSummary,
    /// The unscaled model: one column, whatever the method.
    unscaled: Square<'a>,
    methods: Vec<String>,
    factors: Vec<Stretch>,
    /// The largest damage or gain, which gets the full colour.
    reach: f64,
}

impl<'a> Table<'a> {
    fn of(run: &'a Run<'a>, grid: &'a GridSummary) -> Self {
        let reach =
            grid.cells.iter().map(|cell| damage(grid, cell).abs()).filter(|d| d.is_finite()).fold(1e-9, f64::max);
        let (methods, factors) = (figures::methods(run), figures::factors(run));
        let mut table = Self { run, grid, unscaled: Square::NotRun, methods, factors, reach };
        table.unscaled = table.square("none", Stretch::ONE);
        table
    }

    fn square(&self, method: &str, factor: Stretch) -> Square<'a> {
        let same = |cell: &&GridCell| cell.method == method && cell.factor == factor.0;
        if let Some(cell) = self.grid.cells.iter().find(same) {
            return Square::Measured(cell);
        }
        let failed = self.run.cells.iter().any(|(cell, outcome)| {
            cell.arm == Arm::Grid
                && cell.row() == method
                && cell.factor == factor
                && matches!(outcome, Outcome::Failed { .. })
        });
        if failed { Square::Failed } else { Square::NotRun }
    }

    fn figure(&self) -> Result<Figure, ReportError> {
        let question = self.grid.question;
        let title = format!("Grid: {}", question.words());
        let rows = self.methods.len().max(1) as f64;
        let svg = sheet((WIDTH, TOP + rows * ROW + FOOT), &title, &self.alt(), |canvas| self.draw(canvas, &title))?;
        let caption = format!(
            "{}Each square: the value, and under it the change against the reference with the sign of its ruling ({}). \
             Orange is worse, blue is better; the deepest colour stands for {}. At factor 1 every scaling is the \
             unscaled model, which stands there once.",
            self.extremes(),
            "\u{2717} worse, \u{2713} better, = within noise, ? undecided",
            numbers::change(&self.grid.unit, self.reach_change()),
        );
        let drawing = Drawing { wide: svg, narrow: None };
        Ok(Figure::drawn(&format!("grid_{}", question.name()), &title, caption, self.alt(), drawing))
    }

    /// The change that gets the full colour, with its sign.
    fn reach_change(&self) -> f64 {
        let changes = self.grid.cells.iter().filter(|cell| damage(self.grid, cell).abs() >= self.reach);
        changes.map(|cell| cell.change.point).next().unwrap_or(self.reach)
    }

    /// What to see: the best and the worst cell.
    fn extremes(&self) -> String {
        let by_damage = |a: &&GridCell, b: &&GridCell| damage(self.grid, a).total_cmp(&damage(self.grid, b));
        let cells = || self.grid.cells.iter().filter(|cell| damage(self.grid, cell).is_finite());
        match (cells().min_by(by_damage), cells().max_by(by_damage)) {
            (Some(best), Some(worst)) if label(best) != label(worst) => {
                let words = |cell| {
                    format!("{} ({})", spoken(&label(cell)), numbers::change(&self.grid.unit, cell.change.point))
                };
                format!("Best is {}, worst is {}. ", words(best), words(worst))
            }
            _ => String::new(),
        }
    }

    fn alt(&self) -> String {
        let unit = &self.grid.unit;
        let cells: Vec<String> = self
            .grid
            .cells
            .iter()
            .map(|cell| {
                let label = spoken(&label(cell));
                let value = numbers::value(unit, cell.value.point);
                format!("{label} {value} ({}, {})", numbers::change(unit, cell.change.point), cell.ruling.words())
            })
            .collect();
        format!("Heat map of {} by method and factor, {unit}. {}.", self.grid.question.words(), cells.join("; "))
    }

    fn draw(&self, canvas: &Canvas<'_>, title: &str) -> Result<(), ReportError> {
        let width = (WIDTH - NAMES - 8.0) / (self.factors.len() + 1) as f64;
        let height = ROW * self.methods.len().max(1) as f64;
        let unit = numbers::suffix(&self.grid.unit);
        let heading = if unit.is_empty() { title.to_owned() } else { format!("{title}, {unit}") };
        canvas.text((8.0, 16.0), &heading, Type::title())?;
        canvas.text((NAMES + width / 2.0, TOP - 12.0), "x1 (unscaled)", Type::plain(Anchor::Middle))?;
        self.paint(canvas, &self.unscaled, (NAMES, TOP), (width, height), "none")?;
        for (column, factor) in self.factors.iter().enumerate() {
            let x = NAMES + width * (column + 1) as f64;
            canvas.text((x + width / 2.0, TOP - 12.0), &format!("x{factor}"), Type::plain(Anchor::Middle))?;
            for (row, method) in self.methods.iter().enumerate() {
                let corner = (x, TOP + ROW * row as f64);
                let label = crate::measurement::label(method, Tokens(0), *factor);
                self.paint(canvas, &self.square(method, *factor), corner, (width, ROW), &label)?;
            }
        }
        for (row, method) in self.methods.iter().enumerate() {
            let y = TOP + ROW * (row as f64 + 0.5);
            let name = Type { bold: true, ..Type::plain(Anchor::End) };
            // What stands in parentheses, parameters or an adaptation, goes under the name.
            match method.trim_end_matches(')').split_once(" (") {
                None => canvas.text((NAMES - 10.0, y), method, name)?,
                Some((method, details)) => {
                    canvas.text((NAMES - 10.0, y - 8.0), method, name)?;
                    canvas.text((NAMES - 10.0, y + 8.0), details, Type::small(Anchor::End))?;
                }
            }
        }
        Self::key(canvas, TOP + height + 26.0)
    }

    /// The colour key under the table.
    fn key(canvas: &Canvas<'_>, y: f64) -> Result<(), ReportError> {
        const PARTS: usize = 9;
        canvas.text((NAMES + 50.0, y), "better", Type::small(Anchor::End))?;
        for part in 0..PARTS {
            let share = part as f64 / (PARTS - 1) as f64 * 2.0 - 1.0;
            canvas.rectangle((NAMES + 58.0 + 22.0 * part as f64, y - 7.0), (22.0, 14.0), color(share))?;
        }
        let end = NAMES + 58.0 + 22.0 * PARTS as f64;
        canvas.frame(((NAMES + 58.0, y - 7.0), (end - NAMES - 58.0, 14.0)), FAINT, 1.0)?;
        canvas.text((end + 8.0, y), "worse than the reference", Type::small(Anchor::Start))
    }

    fn paint(
        &self,
        canvas: &Canvas<'_>,
        square: &Square<'_>,
        (x, y): (f64, f64),
        (w, h): (f64, f64),
        label: &str,
    ) -> Result<(), ReportError> {
        let inner = ((x + 2.0, y + 2.0), (w - 4.0, h - 4.0));
        let centre = (x + w / 2.0, y + h / 2.0);
        match square {
            Square::Measured(cell) => self.numbers(canvas, cell, inner, centre)?,
            Square::Failed => {
                canvas.rectangle(inner.0, inner.1, RGBColor(0xf1, 0xf1, 0xf1))?;
                hatch(canvas, inner)?;
                canvas.rectangle((centre.0 - 26.0, centre.1 - 10.0), (52.0, 20.0), WHITE)?;
                canvas.text(centre, "failed", Type { bold: true, color: ON_FILL, ..Type::plain(Anchor::Middle) })?;
            }
            Square::NotRun => canvas.text(centre, "not run", Type::small(Anchor::Middle))?,
        }
        if label == self.run.findings.deployed {
            canvas.frame(inner, INK, 2.5)?;
        }
        Ok(())
    }

    fn numbers(
        &self,
        canvas: &Canvas<'_>,
        cell: &GridCell,
        (corner, size): ((f64, f64), (f64, f64)),
        (x, y): (f64, f64),
    ) -> Result<(), ReportError> {
        let share = (damage(self.grid, cell) / self.reach).clamp(-1.0, 1.0);
        let fill = color(share);
        let ink = if share.is_finite() && share < -0.6 { WHITE } else { ON_FILL };
        canvas.rectangle(corner, size, if share.is_finite() { fill } else { FAINT })?;
        canvas.frame((corner, size), FAINT, 1.0)?;
        let unit = &self.grid.unit;
        let value = numbers::value(unit, cell.value.point);
        let large = Type { size: 15.0, bold: true, color: ink, anchor: Anchor::Middle };
        let lift = if self.mark(cell).is_some() { 6.0 } else { 0.0 };
        canvas.text((x, y - 10.0 - lift), &value, large)?;
        let under = format!("{} {}", numbers::symbol(cell.ruling), numbers::change(unit, cell.change.point));
        canvas.text((x, y + 9.0 - lift), &under, Type { color: ink, ..Type::plain(Anchor::Middle) })?;
        if let Some(mark) = self.mark(cell) {
            let look = Type { size: 10.5, bold: true, color: ink, anchor: Anchor::Middle };
            canvas.text((x, y + 18.0), mark, look)?;
        }
        Ok(())
    }

    /// The word in the square of a cell that the reader looks for.
    fn mark(&self, cell: &GridCell) -> Option<&'static str> {
        let label = label(cell);
        let recommended = self.run.findings.recommendation.as_ref();
        if label == self.run.findings.deployed {
            Some("deployed")
        } else if recommended.is_some_and(|r| r.label() == label) {
            Some("recommended")
        } else {
            None
        }
    }
}

/// How much worse than the reference, positive is worse, whatever the quantity.
fn damage(grid: &GridSummary, cell: &GridCell) -> f64 {
    match grid.question {
        Question::Retrieval => -cell.change.point,
        Question::Latency => cell.change.point - 1.0,
        Question::ShortRange | Question::LongRange => cell.change.point,
    }
}

/// From blue (-1) over white to vermilion (1).
fn color(share: f64) -> RGBColor {
    let RGBColor(r, g, b) = if share < 0.0 { BLUE } else { VERMILION };
    let mix = |full: u8| (255.0 + (f64::from(full) - 255.0) * share.abs()).round() as u8;
    RGBColor(mix(r), mix(g), mix(b))
}

/// Slanted lines that fill a rectangle.
fn hatch(canvas: &Canvas<'_>, ((x, y), (w, h)): ((f64, f64), (f64, f64))) -> Result<(), ReportError> {
    let mut at = 8.0;
    while at < w + h {
        let from = if at <= w { (x + at, y) } else { (x + w, y + at - w) };
        let to = if at <= h { (x, y + at) } else { (x + at - h, y + h) };
        canvas.line(&[from, to], QUIET, 0.5)?;
        at += 10.0;
    }
    Ok(())
}
