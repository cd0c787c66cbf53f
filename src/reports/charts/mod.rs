//! Charts as SVG, by plotters; the only place that knows it.
//!
//! The canvas draws in half pixels, because plotters rounds to whole ones, and no font is needed to draw: the reader's
//! browser brings a sans-serif one. Colours are those of Okabe and Ito (jfly.uni-koeln.de/color), which stay apart under
//! every common colour blindness; shape, width and words repeat what a colour says.

mod attention_mass;
mod confusion;
mod explain;
mod grid;
mod latency;
mod lines;
mod loss_by_position;
mod periods;
mod recall;
pub(super) mod spectrum;
mod recall_map;
mod repair;
mod training_curve;

use plotters::coord::Shift;
use plotters::element::{Circle, DashedPathElement, PathElement, Polygon, Rectangle, Text};
use plotters::prelude::{
    DrawingArea, FontDesc, FontFamily, FontStyle, IntoDrawingArea, SVGBackend, ShapeStyle, TextStyle,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, RGBColor};

pub(super) use confusion::confusion_chart;
pub use explain::mechanism_chart;
pub use training_curve::training_curve;

use super::figures::Figure;
use super::{Page, Report, ReportError, Run, Story};

/// Dots of the canvas in one pixel of the page.
const DOTS: f64 = 2.0;
/// plotters divides a font's size by this before it writes it.
const FONT_BOX: f64 = 1.24;

const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
const QUIET: RGBColor = RGBColor(0x5f, 0x5f, 0x5f);
const FAINT: RGBColor = RGBColor(0xe2, 0xe2, 0xe2);
const WHITE: RGBColor = RGBColor(0xff, 0xff, 0xff);
/// The sheet: white to the eye, and a colour that nothing else has, so that a dark page can replace it.
const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xfe);
/// Ink on filled squares, which keep their colours on a dark page.
const ON_FILL: RGBColor = RGBColor(0x21, 0x21, 0x21);
/// Vermilion that is dark enough for small letters.
const DEEP: RGBColor = RGBColor(0xa8, 0x43, 0x00);
const VERMILION: RGBColor = RGBColor(0xd5, 0x5e, 0x00);
const BLUE: RGBColor = RGBColor(0x00, 0x72, 0xb2);
const GREEN: RGBColor = RGBColor(0x00, 0x9e, 0x73);
const PURPLE: RGBColor = RGBColor(0xcc, 0x79, 0xa7);
const ORANGE: RGBColor = RGBColor(0xe6, 0x9f, 0x00);
const SKY: RGBColor = RGBColor(0x56, 0xb4, 0xe9);

/// The charts as files, for the Markdown page.
pub(super) struct Charts;

impl Report for Charts {
    fn name(&self) -> &'static str {
        "charts"
    }

    fn pages(&self, story: &Story<'_>) -> Result<Vec<Page>, ReportError> {
        Ok(story.document.figures.iter().map(|figure| Page::new(figure.path(), figure.svg.as_str())).collect())
    }
}

/// Every figure that the rows and findings allow, in the order of the argument.
pub(super) fn all(run: &Run<'_>) -> Result<Vec<Figure>, ReportError> {
    let mut figures = Vec::new();
    figures.extend(loss_by_position::figure(run)?);
    figures.extend(recall::figure(run)?);
    figures.extend(recall_map::figure(run)?);
    figures.extend(attention_mass::figure(run)?);
    figures.extend(repair::figure(run)?);
    figures.extend(periods::figure(run)?);
    figures.extend(grid::figures(run)?);
    figures.extend(latency::figure(run)?);
    Ok(figures)
}

/// Where a text touches its point.
#[derive(Clone, Copy)]
enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text looks.
#[derive(Clone, Copy)]
struct Type {
    size: f64,
    bold: bool,
    color: RGBColor,
    anchor: Anchor,
}

impl Type {
    const fn plain(anchor: Anchor) -> Self {
        Self { size: 12.0, bold: false, color: INK, anchor }
    }

    const fn small(anchor: Anchor) -> Self {
        Self { size: 11.0, bold: false, color: QUIET, anchor }
    }

    const fn title() -> Self {
        Self { size: 14.0, bold: true, color: INK, anchor: Anchor::Start }
    }
}

/// A white sheet measured in pixels of the page.
struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
}

fn dot(x: f64) -> i32 {
    (x * DOTS).round() as i32
}

fn dots(points: &[(f64, f64)]) -> Vec<(i32, i32)> {
    points.iter().map(|&(x, y)| (dot(x), dot(y))).collect()
}

fn failed(error: impl std::fmt::Display) -> ReportError {
    ReportError::Chart(error.to_string())
}

impl Canvas<'_> {
    fn line(&self, points: &[(f64, f64)], color: RGBColor, width: f64) -> Result<(), ReportError> {
        let style: ShapeStyle = color.stroke_width(dot(width).unsigned_abs());
        self.area.draw(&PathElement::new(dots(points), style)).map_err(failed)
    }

    fn dashes(&self, points: &[(f64, f64)], color: RGBColor, width: f64) -> Result<(), ReportError> {
        let style: ShapeStyle = color.stroke_width(dot(width).unsigned_abs());
        self.area.draw(&DashedPathElement::new(dots(points), 10, 7, style)).map_err(failed)
    }

    fn area(&self, points: &[(f64, f64)], color: RGBColor, opacity: f64) -> Result<(), ReportError> {
        self.area.draw(&Polygon::new(dots(points), color.mix(opacity).filled())).map_err(failed)
    }

    fn rectangle(&self, (x, y): (f64, f64), (w, h): (f64, f64), color: RGBColor) -> Result<(), ReportError> {
        let corners = [(dot(x), dot(y)), (dot(x + w), dot(y + h))];
        self.area.draw(&Rectangle::new(corners, color.filled())).map_err(failed)
    }

    /// The outline of a rectangle; its own mitred corner closes it.
    fn frame(
        &self,
        ((x, y), (w, h)): ((f64, f64), (f64, f64)),
        color: RGBColor,
        width: f64,
    ) -> Result<(), ReportError> {
        let start = (x, y - width / 2.0);
        self.line(&[start, (x, y + h), (x + w, y + h), (x + w, y), (x, y)], color, width)
    }

    fn circle(&self, (x, y): (f64, f64), radius: f64, color: RGBColor) -> Result<(), ReportError> {
        self.area.draw(&Circle::new((dot(x), dot(y)), dot(radius), color.filled())).map_err(failed)
    }

    /// Writes a text whose middle line runs through the point.
    fn text(&self, (x, y): (f64, f64), text: &str, look: Type) -> Result<(), ReportError> {
        let style = if look.bold { FontStyle::Bold } else { FontStyle::Normal };
        let font = FontDesc::new(FontFamily::SansSerif, look.size * DOTS * FONT_BOX, style);
        let h = match look.anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        let style = TextStyle::from(font).color(&look.color).pos(Pos::new(h, VPos::Center));
        self.area.draw(&Text::new(text.to_owned(), (dot(x), dot(y)), style)).map_err(failed)
    }
}

/// A picture in two forms: for a page and a file, and for a narrow screen where that one has another.
struct Drawing {
    wide: String,
    narrow: Option<String>,
}

impl Figure {
    fn drawn(name: &str, title: &str, caption: String, alt: String, drawing: Drawing) -> Self {
        let Drawing { wide: svg, narrow } = drawing;
        Self { name: name.to_owned(), title: title.to_owned(), caption, alt, svg, narrow }
    }
}

/// Draws on a sheet of this size and gives it a name and words for those who do not see it.
fn sheet(
    (width, height): (f64, f64),
    title: &str,
    alt: &str,
    paint: impl FnOnce(&Canvas<'_>) -> Result<(), ReportError>,
) -> Result<String, ReportError> {
    let size = (dot(width).unsigned_abs(), dot(height).unsigned_abs());
    let mut text = String::new();
    {
        let canvas = Canvas { area: SVGBackend::with_string(&mut text, size).into_drawing_area() };
        canvas.area.fill(&PAPER).map_err(failed)?;
        paint(&canvas)?;
        canvas.area.present().map_err(failed)?;
    }
    let (_, body) = text.split_once('>').ok_or_else(|| failed("the drawing is empty"))?;
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {} {}\" \
         role=\"img\" aria-label=\"{}\">\n<title>{}</title>{body}",
        size.0,
        size.1,
        super::html::escape(alt),
        super::html::escape(title),
    ))
}
