//! Which part of a decoded token grew since the baseline, as the clock on the parts saw it.

use std::collections::BTreeMap;

use super::compare::Comparison;
use super::side::Side;
use crate::measurement::{Cell, Quantity};
use crate::stats::{Estimate, paired_difference};
use crate::units::Tokens;

/// The part that grew most at a context length, in one sentence; nothing where none is shown to have grown.
///
/// A part counts as a share of the unscaled model's token of the same block, so that another machine compares too.
pub(super) fn grown(comparison: &Comparison<'_>, length: u32) -> Option<String> {
    let parts = Quantity::PARTS.into_iter().filter_map(|part| Some((part, growth(comparison, part, length)?)));
    // A small part that surely grew is not what is slow.
    let (part, growth) = parts.max_by(|a, b| a.1.point.total_cmp(&b.1.point)).filter(|(_, growth)| growth.low > 0.0)?;
    let percent = |share: f64| format!("{:.1}", 100.0 * share);
    Some(format!(
        "{} is what grew: timed apart it takes {} % [{}, {}] of an unscaled token more than in the baseline, at {} tokens (n = {})",
        part.part_words(),
        percent(growth.point),
        percent(growth.low),
        percent(growth.high),
        Tokens(length as usize),
        growth.n,
    ))
}

/// The change of a part's excess over the unscaled model, blocks paired in order.
fn growth(comparison: &Comparison<'_>, part: Quantity, length: u32) -> Option<Estimate> {
    let (then, now) = (excess(comparison.baseline, part, length), excess(comparison.run, part, length));
    let pairs = then.len().min(now.len());
    paired_difference(now.get(..pairs)?, then.get(..pairs)?)
}

/// What the deployed cell's part takes more than the unscaled model's, as a share of that model's token, by block.
fn excess(side: Side<'_>, part: Quantity, length: u32) -> Vec<f64> {
    let unscaled = Cell::unscaled().id();
    let at = |cell, quantity| -> BTreeMap<u32, f64> { side.times(cell, quantity).remove(&length).unwrap_or_default() };
    let (reference, token) = (at(&unscaled, part), at(&unscaled, Quantity::Decode));
    let shares = at(side.deployed, part).into_iter().filter_map(|(block, seconds)| {
        Some((seconds - reference.get(&block)?) / token.get(&block).filter(|token| **token > 0.0)?)
    });
    shares.collect()
}
