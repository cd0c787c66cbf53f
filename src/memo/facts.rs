//! The arithmetic that a memo leans on: the recommended method, the unscaled model, ALiBi and T5 on this checkpoint's heads.

use super::candidates::{Candidate, of_method};
use super::{Dossier, MemoError};
use crate::checkpoint::Architecture;
use crate::explain::{self, Explanation, Setting, Turning};
use crate::measurement::Cell;
use crate::positions::AnyMethod;
use crate::units::Stretch;

/// Explanations on the checkpoint's heads, trained length and target.
pub(super) struct Facts {
    /// The recommended cell.
    pub(super) chosen: Explanation,
    /// The model as it was trained, read to the target.
    pub(super) unscaled: Option<Explanation>,
    /// ALiBi with its usual slopes, at the factor of the cell that the memo speaks of ([`cell_of`]), else at 1.
    pub(super) alibi: Option<Explanation>,
    /// T5's buckets, likewise.
    pub(super) t5: Option<Explanation>,
}

impl Facts {
    pub(super) fn of(dossier: &Dossier<'_>, chosen: &Candidate, all: &[Candidate]) -> Result<Self, MemoError> {
        let cell = &chosen.cell;
        Ok(Self {
            chosen: of_cell(dossier, &cell.method, cell.factor)?,
            unscaled: of_cell(dossier, &AnyMethod::unscaled(), Stretch::ONE).ok(),
            alibi: named(dossier, all, "alibi"),
            t5: named(dossier, all, "t5"),
        })
    }

    /// The pairs of the recommended rotation; nothing where it is none.
    pub(super) fn turning(&self) -> Option<&Turning> {
        turning(&self.chosen)
    }
}

/// How [`slower`] counts.
pub(super) const SLOWER: &str = "(2 parameters + attention + positional flops of the cell) / (the same of the \
    unscaled model), one decoded token at the target";

/// By how much a decoded token at the target takes longer than the unscaled model's, counted in floating-point operations;
/// nothing where the method cannot be explained.
pub(super) fn slower(dossier: &Dossier<'_>, cell: &Cell) -> Option<f64> {
    let flops = |explanation: &Explanation| explanation.work.steps.last().map(|step| step.flops as f64);
    let mine = flops(&of_cell(dossier, &cell.method, cell.factor).ok()?)?;
    let unscaled = flops(&of_cell(dossier, &AnyMethod::unscaled(), Stretch::ONE).ok()?)?;
    let a = &dossier.config.architecture;
    let attention = (4 * a.heads * a.head_dim * a.layers * dossier.run.target.0) as f64;
    let rest = 2.0 * parameters(a) as f64 + attention;
    Some((rest + mine) / (rest + unscaled))
}

/// The checkpoint's parameters, embeddings once where they are tied.
pub(super) fn parameters(a: &Architecture) -> usize {
    let (query, key_value) = (a.heads * a.head_dim, a.kv_heads * a.head_dim);
    let layer = a.width * (2 * query + 2 * key_value) + 3 * a.width * a.feed_forward + 2 * a.width;
    let embeddings = a.vocabulary * a.width * if a.tied_embeddings { 1 } else { 2 };
    embeddings + a.layers * layer + a.width
}

/// The pairs of a rotation; nothing for other mechanisms.
pub(super) fn turning(explanation: &Explanation) -> Option<&Turning> {
    match &explanation.mechanism {
        explain::Facts::Rotate(turning) => Some(turning),
        explain::Facts::Group(grouped) => Some(&grouped.turning),
        _ => None,
    }
}

/// The measured cell of a method that the memo talks about: its candidate's, else any that was measured.
pub(super) fn cell_of(dossier: &Dossier<'_>, candidates: &[Candidate], name: &str) -> Option<Cell> {
    let method = AnyMethod::named(name)?;
    of_method(candidates, &method).map(|candidate| candidate.cell.clone()).or_else(|| measured(dossier, name))
}

fn measured(dossier: &Dossier<'_>, name: &str) -> Option<Cell> {
    let cells = dossier.grid();
    cells.filter(|cell| cell.method.name() == name && !dossier.rows(cell).is_empty()).max_by_key(|c| c.adapted).cloned()
}

fn named(dossier: &Dossier<'_>, all: &[Candidate], name: &str) -> Option<Explanation> {
    let (method, factor) = cell_of(dossier, all, name)
        .map_or_else(|| Some((AnyMethod::named(name)?, Stretch::ONE)), |cell| Some((cell.method, cell.factor)))?;
    of_cell(dossier, &method, factor).ok()
}

fn of_cell(dossier: &Dossier<'_>, method: &AnyMethod, factor: Stretch) -> Result<Explanation, MemoError> {
    let unexplained = |why: String| MemoError::Unexplained { method: method.name().to_owned(), why };
    let (heads, layers) = (&dossier.config.heads, dossier.config.architecture.layers);
    let setting = Setting::of_heads(heads, layers, (method.clone(), factor), dossier.run.target)
        .ok_or_else(|| unexplained("only a part of each head rotates".to_owned()))?;
    explain::explain(&setting).map_err(|error| unexplained(error.to_string()))
}
