//! The curve of a training: loss of text and recall of facts over tokens seen.

use super::ReportError;
use super::lines::{Axis, Line, Panel, Pen, Scale, draw, exact};
use crate::recipe::CurvePoint;

/// Draws the curve as SVG; both panels show single batches, so the lines are as restless as the batches are small.
///
/// # Errors
/// [`ReportError::Chart`] when the drawing fails.
pub fn training_curve(curve: &[CurvePoint]) -> Result<String, ReportError> {
    let millions = |point: &CurvePoint| point.tokens.as_f64() / 1e6;
    let line = |label: &str, value: &dyn Fn(&CurvePoint) -> Option<f64>| Line {
        label: label.to_owned(),
        pen: Pen::Deployed,
        points: curve.iter().filter_map(|point| Some((millions(point), exact(value(point)?)))).collect(),
    };
    let panels = [
        Panel {
            title: "Loss of text".to_owned(),
            unit: "nats/token, one batch".to_owned(),
            lines: vec![line("text", &|point| Some(point.text_nll))],
            levels: Vec::new(),
        },
        Panel {
            title: "Asked facts".to_owned(),
            unit: "share of value tokens right, one batch".to_owned(),
            lines: vec![line("facts", &|point| point.answer_top1)],
            levels: Vec::new(),
        },
    ];
    let end = curve.iter().map(millions).fold(1.0, f64::max);
    let ticks = (0..=4).map(|i| (end * f64::from(i) / 4.0, format!("{:.0} M", end * f64::from(i) / 4.0))).collect();
    // Where the sequences reach their last length.
    let last = curve.last().map(|point| point.length);
    let mark =
        curve.iter().find(|point| Some(point.length) == last).map(|point| (millions(point), "last stage".to_owned()));
    let axis = Axis { title: "tokens seen".to_owned(), ends: (0.0, end), ticks, mark };
    let highest = curve.iter().map(|point| point.text_nll).fold(1.0, f64::max);
    let alt = curve.last().map_or_else(String::new, |point| {
        format!("Training curve. At the end the loss of text is {:.2} nats/token.", point.text_nll)
    });
    draw("Training", &alt, &panels, &axis, Some(2), |panel| {
        if panel.title.starts_with("Loss") {
            Scale { low: 1.0, high: highest, logarithmic: false, number: |x| format!("{x:.0}") }
        } else {
            Scale { low: 0.0, high: 1.0, logarithmic: false, number: |x| format!("{:.0}%", x * 100.0) }
        }
    })
    .map(|drawing| drawing.wide)
}
