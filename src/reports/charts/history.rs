//! One number over the nights, with its intervals and the changes of its level.

use super::{Anchor, BLUE, FAINT, QUIET, ReportError, Type, VERMILION, sheet};
use crate::reports::nightly::{Series, moment};
use crate::reports::numbers;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 90.0;
const RIGHT: f64 = 40.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 34.0;

/// Draws a series as SVG: a line of nightly values, a band of their intervals, a mark at each change of level.
///
/// # Errors
/// [`ReportError::Chart`] when the drawing fails.
pub(crate) fn history_chart(series: &Series<'_>) -> Result<String, ReportError> {
    let entries = &series.entries;
    let unit = entries.first().map_or("", |entry| entry.unit.as_str());
    let (low, high) = ends(series);
    let last = entries.len().saturating_sub(1).max(1) as f64;
    let x = |place: usize| LEFT + (WIDTH - LEFT - RIGHT) * place as f64 / last;
    let y = |value: f64| HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * ((value - low) / (high - low)).clamp(0.0, 1.0);
    let title =
        format!("{}, {}", series.name(), if unit == "ratio" { "time over that of the unscaled model" } else { unit });
    let alt = entries.last().map_or_else(String::new, |entry| {
        let nights = numbers::counted(entries.len(), "night");
        format!("{}: {nights}, last {}.", series.name(), numbers::estimate(unit, &entry.value, numbers::value))
    });
    sheet((WIDTH, HEIGHT), &title, &alt, |canvas| {
        canvas.text((12.0, 18.0), &title, Type::title())?;
        for share in [0.0, 0.5, 1.0] {
            let value = low + share * (high - low);
            canvas.line(&[(LEFT, y(value)), (WIDTH - RIGHT, y(value))], FAINT, 1.0)?;
            canvas.text((LEFT - 8.0, y(value)), &numbers::value(unit, value), Type::small(Anchor::End))?;
        }
        let place = |end: fn(&crate::stats::Estimate) -> f64| {
            entries.iter().enumerate().map(move |(place, entry)| (x(place), y(end(&entry.value))))
        };
        if entries.len() > 1 {
            let mut band: Vec<(f64, f64)> = place(|value| value.high).collect();
            band.extend(place(|value| value.low).collect::<Vec<_>>().into_iter().rev());
            canvas.area(&band, BLUE, 0.16)?;
            canvas.line(&place(|value| value.point).collect::<Vec<_>>(), BLUE, 2.0)?;
        }
        for point in place(|value| value.point) {
            canvas.circle(point, 2.5, BLUE)?;
        }
        for change in &series.changes {
            let at = x(change.index);
            canvas.dashes(&[(at, TOP), (at, HEIGHT - BOTTOM)], VERMILION, 1.5)?;
            let words = format!("{} to {}", numbers::value(unit, change.before), numbers::value(unit, change.after));
            canvas.text((at, TOP - 8.0), &words, Type { color: VERMILION, ..Type::small(Anchor::Middle) })?;
        }
        for (place, anchor) in [(0, Anchor::Start), (entries.len().saturating_sub(1), Anchor::End)] {
            if let Some(entry) = entries.get(place).filter(|_| place > 0 || matches!(anchor, Anchor::Start)) {
                let look = Type { color: QUIET, ..Type::small(anchor) };
                canvas.text((x(place), HEIGHT - 14.0), &moment(&entry.night), look)?;
            }
        }
        Ok(())
    })
}

/// The ends of the vertical axis: all intervals, and a little room.
fn ends(series: &Series<'_>) -> (f64, f64) {
    let finite = |value: f64| value.is_finite().then_some(value);
    let low = series.entries.iter().filter_map(|entry| finite(entry.value.low)).fold(f64::INFINITY, f64::min);
    let high = series.entries.iter().filter_map(|entry| finite(entry.value.high)).fold(f64::NEG_INFINITY, f64::max);
    let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
    // A value that repeats bit for bit still needs a scale.
    let room = (0.08 * (high - low)).max(1e-3 * high.abs()).max(1e-6);
    (low - room, high + room)
}
