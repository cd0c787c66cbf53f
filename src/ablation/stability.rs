//! Where each cell breaks beyond the trained length: its own loss and recall, inside against beyond.
//!
//! The verdicts ask whether the deployed cell is worse than a reference. This asks of every cell, whatever weights it runs
//! on, whether it holds its own level: what a comparison of positional schemes is about.

use std::collections::BTreeMap;

use crate::findings::{Beyond, Question, Ruling, Stability};
use crate::measurement::{Arm, Cell, Outcome};
use crate::scenario::Training;
use crate::stats::mean_estimate;

use super::Evidence;
use super::board::ruling;
use super::rows::{Bin, profile};
use super::words::{amount, number};
use crate::measurement::spoken;

/// More cells than these are counted, not named: the report's table has them all.
const MOST_NAMED: usize = 4;

type Profile = BTreeMap<Bin, BTreeMap<u32, f64>>;

/// One row for each measured cell of the grid that has a loss by position.
pub(super) fn stability(evidence: &Evidence) -> Vec<Stability> {
    let truncated = rows_of(evidence, &Cell::truncated()).map(|rows| profile(Question::LongRange, rows));
    evidence
        .cells
        .iter()
        .filter(|(cell, _)| cell.arm == Arm::Grid)
        .filter_map(|(cell, _)| of_cell(evidence, cell, truncated.as_ref()))
        .collect()
}

fn rows_of<'a>(evidence: &Evidence<'a>, cell: &Cell) -> Option<&'a [crate::measurement::Measurement]> {
    match evidence.outcome(cell)? {
        Outcome::Measured(rows) => Some(rows),
        Outcome::Failed { .. } => None,
    }
}

fn of_cell(evidence: &Evidence, cell: &Cell, truncated: Option<&Profile>) -> Option<Stability> {
    let rows = rows_of(evidence, cell)?;
    let trained = u32::try_from(evidence.scenario.trained.0).unwrap_or(u32::MAX);
    let loss = profile(Question::LongRange, rows);
    let (last, level) = loss.iter().rfind(|((_, to), _)| *to <= trained)?;
    let text = |bin: &Bin| truncated.and_then(|truncated| truncated.get(bin));
    let beyond: Vec<Beyond> = loss
        .iter()
        .filter(|((from, _), _)| *from >= trained)
        .filter_map(|(bin, values)| {
            // Paired by document; where the truncated reference read the same text, how hard that text is cancels out.
            let rises: Vec<f64> = values
                .iter()
                .filter_map(|(document, value)| {
                    let rise = value - level.get(document)?;
                    let harder = match (text(bin), text(last)) {
                        (Some(there), Some(here)) => there.get(document)? - here.get(document)?,
                        _ => 0.0,
                    };
                    Some(rise - harder)
                })
                .collect();
            let rise = mean_estimate(&rises)?;
            let ruling = ruling(&rise, evidence.scenario.tolerance.long_range);
            Some(Beyond { from: bin.0 as usize, to: bin.1 as usize, rise, ruling })
        })
        .collect();
    let recall = profile(Question::Retrieval, rows);
    let recalled = |keep: &dyn Fn(Bin) -> bool| {
        let mut by_document: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
        for (_, values) in recall.iter().filter(|(bin, _)| keep(**bin)) {
            for (document, value) in values {
                by_document.entry(*document).or_default().push(*value);
            }
        }
        let means: Vec<f64> = by_document.values().filter_map(|values| crate::stats::mean(values)).collect();
        mean_estimate(&means).map(|level| Question::Retrieval.level(level))
    };
    Some(Stability {
        id: cell.id().0,
        label: cell.label(),
        training: evidence.scenario.training_of(cell).words().to_owned(),
        inside: mean_estimate(&level.values().copied().collect::<Vec<_>>())?,
        breaks: beyond.iter().find(|beyond| beyond.ruling == Ruling::Worse).map(|beyond| beyond.from),
        beyond,
        recall_inside: recalled(&|(_, to)| to <= trained),
        recall_beyond: recalled(&|(from, _)| from >= trained),
    })
}

/// Who collapses, where and how, in a sentence; nothing where all cells run on the same kind of weights.
pub(super) fn sentence(evidence: &Evidence, table: &[Stability]) -> Option<String> {
    let mixed = evidence.cells.iter().any(|(cell, _)| evidence.scenario.training_of(cell) != Training::Free);
    if !mixed || table.is_empty() {
        return None;
    }
    let far = |row: &Stability| {
        row.recall_beyond.map_or_else(String::new, |recall| format!(", far recall {}", number(recall.point)))
    };
    let mut broken: Vec<&Stability> = table.iter().filter(|row| row.breaks.is_some()).collect();
    let last = |row: &Stability| row.beyond.last().map_or(0.0, |beyond| beyond.rise.point);
    broken.sort_by(|a, b| last(b).total_cmp(&last(a)));
    let broken: Vec<String> = broken
        .into_iter()
        .filter_map(|row| {
            let (from, end) = (row.breaks?, row.beyond.last()?);
            let rise = amount(Question::LongRange, &end.rise);
            Some(format!("{} from {from} on (by {rise} at {}-{}{})", spoken(&row.label), end.from, end.to, far(row)))
        })
        .collect();
    let stable = |row: &&Stability| {
        !row.beyond.is_empty()
            && row.beyond.iter().all(|beyond| matches!(beyond.ruling, Ruling::WithinNoise | Ruling::Better))
    };
    let holding: Vec<String> =
        table.iter().filter(stable).map(|row| format!("{}{}", spoken(&row.label), far(row))).collect();
    let open = table.iter().filter(|row| row.breaks.is_none() && !stable(row)).map(|row| spoken(&row.label));
    let open: Vec<String> = open.collect();
    let parts: Vec<String> = [("breaks", &broken), ("holds", &holding), ("undecided", &open)]
        .into_iter()
        .filter(|(_, who)| !who.is_empty())
        .map(|(what, who)| match who.len() {
            few if few <= MOST_NAMED => format!("{what}: {}", who.join("; ")),
            many => format!("{what}: {many} of {}", table.len()),
        })
        .collect();
    let trained = evidence.scenario.trained;
    (!parts.is_empty()).then(|| format!("Beyond {trained} tokens, against its own level inside: {}.", parts.join(". ")))
}
