//! The two-way table of a question: every measured cell, and the main effects of method and factor.

use std::collections::BTreeMap;

use super::Evidence;
use super::badness::Badness;
use super::verdict::{tolerance, unit};
use crate::findings::{GridCell, GridSummary, Question};
use crate::measurement::{Arm, Cell};
use crate::stats::{Estimate, judge, main_effects, mean_estimate};
use crate::units::Stretch;

/// The table of a quality question; nothing for latency or where no cell was measured.
pub(super) fn summary(evidence: &Evidence<'_>, badness: &Badness, question: Question) -> Option<GridSummary> {
    let is_recall = question == Question::Retrieval;
    let turned = |change: Estimate| if is_recall { change.negated() } else { change };
    let cells: Vec<GridCell> = evidence
        .cells
        .iter()
        .filter(|(cell, _)| cell.arm == Arm::Grid)
        .filter_map(|(cell, _)| {
            let values: Vec<f64> = badness.get(cell, question)?.by_document.values().copied().collect();
            let value = mean_estimate(&values)?;
            let change = badness.change(cell, question)?;
            Some(GridCell {
                method: cell.method.label(),
                factor: cell.factor.0,
                value: if is_recall { value.negated().map(|missed| missed + 1.0) } else { value },
                change: turned(change),
                ruling: judge(change, tolerance(evidence.scenario, question)),
            })
        })
        .collect();
    if cells.is_empty() {
        return None;
    }
    let (method_effects, factor_effects) = effects(evidence, &cells);
    Some(GridSummary { question, unit: unit(question).to_owned(), cells, method_effects, factor_effects })
}

/// Main effects over the scaled part of the grid (factors above 1), as deviations from its mean change.
fn effects(evidence: &Evidence<'_>, cells: &[GridCell]) -> (BTreeMap<String, f64>, BTreeMap<String, f64>) {
    let scenario = evidence.scenario;
    let unscaled = Cell::unscaled();
    let methods: Vec<String> =
        scenario.methods.iter().filter(|method| **method != unscaled.method).map(|method| method.label()).collect();
    let factors: Vec<Stretch> = scenario.factors.iter().copied().filter(|factor| *factor != Stretch::ONE).collect();
    let table: Vec<Vec<Option<f64>>> = methods
        .iter()
        .map(|method| {
            let at = |factor: &Stretch| {
                let here = |cell: &&GridCell| cell.method == *method && cell.factor == factor.0;
                cells.iter().find(here).map(|cell| cell.change.point).filter(|point| point.is_finite())
            };
            factors.iter().map(at).collect()
        })
        .collect();
    let Some(effects) = main_effects(&table) else { return Default::default() };
    let rows = methods.into_iter().zip(effects.rows).filter_map(|(method, effect)| Some((method, effect?))).collect();
    let columns = factors.iter().zip(effects.columns).filter_map(|(f, effect)| Some((f.to_string(), effect?))).collect();
    (rows, columns)
}
