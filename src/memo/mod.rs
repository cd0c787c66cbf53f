//! The decision memo: ONE positional approach to deploy, defended against two alternatives, from a run's rows and the
//! positions' arithmetic.
//!
//! Nothing here has an opinion. Each sentence is made of numbers, and carries the rows or the formula that they came from
//! ([`Claim`]); other rows give another decision. The constraints are the questions of the scenario with its tolerances, the
//! candidates its methods (or those that it names under `candidates`).

mod adaptation;
mod candidates;
mod chain;
mod contrast;
mod decision;
mod facts;
mod mechanism;
mod page;
mod rollout;
mod settings;
mod sources;

use serde::Serialize;

use crate::ablation::Evidence;
use crate::checkpoint::Config;
use crate::measurement::{Arm, Cell, Measurement, Outcome};
use crate::reports::document::Claim;
use crate::reports::{ReportError, Run};
use crate::scenario::Scenario;

pub use candidates::{Candidate, Standing};
pub use chain::{Link, Mark};
pub use page::{pages, terminal};
pub use settings::{Setting, Settings, patched, settings};
pub use sources::{Source, What};

/// The version of `memo.json`; raised when a name changes its meaning.
pub const SCHEMA: u32 = 1;

/// Plausible alternatives that a decision is defended against.
const ALTERNATIVES: usize = 2;

/// Everything that a memo is written from.
#[derive(Clone, Copy, Debug)]
pub struct Dossier<'a> {
    /// The constraints and candidates.
    pub scenario: &'a Scenario,
    /// The checkpoint's configuration, for the arithmetic of its positions.
    pub config: &'a Config,
    /// What was measured and found.
    pub run: &'a Run<'a>,
}

impl<'a> Dossier<'a> {
    fn evidence(&self) -> Evidence<'a> {
        Evidence { scenario: self.scenario, cells: self.run.cells }
    }

    /// The cells of the grid in a healthy engine: a fault is no approach, whatever it measures.
    fn grid(&self) -> impl Iterator<Item = &'a Cell> + use<'a> {
        self.run.cells.iter().map(|(cell, _)| cell).filter(|cell| cell.arm == Arm::Grid && cell.faults.is_empty())
    }

    /// A cell's rows; none where it was not measured.
    fn rows(&self, cell: &Cell) -> &'a [Measurement] {
        match self.run.cells.iter().find(|(other, _)| other == cell) {
            Some((_, Outcome::Measured(rows))) => rows,
            _ => &[],
        }
    }
}

/// The best approaches that a run's rows name, at most so many: the one to recommend first.
#[must_use]
pub fn best(dossier: &Dossier, count: usize) -> Vec<Cell> {
    let candidates = candidates::candidates(dossier, &mut sources::Sources::default());
    let own = candidates.into_iter().filter(|candidate| candidate.same_as.is_none());
    own.map(|candidate| candidate.cell).take(count).collect()
}

/// Why there is no memo.
#[derive(Debug, thiserror::Error)]
pub enum MemoError {
    /// Nothing can be recommended.
    #[error(
        "no measured cell of a candidate serves {target} tokens\nhint: add a factor of target / trained to \
         `ablate.factors`, and the probes short_range and long_range"
    )]
    NoCandidate {
        /// The length to serve.
        target: crate::units::Tokens,
    },
    /// The method cannot be explained on this checkpoint.
    #[error("`{method}` cannot be explained on this checkpoint: {why}\nhint: `gyro explain {method}` says more")]
    Unexplained {
        /// The method.
        method: String,
        /// The reason.
        why: String,
    },
    /// A figure or the JSON could not be written.
    #[error(transparent)]
    Report(#[from] ReportError),
}

/// The memo as data: `memo.json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Memo {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The scenario's name.
    pub scenario: String,
    /// The scenario's question.
    pub question: String,
    /// The decision.
    pub decision: Decision,
    /// Every candidate against every constraint, the recommended one first.
    pub candidates: Vec<Candidate>,
    /// How the recommended method works, on this checkpoint.
    pub mechanism: Vec<Claim>,
    /// The contrast with each alternative kind of mechanism.
    pub contrasts: Vec<Contrast>,
    /// The contrast as a table: the aspects, one column for each kind.
    pub comparison: Comparison,
    /// Training-free now against a short adaptation.
    pub adaptation: Vec<Claim>,
    /// From mechanism to expected to measured.
    pub chain: Vec<Link>,
    /// What may go wrong.
    pub risks: Vec<Claim>,
    /// What would change the decision.
    pub reversals: Vec<Claim>,
    /// How to roll out, in order.
    pub rollout: Vec<Claim>,
    /// What to watch: baselines and tolerances.
    pub watch: Vec<Watch>,
    /// How to go back.
    pub rollback: Vec<Claim>,
    /// The recommended cell in the words of engines.
    pub settings: Settings,
    /// The cell to fall back to, in the words of engines.
    pub fallback: Settings,
    /// What the claims rest on.
    pub sources: Vec<Source>,
}

/// The decision.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Decision {
    /// The label of the recommended cell.
    pub cell: String,
    /// Its identity in `measurements.parquet`.
    pub id: String,
    /// The labels of the alternatives that it is defended against, the better one first.
    pub alternatives: Vec<String>,
    /// Whether it fails no measured constraint and leaves none undecided.
    pub meets_all: bool,
    /// The decision in three sentences.
    pub sentences: Vec<Claim>,
    /// The paired differences to each alternative: positive favours the recommended cell.
    pub differences: Vec<Difference>,
}

/// How much better the recommended cell is than an alternative, on the same documents.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The alternative.
    pub alternative: String,
    /// The question.
    pub question: crate::findings::Question,
    /// `nats/token` or `share`.
    pub unit: String,
    /// The advantage, paired by document: positive is better for the recommended cell.
    pub advantage: crate::stats::Estimate,
    /// What it rests on.
    pub sources: Vec<String>,
}

/// The contrast with one kind of mechanism.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contrast {
    /// The method.
    pub method: String,
    /// The measured cell that stands for it; absent where this run measured none.
    pub cell: Option<String>,
    /// What it does, and what this run says.
    pub claims: Vec<Claim>,
}

/// Aspects by method.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The columns: the recommended cell, then the others.
    pub columns: Vec<String>,
    /// One row for each aspect, with what each column says and what the row rests on.
    pub rows: Vec<(String, Vec<String>, Vec<String>)>,
}

/// A quantity to watch in production.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Watch {
    /// The question.
    pub question: crate::findings::Question,
    /// Its unit.
    pub unit: String,
    /// The value to keep as the baseline.
    pub baseline: crate::stats::Estimate,
    /// The accepted change.
    pub tolerance: f64,
    /// Beyond this value the change is larger than accepted.
    pub alarm: f64,
    /// What it rests on.
    pub sources: Vec<String>,
}

/// Writes the memo of a run.
///
/// # Errors
/// [`MemoError::NoCandidate`] where nothing measured serves the target; [`MemoError::Unexplained`] where a method has no
/// arithmetic on this checkpoint.
pub fn memo(dossier: &Dossier<'_>) -> Result<Memo, MemoError> {
    let mut sources = sources::Sources::default();
    let candidates = candidates::candidates(dossier, &mut sources);
    let Some(chosen) = candidates.first() else {
        return Err(MemoError::NoCandidate { target: dossier.run.target });
    };
    let facts = facts::Facts::of(dossier, chosen, &candidates)?;
    let findings = dossier.run.findings;
    let config_text = dossier.run.provenance.checkpoint_config.as_deref().unwrap_or_default();
    let fallback = rollout::fallback(dossier, chosen);
    let comparison = contrast::comparison(dossier, &candidates, &facts, &mut sources);
    Ok(Memo {
        schema: SCHEMA,
        scenario: findings.scenario.clone(),
        question: findings.question.clone(),
        decision: decision::decision(dossier, &candidates, &mut sources),
        mechanism: mechanism::claims(dossier, &facts, &mut sources),
        contrasts: contrast::contrasts(dossier, &candidates, &facts, &mut sources),
        comparison,
        adaptation: adaptation::claims(dossier, &candidates, &mut sources),
        chain: chain::links(dossier, &candidates, &facts, &mut sources),
        risks: rollout::risks(dossier, &candidates, &facts, &mut sources),
        reversals: rollout::reversals(dossier, &candidates),
        rollout: rollout::steps(dossier, chosen, &fallback),
        watch: rollout::watch(dossier, chosen),
        rollback: rollout::rollback(dossier, &fallback, chosen),
        settings: settings(config_text, &chosen.cell, dossier.run.target),
        fallback: settings(config_text, &fallback, dossier.run.target),
        sources: sources.all(),
        candidates,
    })
}
