//! The two-way table of each question over method and factor.

use std::collections::BTreeMap;

use crate::findings::{GridCell, GridSummary};
use crate::stats::{mean, two_way};
use crate::units::Stretch;

use super::board::{Board, Entry};
use super::rows::quantity;
use super::verdicts::raw;

/// One table for each question; cells without numbers are absent.
pub(super) fn summaries(boards: &[Board]) -> Vec<GridSummary> {
    boards.iter().map(summary).collect()
}

fn summary(board: &Board) -> GridSummary {
    let (method_effects, factor_effects) = effects(board).unwrap_or_default();
    GridSummary {
        question: board.question,
        unit: quantity(board.question).unit().to_owned(),
        cells: board.entries.iter().filter_map(|entry| cell(board, entry)).collect(),
        method_effects,
        factor_effects,
    }
}

fn cell(board: &Board, entry: &Entry) -> Option<GridCell> {
    let values = entry.damage.measured()?;
    Some(GridCell {
        method: entry.cell.row(),
        factor: entry.cell.factor.0,
        value: board.level(&raw(board, values))?,
        change: board.change(board.interval(values)?),
        ruling: board.ruling(entry.cell),
    })
}

type Effects = BTreeMap<String, f64>;

/// Mean change by method and by factor, over the factors at which every scaled method was measured.
///
/// A mean over different factors would blame a method for a factor that only it was measured at.
fn effects(board: &Board) -> Option<(Effects, Effects)> {
    let sign = if board.change_falls() { -1.0 } else { 1.0 };
    let mut by_factor: Vec<(Stretch, BTreeMap<String, f64>)> = Vec::new();
    for entry in board.entries.iter().filter(|entry| entry.cell.factor != Stretch::ONE) {
        let Some(change) = entry.damage.measured().and_then(mean) else { continue };
        let label = entry.cell.row();
        match by_factor.iter_mut().find(|(factor, _)| *factor == entry.cell.factor) {
            Some((_, changes)) => {
                changes.insert(label, sign * change);
            }
            None => by_factor.push((entry.cell.factor, BTreeMap::from([(label, sign * change)]))),
        }
    }
    let methods: Vec<String> = {
        let mut all: Vec<String> = by_factor.iter().flat_map(|(_, changes)| changes.keys().cloned()).collect();
        all.sort_unstable();
        all.dedup();
        all
    };
    by_factor.retain(|(_, changes)| changes.len() == methods.len());
    by_factor.sort_by(|a, b| a.0.0.total_cmp(&b.0.0));
    let table: Vec<Vec<f64>> = methods
        .iter()
        .map(|method| by_factor.iter().filter_map(|(_, changes)| changes.get(method)).copied().collect())
        .collect();
    let parts = two_way(&table)?;
    let rows = methods.into_iter().zip(parts.rows).map(|(method, effect)| (method, parts.grand + effect)).collect();
    let columns =
        by_factor.iter().zip(parts.columns).map(|((factor, _), effect)| (factor.to_string(), parts.grand + effect));
    Some((rows, columns.collect()))
}
