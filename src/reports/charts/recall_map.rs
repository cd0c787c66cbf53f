//! Recall by distance and by depth as one heat map: the cells that matter, one a row.

use super::lines::{WIDTH, tick};
use super::{Anchor, BLUE, Canvas, Drawing, Figure, ON_FILL, RGBColor, ReportError, Run, Type, WHITE, sheet};
use crate::measurement::{Arm, Place, Quantity, spoken};
use crate::reports::figures::{Bin, Curve, Of, Role, curve, distances, role};
use crate::reports::numbers;

const ROW: f64 = 44.0;
const TOP: f64 = 64.0;
const FOOT: f64 = 20.0;
const NAMES: f64 = 190.0;
const GAP: f64 = 26.0;

const BY_DISTANCE: Of = Of { probe: "retrieval", quantity: Quantity::Recall, bin: distances };
const BY_DEPTH: Of = Of { probe: "retrieval_by_depth", quantity: Quantity::Recall, bin: depths };

/// The depth in whole per cent, as a bin.
fn depths(at: &Place) -> Option<Bin> {
    at.depth.map(|depth| ((depth * 100.0).round() as u32, 0))
}

/// A cell's recall, by distance and by depth.
struct Row {
    name: String,
    by_distance: Curve,
    by_depth: Curve,
}

/// The figure; nothing where facts were not asked for by depth.
pub(super) fn figure(run: &Run<'_>) -> Result<Option<Figure>, ReportError> {
    let rows = rows(run);
    let all = |of: fn(&Row) -> &Curve| {
        let mut bins: Vec<Bin> = rows.iter().flat_map(|row| of(row).iter().map(|point| point.0)).collect();
        bins.sort_unstable();
        bins.dedup();
        bins
    };
    let (far, deep) = (all(|row| &row.by_distance), all(|row| &row.by_depth));
    if rows.is_empty() || deep.is_empty() || far.is_empty() {
        return Ok(None);
    }
    let title = "Recall by distance and depth";
    let n = rows.iter().flat_map(|row| &row.by_distance).map(|point| point.1.n).max().unwrap_or(0);
    let said: Vec<String> = rows.iter().filter_map(worst).collect();
    let caption = format!(
        "Share of facts recalled, mean over {}; the darker the more. Left by the distance from question to fact, \
         right by \
         where in the document the fact stands. {}",
        numbers::counted(n, "document"),
        said.join(" ")
    );
    let alt = format!("Heat map of recall. {}", said.join(" "));
    let height = TOP + ROW * rows.len() as f64 + FOOT;
    let svg = sheet((WIDTH, height), title, &alt, |canvas| {
        let width = (WIDTH - NAMES - GAP - 8.0) / (far.len() + deep.len()) as f64;
        let right = NAMES + width * far.len() as f64 + GAP;
        canvas.text((NAMES, 14.0), "distance from question to fact, tokens", Type::small(Anchor::Start))?;
        canvas.text((right, 14.0), "depth of the fact in the document", Type::small(Anchor::Start))?;
        for (i, bin) in far.iter().enumerate() {
            let x = NAMES + width * (i as f64 + 0.5);
            let words = format!("{}\u{2013}{}", tick(bin.0), tick(bin.1));
            canvas.text((x, TOP - 14.0), &words, Type { size: 10.5, ..Type::plain(Anchor::Middle) })?;
        }
        for (i, (percent, _)) in deep.iter().enumerate() {
            let x = right + width * (i as f64 + 0.5);
            canvas.text((x, TOP - 14.0), &format!("{percent}%"), Type { size: 10.5, ..Type::plain(Anchor::Middle) })?;
        }
        for (i, row) in rows.iter().enumerate() {
            let y = TOP + ROW * i as f64;
            canvas.text((NAMES - 10.0, y + ROW / 2.0), &row.name, Type { bold: i == 0, ..Type::plain(Anchor::End) })?;
            squares(canvas, &row.by_distance, &far, (NAMES, y), width)?;
            squares(canvas, &row.by_depth, &deep, (right, y), width)?;
        }
        Ok(())
    })?;
    Ok(Some(Figure::drawn("recall_map", title, caption, alt, Drawing { wide: svg, narrow: None })))
}

/// The deployed cell, the recommended one, the unscaled model and the truncated reference.
fn rows(run: &Run<'_>) -> Vec<Row> {
    let recommended = run.findings.recommendation.as_ref().map(crate::findings::Recommendation::label);
    let named = |cell: &crate::measurement::Cell| match role(run, cell) {
        Role::Deployed => Some((0, format!("{} (deployed)", spoken(&cell.label())))),
        Role::Other if Some(cell.label()) == recommended => Some((1, spoken(&cell.label()))),
        Role::Unscaled => Some((2, "unscaled".to_owned())),
        Role::Truncated if cell.arm == Arm::Truncated => Some((3, "truncated (reference)".to_owned())),
        _ => None,
    };
    let mut rows: Vec<(u8, Row)> = run
        .cells
        .iter()
        .filter_map(|(cell, outcome)| {
            let (order, name) = named(cell)?;
            let row = Row { name, by_distance: curve(outcome, &BY_DISTANCE), by_depth: curve(outcome, &BY_DEPTH) };
            (!row.by_distance.is_empty()).then_some((order, row))
        })
        .collect();
    rows.sort_by_key(|row| row.0);
    rows.into_iter().map(|row| row.1).collect()
}

/// Where a cell recalls least.
fn worst(row: &Row) -> Option<String> {
    let (bin, least) = row.by_distance.iter().min_by(|a, b| a.1.point.total_cmp(&b.1.point))?;
    let share = numbers::percent(least.point);
    Some(format!("{}: least {share} at {} to {} tokens.", row.name, tick(bin.0), tick(bin.1)))
}

fn squares(
    canvas: &Canvas<'_>,
    curve: &Curve,
    bins: &[Bin],
    (x, y): (f64, f64),
    width: f64,
) -> Result<(), ReportError> {
    for (i, bin) in bins.iter().enumerate() {
        let corner = (x + width * i as f64 + 1.0, y + 1.0);
        let Some((_, e)) = curve.iter().find(|point| point.0 == *bin) else { continue };
        canvas.rectangle(corner, (width - 2.0, ROW - 2.0), shade(e.point))?;
        let color = if e.point > 0.6 { WHITE } else { ON_FILL };
        let look = Type { size: 12.0, bold: false, color, anchor: Anchor::Middle };
        canvas.text((corner.0 + width / 2.0 - 1.0, y + ROW / 2.0), &numbers::percent(e.point), look)?;
    }
    Ok(())
}

/// From a light grey (0) to blue (1).
fn shade(share: f64) -> RGBColor {
    let RGBColor(r, g, b) = BLUE;
    let mix = |full: u8| (240.0 + (f64::from(full) - 240.0) * share.clamp(0.0, 1.0)).round() as u8;
    RGBColor(mix(r), mix(g), mix(b))
}
