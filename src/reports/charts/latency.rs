//! Prefill and decode time by context length, and their ratio to the unscaled model measured in the same blocks.

use std::collections::BTreeMap;

use super::lines::{Axis, Line, Panel, Pen, Scale, draw, tick};
use super::{Figure, ReportError, Run};
use crate::measurement::{Cell, Outcome, Quantity, spoken};
use crate::reports::figures::{Role, role, rows};
use crate::reports::numbers;
use crate::stats::Estimate;

/// Seconds by length and block.
type Timings = BTreeMap<u32, BTreeMap<u32, f64>>;

/// The figure; nothing where nothing was timed.
pub(super) fn figure(run: &Run<'_>) -> Result<Option<Figure>, ReportError> {
    let mut panels = Vec::new();
    let mut lengths: Vec<u32> = Vec::new();
    for (quantity, name, scale, unit) in [
        (Quantity::Prefill, "Prefill", 1.0, "seconds for the whole prompt"),
        (Quantity::Decode, "Decode", 1e3, "milliseconds per token"),
    ] {
        let timed = timed(run, quantity);
        lengths.extend(timed.iter().flat_map(|(_, _, timings)| timings.keys().copied()));
        let lines = timed.iter().map(|(label, pen, timings)| line(label, *pen, timings, scale)).collect();
        panels.push(Panel { title: name.to_owned(), unit: unit.to_owned(), lines, levels: Vec::new() });
        let unit = "ratio to the unscaled model, same blocks".to_owned();
        panels.push(Panel {
            title: format!("{name}, ratio"),
            unit,
            lines: ratios(run, quantity),
            levels: vec![(1.0, String::new())],
        });
    }
    panels.retain(|panel| !panel.lines.is_empty());
    lengths.sort_unstable();
    lengths.dedup();
    let (Some(first), Some(last)) = (lengths.first(), lengths.last()) else { return Ok(None) };
    let place = |length: u32| f64::from(length.max(1)).log2();
    let ticks = lengths.iter().map(|&length| (place(length), tick(length))).collect();
    let axis = Axis {
        title: "context length, tokens".to_owned(),
        ends: (place(*first) - 0.3, place(*last) + 0.3),
        ticks,
        mark: None,
    };
    let title = "Latency by length";
    let caption = format!(
        "Lines are medians over {}, bands run from the fastest to the slowest. In the ratios, 1 means no slower than \
         the unscaled model; the control times the unscaled model against itself, and what lies inside its band is \
         noise of the machine.{}",
        blocks(&panels),
        apart(&panels),
    );
    let alt = words(&panels);
    let drawing = draw(title, &alt, &panels, &axis, Some(2), scale)?;
    Ok(Some(Figure::drawn("latency_by_length", title, caption, alt, drawing)))
}

/// Ratios keep 1 in view, times start at 0.
fn scale(panel: &Panel) -> Scale {
    let ends = || panel.lines.iter().flat_map(|line| &line.points).map(|point| point.1);
    let top = ends().map(|e| e.high).fold(0.0, f64::max);
    if panel.levels.is_empty() {
        let number = if top < 1.0 { |x: f64| format!("{x:.2}") } else { |x: f64| format!("{x:.1}") };
        return Scale { low: 0.0, high: (top * 1.08).max(1e-9), logarithmic: false, number };
    }
    let reach = ends().map(|e| (e.high - 1.0).abs().max((e.low - 1.0).abs())).fold(0.1, f64::max) * 1.1;
    Scale { low: (1.0 - reach).max(0.0), high: 1.0 + reach, logarithmic: false, number: |x| format!("{x:.2}") }
}

/// Over how many blocks the lines are medians: one count where all agree, else also which lines have another.
fn blocks(panels: &[Panel]) -> String {
    let lines = || panels.iter().flat_map(|panel| &panel.lines);
    let count = |line: &Line| line.points.iter().map(|point| point.1.n).max().unwrap_or(0);
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for line in lines() {
        *counts.entry(count(line)).or_default() += 1;
    }
    // Of counts that are equally frequent the smaller one, so that no line seems to rest on more than it does.
    let most = counts.iter().rev().max_by_key(|(_, lines)| **lines).map_or(0, |(count, _)| *count);
    let mut others: Vec<String> =
        lines().filter(|line| count(line) != most).map(|line| format!("{} {}", line.label, count(line))).collect();
    others.sort_unstable();
    others.dedup();
    let said = numbers::counted(most, "interleaved block");
    if others.is_empty() { said } else { format!("{said} ({})", others.join(", ")) }
}

/// What to compare where cells were timed one after the other; nothing where only the deployed one was timed.
fn apart(panels: &[Panel]) -> &'static str {
    let several = panels.iter().flat_map(|panel| &panel.lines).any(|line| matches!(line.pen, Pen::Other(_)));
    if several {
        " Each cell is timed beside the unscaled model in blocks of its own, one cell after the other, and the machine \
         changes meanwhile: compare cells by their ratios. The unscaled model's own time is that of the deployed \
         cell's blocks."
    } else {
        ""
    }
}

/// Every cell's timings of a quantity; the unscaled model's in the blocks of the deployed cell.
fn timed(run: &Run<'_>, quantity: Quantity) -> Vec<(String, Pen, Timings)> {
    let deployed = run.cells.iter().find(|(cell, _)| role(run, cell) == Role::Deployed);
    let deployed = deployed.map_or_else(Timings::new, |(_, outcome)| timings(outcome, quantity, 0));
    let mut others = 0;
    let mut timed = Vec::new();
    for (cell, outcome) in run.cells {
        let timings = timings(outcome, quantity, 0);
        if timings.is_empty() {
            continue;
        }
        timed.push(match role(run, cell) {
            Role::Deployed => (format!("{} deployed", spoken(&cell.label())), Pen::Deployed, timings),
            Role::Unscaled => ("unscaled".to_owned(), Pen::Reference, beside(timings, &deployed)),
            Role::Truncated | Role::Other => {
                others += 1;
                (spoken(&cell.label()), Pen::Other(others - 1), timings)
            }
        });
    }
    timed
}

/// The unscaled model's timings in the blocks that it shares with the deployed cell, which is all of them where there is none.
///
/// It is timed beside every cell, and a median over all of these blocks would be set against cells of another hour.
fn beside(unscaled: Timings, deployed: &Timings) -> Timings {
    if deployed.is_empty() {
        return unscaled;
    }
    let own = |length: u32, block: u32| deployed.get(&length).is_some_and(|blocks| blocks.contains_key(&block));
    let shared = unscaled.into_iter().map(|(length, mut blocks)| {
        blocks.retain(|block, _| own(length, *block));
        (length, blocks)
    });
    shared.collect()
}

fn timings(outcome: &Outcome, quantity: Quantity, repeat: u32) -> Timings {
    let mut timings = Timings::new();
    for reading in rows(outcome).iter().map(|row| &row.reading) {
        if reading.quantity == quantity
            && reading.repeat == repeat
            && reading.value.is_finite()
            && let Some(length) = reading.at.length
        {
            timings.entry(length).or_default().insert(reading.document, reading.value);
        }
    }
    timings
}

/// Each cell over the unscaled one, paired by block; and the unscaled one over itself.
fn ratios(run: &Run<'_>, quantity: Quantity) -> Vec<Line> {
    let Some((_, unscaled)) = run.cells.iter().find(|(cell, _)| *cell == Cell::unscaled()) else {
        return Vec::new();
    };
    let healthy = timings(unscaled, quantity, 0);
    let control = ("control".to_owned(), Pen::Reference, timings(unscaled, quantity, 1));
    let cells = timed(run, quantity).into_iter().filter(|(label, _, _)| label != "unscaled");
    std::iter::once(control)
        .chain(cells)
        .map(|(label, pen, own)| line(&label, pen, &over(&own, &healthy), 1.0))
        .filter(|line| !line.points.is_empty())
        .collect()
}

fn over(own: &Timings, healthy: &Timings) -> Timings {
    let mut ratios = Timings::new();
    for (length, blocks) in own {
        for (block, seconds) in blocks {
            if let Some(base) = healthy.get(length).and_then(|blocks| blocks.get(block)).filter(|base| **base > 0.0) {
                ratios.entry(*length).or_default().insert(*block, seconds / base);
            }
        }
    }
    ratios
}

fn line(label: &str, pen: Pen, timings: &Timings, scale: f64) -> Line {
    let points = timings
        .iter()
        .filter_map(|(length, blocks)| {
            let mut values: Vec<f64> = blocks.values().map(|value| value * scale).collect();
            values.sort_by(f64::total_cmp);
            let (low, high) = (*values.first()?, *values.last()?);
            let middle = values.len() / 2;
            let upper = *values.get(middle)?;
            let lower = *values.get((values.len() - 1) / 2)?;
            let e = Estimate { point: f64::midpoint(lower, upper), low, high, confidence: 1.0, n: values.len() };
            Some((f64::from((*length).max(1)).log2(), e))
        })
        .collect();
    Line { label: label.to_owned(), pen, points }
}

fn words(panels: &[Panel]) -> String {
    let mut alt = "Prefill and decode time by context length. At the longest context:".to_owned();
    for panel in panels {
        for line in &panel.lines {
            if let Some((_, e)) = line.points.last() {
                let _ = std::fmt::Write::write_fmt(
                    &mut alt,
                    format_args!(" {} of {}: {:.3} ({}).", panel.title, line.label, e.point, panel.unit),
                );
            }
        }
    }
    alt
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timings(blocks: &[(u32, f64)]) -> Timings {
        Timings::from([(512, blocks.iter().copied().collect())])
    }

    fn panel(lines: Vec<Line>) -> Panel {
        Panel { title: String::new(), unit: String::new(), lines, levels: Vec::new() }
    }

    #[test]
    fn the_unscaled_model_is_drawn_from_the_blocks_of_the_deployed_cell() {
        let everywhere = timings(&[(0, 1.0), (1, 1.2), (10_000, 3.0)]);
        assert_eq!(beside(everywhere.clone(), &timings(&[(0, 0.9), (1, 1.1)])), timings(&[(0, 1.0), (1, 1.2)]));
        assert_eq!(beside(everywhere.clone(), &Timings::new()), everywhere);
    }

    #[test]
    fn the_caption_counts_the_blocks_of_each_line() {
        let few = timings(&[(0, 1.0), (1, 1.2)]);
        let many = timings(&[(0, 1.0), (1, 1.2), (10_000, 3.0)]);
        let deployed = || line("ntk x4 deployed", Pen::Deployed, &few, 1.0);
        let alone = [panel(vec![deployed(), line("unscaled", Pen::Reference, &few, 1.0)])];
        assert_eq!((blocks(&alone).as_str(), apart(&alone)), ("2 interleaved blocks", ""));
        let control = || line("control", Pen::Reference, &many, 1.0);
        let several = [panel(vec![deployed(), line("yarn x4", Pen::Other(0), &few, 1.0), control()])];
        assert_eq!(blocks(&several), "2 interleaved blocks (control 3)");
        assert!(apart(&several).contains("compare cells by their ratios"));
        // As many lines rest on fewer blocks as on more.
        assert_eq!(blocks(&[panel(vec![control(), deployed()])]), "2 interleaved blocks (control 3)");
    }
}
