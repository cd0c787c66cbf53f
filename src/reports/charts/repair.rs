//! The repair as a waterfall: from the deployed cell's damage, by the Shapley share of each axis, to what is left.

use super::lines::WIDTH;
use super::{
    Anchor, BLUE, Canvas, DEEP, Drawing, FAINT, GREEN, INK, QUIET, RGBColor, ReportError, SKY, Type, VERMILION, sheet,
};
use crate::findings::{Cause, Question, Ruling};
use crate::measurement::spoken;
use crate::reports::story::{capitalised, worst};
use crate::reports::{Figure, Run, numbers, tables::label};

const PANEL: f64 = 280.0;
const NARROW: f64 = 340.0;
const TOP: f64 = 52.0;
const BOTTOM: f64 = 44.0;
const SIDE: f64 = 14.0;

/// What one question's repair is made of, all in the question's unit as damage: positive is worse.
struct Fall {
    question: Question,
    unit: String,
    /// The deployed cell's damage.
    deployed: f64,
    /// What each axis takes away, in the order of its size.
    steps: Vec<(String, f64)>,
    /// The repaired cell and the damage that it leaves.
    repaired: (String, f64),
}

/// The figure; nothing where no damage is repaired.
pub(super) fn figure(run: &Run<'_>) -> Result<Option<Figure>, ReportError> {
    let falls: Vec<Fall> = worst(run).filter_map(|cause| fall(run, cause)).collect();
    if falls.is_empty() {
        return Ok(None);
    }
    let title = "How the repair divides";
    let said: Vec<String> = falls.iter().map(words).collect();
    let caption = format!(
        "From the left: the damage of the deployed cell, what each axis takes away when it is switched (its Shapley \
         share \
         of the gap), and what the repaired cell leaves. {}",
        said.join(" ")
    );
    let alt = format!("Waterfall of the repair for each damaged question. {}", said.join(" "));
    let sized = |columns: usize, width: f64| {
        let rows = falls.len().div_ceil(columns) as f64;
        sheet((width * columns as f64, PANEL * rows), title, &alt, |canvas| {
            for (i, fall) in falls.iter().enumerate() {
                draw(canvas, fall, (width * (i % columns) as f64, PANEL * (i / columns) as f64), width)?;
            }
            Ok(())
        })
    };
    let columns = falls.len().clamp(1, 3);
    let drawing = Drawing { wide: sized(columns, WIDTH / columns as f64)?, narrow: Some(sized(1, NARROW)?) };
    Ok(Some(Figure::drawn("repair", title, caption, alt, drawing)))
}

fn fall(run: &Run<'_>, cause: &Cause) -> Option<Fall> {
    let verdict = run.findings.verdict(cause.question).filter(|verdict| verdict.ruling == Ruling::Worse)?;
    let (repair, change) = (cause.repair.as_ref()?, verdict.change?);
    let grid = run.findings.grid.iter().find(|grid| grid.question == cause.question)?;
    let cell = grid.cells.iter().find(|cell| label(cell) == repair.cell)?;
    let sign = if cause.question == Question::Retrieval { -1.0 } else { 1.0 };
    let (deployed, left) = (sign * change.point, sign * cell.change.point);
    let axes = cause.shapley.iter().filter(|(axis, _)| *axis != "interaction");
    let mut steps: Vec<(String, f64)> = axes.map(|(axis, share)| (axis.clone(), share * (deployed - left))).collect();
    if steps.is_empty() {
        steps.push((cause.axis.name().to_owned(), deployed - left));
    }
    steps.retain(|(_, step)| step.abs() > 1e-9);
    steps.sort_by(|a, b| b.1.total_cmp(&a.1));
    Some(Fall {
        question: cause.question,
        unit: grid.unit.clone(),
        deployed,
        steps,
        repaired: (spoken(&repair.cell), left),
    })
}

fn amount(fall: &Fall, x: f64) -> String {
    let value = if fall.unit == "share" { numbers::change("share", x) } else { numbers::value(&fall.unit, x) };
    value.trim_start_matches('+').to_owned()
}

fn words(fall: &Fall) -> String {
    let steps: Vec<String> =
        fall.steps.iter().map(|(axis, step)| format!("the {axis} {}", amount(fall, *step))).collect();
    let unit = numbers::suffix(&fall.unit);
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    format!(
        "{}: of {}{unit}, switching {} takes away; {} leaves {}.",
        capitalised(fall.question.words()),
        amount(fall, fall.deployed),
        steps.join(", and "),
        fall.repaired.0,
        amount(fall, fall.repaired.1),
    )
}

fn draw(canvas: &Canvas<'_>, fall: &Fall, (x, y): (f64, f64), width: f64) -> Result<(), ReportError> {
    let mut bars = vec![("deployed".to_owned(), 0.0, fall.deployed, VERMILION)];
    let mut level = fall.deployed;
    for (i, (axis, step)) in fall.steps.iter().enumerate() {
        bars.push((format!("\u{2212} {axis}"), level - step, level, [BLUE, SKY, GREEN][i % 3]));
        level -= step;
    }
    bars.push((fall.repaired.0.clone(), 0.0, fall.repaired.1, RGBColor(0x8a, 0x8a, 0x8a)));
    let low = bars.iter().map(|bar| bar.1.min(bar.2)).fold(0.0, f64::min);
    let high = bars.iter().map(|bar| bar.1.max(bar.2)).fold(1e-9, f64::max);
    let (top, bottom) = (y + TOP + 14.0, y + PANEL - BOTTOM);
    let place = |value: f64| bottom - (value - low) / (high - low) * (bottom - top);
    canvas.text((x + SIDE, y + 16.0), &capitalised(fall.question.words()), Type::title())?;
    let unit = numbers::suffix(&fall.unit);
    let unit = if unit.is_empty() { "points".to_owned() } else { unit.to_owned() };
    canvas.text((x + SIDE, y + 36.0), &format!("damage against the reference, {unit}"), Type::small(Anchor::Start))?;
    let step = (width - 2.0 * SIDE) / bars.len() as f64;
    canvas.line(&[(x + SIDE, place(0.0)), (x + width - SIDE, place(0.0))], QUIET, 1.0)?;
    for (i, (name, from, to, color)) in bars.iter().enumerate() {
        let left = x + SIDE + step * i as f64 + step * 0.12;
        let (upper, lower) = (place(from.max(*to)), place(from.min(*to)));
        canvas.rectangle((left, upper), (step * 0.76, (lower - upper).max(1.5)), *color)?;
        if i + 1 < bars.len() {
            let joint = if i == 0 { place(*to) } else { place(*from) };
            canvas.line(&[(left + step * 0.76, joint), (left + step, joint)], FAINT, 1.0)?;
        }
        let middle = left + step * 0.38;
        let bold = Type { size: 12.0, bold: true, color: if i == 0 { DEEP } else { INK }, anchor: Anchor::Middle };
        let number = if i == 0 || i + 1 == bars.len() { *to } else { to - from };
        canvas.text((middle, upper - 9.0), &amount(fall, number).replace(" points", ""), bold)?;
        canvas.text((middle, bottom + 14.0), name, Type { size: 11.5, ..Type::plain(Anchor::Middle) })?;
    }
    Ok(())
}
