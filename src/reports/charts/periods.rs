//! The periods of the rotating pairs against the trained and the target length: what is stretched, and how far.

use super::lines::{Axis, Line, Panel, Pen, Scale, draw, exact, tick};
use super::{Figure, ReportError, Run};
use crate::explain::{Facts, Pair, Setting, Turning, explain};
use crate::measurement::{Arm, Cell, Outcome, spoken};
use crate::reports::numbers;

/// A cell with its line and its pairs.
type Turned = (String, Pen, Turning);

/// The figure; nothing where the checkpoint's configuration is not known, or nothing rotates.
pub(super) fn figure(run: &Run<'_>) -> Result<Option<Figure>, ReportError> {
    let cells = turned(run);
    let Some((_, _, first)) = cells.first() else { return Ok(None) };
    let pairs = first.pairs.len();
    let panels = panels(run, &cells, first);
    let ticks = (0..pairs).step_by((pairs / 8).max(1)).map(|pair| (pair as f64, pair.to_string())).collect();
    let title = "pair of dimensions, fastest first".to_owned();
    let axis = Axis { title, ends: (0.0, pairs as f64 - 1.0), ticks, mark: None };
    let said: Vec<String> = cells.iter().map(|(label, _, turning)| words(label, turning)).collect();
    let title = "Periods against the trained and the target length";
    let caption = format!(
        "A pair whose grey period lies above the trained length never completed a turn in training: its later angles \
         are \
         unknown to the weights ({} of {pairs} pairs here). At {} tokens {} of them would reach such angles \
         unscaled. {}",
        first.never_trained,
        run.target,
        first.leaves_unscaled.len(),
        said.join(" ")
    );
    let alt = format!("Period and stretch of each rotating pair. {}", said.join(" "));
    let drawing = draw(title, &alt, &panels, &axis, Some(2), scale)?;
    Ok(Some(Figure::drawn("periods", title, caption, alt, drawing)))
}

/// The deployed and the recommended cell, where they rotate, and differently.
fn turned(run: &Run<'_>) -> Vec<Turned> {
    let mut cells: Vec<Turned> = Vec::new();
    let deployed = find(run, &run.findings.deployed);
    let recommended = run.findings.recommendation.as_ref().and_then(|advice| find(run, &advice.label()));
    for (cell, pen) in [(deployed, Pen::Deployed), (recommended, Pen::Other(0))] {
        if let Some(cell) = cell
            && let Some(turning) = turning(run, cell)
            && cells.iter().all(|(_, _, other)| other.pairs != turning.pairs)
        {
            cells.push((spoken(&cell.label()), pen, turning));
        }
    }
    cells
}

/// Periods against the two lengths, and stretches.
fn panels(run: &Run<'_>, cells: &[Turned], first: &Turning) -> [Panel; 2] {
    let points = |pairs: &[Pair], of: fn(&Pair) -> Option<f64>| -> Vec<_> {
        pairs.iter().filter_map(|pair| Some((pair.index as f64, exact(of(pair)?)))).collect()
    };
    let line = |label: &str, pen, points| Line { label: label.to_owned(), pen, points };
    let mut periods = vec![line("as trained", Pen::Unscaled, points(&first.pairs, |pair| pair.period_trained))];
    let mut stretches = Vec::new();
    for (label, pen, turning) in cells {
        periods.push(line(label, *pen, points(&turning.pairs, |pair| pair.period)));
        stretches.push(line(label, *pen, points(&turning.pairs, |pair| pair.stretch)));
    }
    let levels = [("trained", run.trained), ("target", run.target)];
    [
        Panel {
            title: "Period of each pair".to_owned(),
            unit: "tokens of a full turn".to_owned(),
            lines: periods,
            levels: levels.map(|(name, length)| (length.as_f64(), format!("{name} length {length}"))).to_vec(),
        },
        Panel {
            title: "Stretch of each pair".to_owned(),
            unit: "its period over the trained one".to_owned(),
            lines: stretches,
            levels: vec![(1.0, String::new())],
        },
    ]
}

fn scale(panel: &Panel) -> Scale {
    let points = panel.lines.iter().flat_map(|line| &line.points);
    let top = points.map(|point| point.1.point).fold(1.0, f64::max);
    if panel.title.starts_with("Period") {
        return Scale { low: 5.0, high: top * 1.3, logarithmic: true, number: |x| tick(x as u32) };
    }
    let number = |x: f64| format!("{}", (x * 10.0).round() / 10.0);
    Scale { low: 0.0, high: top * 1.1, logarithmic: false, number }
}

fn find<'a>(run: &'a Run<'_>, label: &str) -> Option<&'a Cell> {
    let measured = run.cells.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Measured(_)));
    measured.map(|(cell, _)| cell).find(|cell| cell.arm == Arm::Grid && cell.label() == label)
}

fn turning(run: &Run<'_>, cell: &Cell) -> Option<Turning> {
    let config = run.provenance.config()?;
    let setting =
        Setting::of_heads(&config.heads, config.architecture.layers, (cell.method.clone(), cell.factor), run.target)?;
    match explain(&setting).ok()?.mechanism {
        Facts::Rotate(turning) => Some(turning),
        Facts::Group(grouped) => Some(grouped.turning),
        _ => None,
    }
}

fn words(label: &str, turning: &Turning) -> String {
    let stretches = || turning.pairs.iter().filter_map(|pair| pair.stretch);
    let (least, most) = (stretches().fold(f64::MAX, f64::min), stretches().fold(0.0, f64::max));
    format!(
        "{label} stretches the fastest pair {} and the slowest {}; {} still reach unseen angles.",
        numbers::value("ratio", least),
        numbers::value("ratio", most),
        numbers::counted(turning.leaves.len(), "pair"),
    )
}
