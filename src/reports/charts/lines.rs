//! Panels of lines that share a horizontal axis: one panel for each method, labels at the lines' ends.

use super::{
    Anchor, BLUE, Canvas, DEEP, Drawing, FAINT, GREEN, INK, ORANGE, PURPLE, QUIET, RGBColor, ReportError, SKY, Type,
    VERMILION, sheet,
};
use crate::reports::Run;
use crate::reports::figures::{Bin, Curve, Of, Role, curve, factors, methods, role};
use crate::stats::Estimate;

/// Width of every chart in pixels.
pub(super) const WIDTH: f64 = 960.0;
/// Width of a panel that fills a telephone's screen.
const NARROW: f64 = 340.0;
/// Height of a panel with its title and axis.
const PANEL: f64 = 330.0;
const TOP: f64 = 56.0;
const BOTTOM: f64 = 46.0;
const LEFT: f64 = 50.0;
/// Mean width of a letter of the labels; a page's font may differ a little.
const LETTER: f64 = 6.3;
/// Labels stand at least so far apart.
const LABEL_GAP: f64 = 14.0;
/// Panels in a row.
const COLUMNS: usize = 3;

/// How a line is drawn.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Pen {
    /// Thick, in the colour that nothing else has.
    Deployed,
    /// Black and dashed.
    Reference,
    /// Grey: the model as trained.
    Unscaled,
    /// Thin; the number chooses the colour.
    Other(usize),
}

impl Pen {
    fn color(self) -> RGBColor {
        const OTHERS: [RGBColor; 5] = [BLUE, GREEN, PURPLE, ORANGE, SKY];
        match self {
            Self::Deployed => VERMILION,
            Self::Reference => INK,
            Self::Unscaled => RGBColor(0x8a, 0x8a, 0x8a),
            Self::Other(i) => OTHERS[i % OTHERS.len()],
        }
    }
}

/// A line of a panel.
pub(super) struct Line {
    /// What stands at its end.
    pub(super) label: String,
    /// How it is drawn.
    pub(super) pen: Pen,
    /// Its points: position on the horizontal axis, value.
    pub(super) points: Vec<(f64, Estimate)>,
}

/// A plot area with its own title.
pub(super) struct Panel {
    /// What stands above it.
    pub(super) title: String,
    /// Quantity and unit of the vertical axis.
    pub(super) unit: String,
    /// Its lines, drawn in this order.
    pub(super) lines: Vec<Line>,
    /// Values where a thin horizontal line is drawn, each with its words.
    pub(super) levels: Vec<(f64, String)>,
}

/// The horizontal axis of all panels.
pub(super) struct Axis {
    /// What it shows.
    pub(super) title: String,
    /// Its ends.
    pub(super) ends: (f64, f64),
    /// Where it is labelled, and how.
    pub(super) ticks: Vec<(f64, String)>,
    /// A place to point out with a vertical line.
    pub(super) mark: Option<(f64, String)>,
}

/// The vertical range of a panel, and how its numbers are written.
#[derive(Clone, Copy)]
pub(super) struct Scale {
    /// Lowest value.
    pub(super) low: f64,
    /// Highest value; what is higher is drawn at the edge with an arrow and its number.
    pub(super) high: f64,
    /// Whether equal steps are equal ratios; `low` is then above 0, and what is lower is held at the edge.
    pub(super) logarithmic: bool,
    /// Writes a tick.
    pub(super) number: fn(f64) -> String,
}

impl Scale {
    /// How far up a value lies: 0 at the low end, 1 at the high one.
    fn share(self, value: f64) -> f64 {
        let measure = |x: f64| if self.logarithmic { x.max(self.low).max(f64::MIN_POSITIVE).log10() } else { x };
        let (low, high) = (measure(self.low), measure(self.high));
        ((measure(value) - low) / (high - low).max(1e-9)).clamp(0.0, 1.0)
    }

    /// Round values inside the range.
    fn ticks(self) -> Vec<f64> {
        if !self.logarithmic {
            return steps(self.low, self.high);
        }
        let power = |x: f64| x.max(f64::MIN_POSITIVE).log10();
        let (first, last) = ((power(self.low) - 1e-6).ceil() as i32, (power(self.high) + 1e-6).floor() as i32);
        (first..=last).map(|exponent| 10_f64.powi(exponent)).collect()
    }
}

/// The middle of a bin on a logarithmic axis.
pub(super) fn middle(bin: Bin) -> f64 {
    let (low, high) = edges(bin);
    f64::midpoint(low, high)
}

/// The edges of a bin on a logarithmic axis; a bin from 0 is drawn as one octave.
fn edges((from, to): Bin) -> (f64, f64) {
    let high = f64::from(to.max(1)).log2();
    if from == 0 { (high - 1.0, high) } else { (f64::from(from).log2(), high) }
}

/// A value without an interval, for lines of computed numbers.
pub(super) fn exact(value: f64) -> Estimate {
    Estimate { point: value, low: value, high: value, confidence: 0.0, n: 1 }
}

/// Short for a tick: `256`, `2k`.
pub(super) fn tick(tokens: u32) -> String {
    if tokens >= 1024 && tokens.is_multiple_of(1024) { format!("{}k", tokens / 1024) } else { tokens.to_string() }
}

/// A logarithmic axis over bins, labelled at their edges, with the trained length pointed out.
pub(super) fn axis_of(bins: &[Bin], title: &str, trained: u32) -> Axis {
    let mut places: Vec<(f64, String)> = bins
        .iter()
        .flat_map(|&bin| {
            let (low, high) = edges(bin);
            [(low, tick(bin.0)), (high, tick(bin.1))]
        })
        .collect();
    places.sort_by(|a, b| a.0.total_cmp(&b.0));
    places.dedup_by(|a, b| (a.0 - b.0).abs() < 1e-9);
    let ends = (places.first().map_or(0.0, |p| p.0), places.last().map_or(1.0, |p| p.0));
    let at = f64::from(trained.max(1)).log2();
    let mark = (at > ends.0 && at < ends.1).then(|| (at, "trained length".to_owned()));
    Axis { title: title.to_owned(), ends, ticks: places, mark }
}

/// The most documents that any point rests on.
pub(super) fn documents(panels: &[Panel]) -> usize {
    panels.iter().flat_map(|panel| &panel.lines).flat_map(|line| &line.points).map(|p| p.1.n).max().unwrap_or(0)
}

/// One panel for each method that scales, each with the unscaled model and the reference; and all bins that occur.
pub(super) fn by_method(run: &Run<'_>, of: &Of, unit: &str) -> (Vec<Panel>, Vec<Bin>) {
    let factors = factors(run);
    let curves: Vec<_> = run.cells.iter().map(|(cell, outcome)| (cell, curve(outcome, of))).collect();
    let mut bins: Vec<Bin> = curves.iter().flat_map(|(_, curve)| curve.iter().map(|point| point.0)).collect();
    bins.sort_unstable();
    bins.dedup();
    let mut names = methods(run);
    if names.is_empty() {
        names.push("unscaled".to_owned());
    }
    let mut panels = Vec::new();
    for name in names {
        let mut lines = Vec::new();
        for (cell, curve) in &curves {
            let pen = match role(run, cell) {
                _ if curve.is_empty() => continue,
                Role::Truncated => Pen::Reference,
                Role::Deployed if cell.row() == name || **cell == crate::measurement::Cell::unscaled() => Pen::Deployed,
                Role::Unscaled => Pen::Unscaled,
                Role::Other if cell.row() == name => {
                    Pen::Other(factors.iter().position(|f| *f == cell.factor).unwrap_or(0))
                }
                _ => continue,
            };
            lines.push(Line { label: end_label(pen, cell.factor.0), pen, points: points(curve) });
        }
        let own = lines.iter().any(|line| matches!(line.pen, Pen::Other(_) | Pen::Deployed));
        if own || names_nothing_else(&lines, &panels) {
            panels.push(Panel { title: name, unit: unit.to_owned(), lines, levels: Vec::new() });
        }
    }
    (panels, bins)
}

/// Whether lines without a method of their own deserve a panel: only where there is no other.
fn names_nothing_else(lines: &[Line], panels: &[Panel]) -> bool {
    !lines.is_empty() && panels.is_empty()
}

fn end_label(pen: Pen, factor: f64) -> String {
    match pen {
        Pen::Deployed if factor <= 1.0 => "unscaled, deployed".to_owned(),
        Pen::Deployed => format!("x{factor} deployed"),
        Pen::Reference => "reference".to_owned(),
        Pen::Unscaled => "unscaled".to_owned(),
        Pen::Other(_) => format!("x{factor}"),
    }
}

fn points(curve: &Curve) -> Vec<(f64, Estimate)> {
    curve.iter().map(|(bin, estimate)| (middle(*bin), *estimate)).collect()
}

/// Draws panels under one axis, three in a row, and below each other for a narrow screen. `scale` gives the vertical range
/// of each panel.
pub(super) fn draw(
    title: &str,
    alt: &str,
    panels: &[Panel],
    axis: &Axis,
    columns: Option<usize>,
    scale: impl Fn(&Panel) -> Scale,
) -> Result<Drawing, ReportError> {
    let columns = columns.unwrap_or(COLUMNS).min(panels.len()).max(1);
    let sized = |columns: usize, width: f64| {
        let height = PANEL * panels.len().div_ceil(columns) as f64;
        sheet((width * columns as f64, height), title, alt, |canvas| {
            for (i, panel) in panels.iter().enumerate() {
                let corner = (width * (i % columns) as f64, PANEL * (i / columns) as f64);
                Frame::of(panel, corner, width, axis, scale(panel)).draw(canvas, panel)?;
            }
            Ok(())
        })
    };
    Ok(Drawing { wide: sized(columns, WIDTH / columns as f64)?, narrow: Some(sized(1, NARROW)?) })
}

/// A panel's plot area on the canvas.
struct Frame<'a> {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    axis: &'a Axis,
    scale: Scale,
}

impl<'a> Frame<'a> {
    fn of(panel: &Panel, (x, y): (f64, f64), width: f64, axis: &'a Axis, scale: Scale) -> Self {
        let longest = panel.lines.iter().map(|line| line.label.chars().count()).max().unwrap_or(0) as f64;
        let right = x + width - (longest * LETTER + 24.0).min(width / 2.0);
        Self { left: x + LEFT, right, top: y + TOP, bottom: y + PANEL - BOTTOM, axis, scale }
    }

    fn x(&self, at: f64) -> f64 {
        let (low, high) = self.axis.ends;
        self.left + (at - low) / (high - low).max(1e-9) * (self.right - self.left)
    }

    /// The height of a value; what lies outside the range is held at its edge.
    fn y(&self, value: f64) -> f64 {
        self.bottom - self.scale.share(value) * (self.bottom - self.top)
    }

    fn draw(&self, canvas: &Canvas<'_>, panel: &Panel) -> Result<(), ReportError> {
        canvas.text((self.left - LEFT + 8.0, self.top - 40.0), &panel.title, Type::title())?;
        canvas.text((self.left - LEFT + 8.0, self.top - 20.0), &panel.unit, Type::small(Anchor::Start))?;
        self.axes(canvas)?;
        for (level, words) in &panel.levels {
            let y = self.y(*level);
            canvas.line(&[(self.left, y), (self.right, y)], QUIET, 1.0)?;
            if !words.is_empty() {
                canvas.text((self.left + 4.0, y - 7.0), words, Type::small(Anchor::Start))?;
            }
        }
        for line in &panel.lines {
            self.band(canvas, line)?;
        }
        for line in &panel.lines {
            self.line(canvas, line)?;
        }
        self.labels(canvas, &panel.lines)
    }

    fn axes(&self, canvas: &Canvas<'_>) -> Result<(), ReportError> {
        for value in self.scale.ticks() {
            let y = self.y(value);
            canvas.line(&[(self.left, y), (self.right, y)], FAINT, 1.0)?;
            canvas.text((self.left - 6.0, y), &(self.scale.number)(value), Type::small(Anchor::End))?;
        }
        canvas.line(&[(self.left, self.bottom), (self.right, self.bottom)], QUIET, 1.0)?;
        let mut free = f64::MIN;
        for (at, label) in &self.axis.ticks {
            let (x, half) = (self.x(*at), label.chars().count() as f64 * LETTER / 2.0);
            canvas.line(&[(x, self.bottom), (x, self.bottom + 4.0)], QUIET, 1.0)?;
            if x - half >= free {
                canvas.text((x, self.bottom + 13.0), label, Type::small(Anchor::Middle))?;
                free = x + half + 4.0;
            }
        }
        let middle = f64::midpoint(self.left, self.right);
        canvas.text((middle, self.bottom + 31.0), &self.axis.title, Type::small(Anchor::Middle))?;
        if let Some((at, words)) = &self.axis.mark {
            let x = self.x(*at);
            canvas.dashes(&[(x, self.bottom), (x, self.top - 4.0)], QUIET, 0.5)?;
            canvas.text((x, self.top - 10.0), words, Type::small(Anchor::Middle))?;
        }
        Ok(())
    }

    fn band(&self, canvas: &Canvas<'_>, line: &Line) -> Result<(), ReportError> {
        let inside = line.points.iter().filter(|(_, e)| e.n > 1);
        let upper = inside.clone().map(|(at, e)| (self.x(*at), self.y(e.high)));
        let lower = inside.rev().map(|(at, e)| (self.x(*at), self.y(e.low)));
        let outline: Vec<_> = upper.chain(lower).collect();
        if outline.len() < 4 { Ok(()) } else { canvas.area(&outline, line.pen.color(), 0.16) }
    }

    fn line(&self, canvas: &Canvas<'_>, line: &Line) -> Result<(), ReportError> {
        let path: Vec<_> = line.points.iter().map(|(at, e)| (self.x(*at), self.y(e.point))).collect();
        let color = line.pen.color();
        match line.pen {
            Pen::Deployed => canvas.line(&path, color, 3.5)?,
            Pen::Reference => canvas.dashes(&path, color, 1.5)?,
            Pen::Unscaled | Pen::Other(_) => canvas.line(&path, color, 1.5)?,
        }
        for (place, (_, e)) in path.iter().zip(&line.points) {
            if e.point > self.scale.high {
                let (x, y) = *place;
                canvas.area(&[(x, y - 9.0), (x - 5.0, y), (x + 5.0, y)], color, 1.0)?;
                canvas.text((x - 7.0, y + 11.0), &(self.scale.number)(e.point), Type::small(Anchor::End))?;
            } else if line.pen != Pen::Reference {
                canvas.circle(*place, if line.pen == Pen::Deployed { 4.0 } else { 2.5 }, color)?;
            }
        }
        Ok(())
    }

    /// Writes each line's label beside its end, moved apart where they would touch.
    fn labels(&self, canvas: &Canvas<'_>, lines: &[Line]) -> Result<(), ReportError> {
        let mut ends: Vec<_> = lines
            .iter()
            .filter_map(|line| line.points.last().map(|(at, e)| (line, self.x(*at), self.y(e.point))))
            .collect();
        ends.sort_by(|a, b| a.2.total_cmp(&b.2));
        let wanted: Vec<f64> = ends.iter().map(|end| end.2).collect();
        for ((line, x, y), place) in ends.iter().zip(apart(&wanted, self.top, self.bottom)) {
            canvas.line(
                &[(x + 4.0, *y), (self.right + 6.0, place), (self.right + 10.0, place)],
                line.pen.color(),
                0.5,
            )?;
            let bold = line.pen == Pen::Deployed;
            let color = if bold { DEEP } else { INK };
            let look = Type { size: 11.5, bold, color, anchor: Anchor::Start };
            canvas.text((self.right + 13.0, place), &line.label, look)?;
        }
        Ok(())
    }
}

/// Moves ascending places so that neighbours are [`LABEL_GAP`] apart and, where there is room, inside the range.
fn apart(wanted: &[f64], top: f64, bottom: f64) -> Vec<f64> {
    let mut places = wanted.to_vec();
    let mut least = top;
    for place in &mut places {
        *place = place.max(least);
        least = *place + LABEL_GAP;
    }
    let mut most = bottom;
    for place in places.iter_mut().rev() {
        *place = place.min(most);
        most = *place - LABEL_GAP;
    }
    places
}

/// About six round values inside a range.
fn steps(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low).max(1e-9) / 6.0;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|s| *s >= rough).unwrap_or(rough);
    let (first, last) = ((low / step - 1e-6).ceil() as i64, (high / step + 1e-6).floor() as i64);
    (first..=last).map(|i| i as f64 * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_would_touch_move_apart_and_stay_inside() {
        assert_eq!(apart(&[10.0, 12.0, 100.0], 0.0, 105.0), [10.0, 24.0, 100.0]);
        let low = apart(&[99.0, 100.0, 101.0], 0.0, 105.0);
        assert!(low.windows(2).all(|w| w[1] - w[0] >= LABEL_GAP) && low[2] <= 105.0, "{low:?}");
    }

    #[test]
    fn steps_are_round_and_inside() {
        assert_eq!(steps(2.7, 4.6), [3.0, 3.5, 4.0, 4.5]);
        assert_eq!(steps(0.0, 1.0), [0.0, 0.2, 0.4, 0.6, 0.8, 1.0].map(|x: f64| (x * 5.0).round() * 0.2));
    }
}
