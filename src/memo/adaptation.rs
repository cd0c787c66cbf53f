//! Training-free now against a short adaptation: what the tokens buy, and what they cost.

use super::candidates::Candidate;
use super::facts::parameters;
use super::sources::Sources;
use super::{Dossier, decision};
use crate::ablation::{Part, by_document};
use crate::findings::Question;
use crate::measurement::Cell;
use crate::reports::document::Claim;
use crate::reports::{evidence, numbers};
use crate::stats::{Estimate, paired_difference};
use crate::units::Tokens;

/// What the run says of adaptation, for the recommended method and the alternatives.
pub(super) fn claims(dossier: &Dossier<'_>, candidates: &[Candidate], sources: &mut Sources) -> Vec<Claim> {
    let most = dossier.grid().map(|cell| cell.adapted).max().unwrap_or_default();
    if most.0 == 0 {
        return vec![Claim::new(
            "Every cell of this run uses weights as they are; what a short adaptation would buy was not measured. Add \
             token counts under `ablate.adapted` and a text under `adaptation` to weigh it.",
            [],
        )];
    }
    let mut claims = vec![cost(dossier, most, sources)];
    let weighed = candidates.first().into_iter().chain(decision::alternatives(candidates));
    for candidate in weighed {
        let grid = || dossier.grid();
        let same = |cell: &&Cell| cell.method == candidate.cell.method && cell.factor == candidate.cell.factor;
        let before = grid().filter(same).find(|cell| cell.adapted.0 == 0 && !dossier.rows(cell).is_empty());
        let after = grid().filter(same).filter(|cell| !dossier.rows(cell).is_empty()).max_by_key(|cell| cell.adapted);
        match (before, after) {
            (Some(before), Some(after)) if after.adapted.0 > 0 => claims.push(gain(dossier, before, after, sources)),
            (None, Some(after)) if after.adapted.0 > 0 => claims.push(Claim::new(
                format!(
                    "{} exists only after its {} tokens: these weights never knew its mechanism, so there is nothing \
                     training-free to compare with.",
                    after.label(),
                    after.adapted
                ),
                [],
            )),
            _ => {}
        }
    }
    claims
}

/// What the tokens changed, question by question.
fn gain(dossier: &Dossier<'_>, before: &Cell, after: &Cell, sources: &mut Sources) -> Claim {
    let mut words = Vec::new();
    let mut used = Vec::new();
    for question in [Question::ShortRange, Question::LongRange, Question::Retrieval] {
        let Some(change) = difference(dossier, question, before, after) else { continue };
        let unit = if question == Question::Retrieval { "share" } else { "nats/token" };
        words.push(format!(
            "{} {}, n = {}",
            question.words(),
            numbers::estimate(unit, &change, numbers::change),
            change.n
        ));
        let made = format!("{}; paired by document, after minus before", evidence::made_of(question));
        used.push(sources.rows(question, after, Some(before), &evidence::filter(dossier.run, question), &made));
    }
    Claim::new(
        format!("{} tokens change {} to {}: {}.", after.adapted, before.label(), after.label(), words.join("; ")),
        used,
    )
}

/// After minus before, paired by document.
fn difference(dossier: &Dossier<'_>, question: Question, before: &Cell, after: &Cell) -> Option<Estimate> {
    let values = |cell: &Cell| by_document(question, dossier.rows(cell), dossier.run.trained, Part::Whole);
    let (old, new) = (values(before), values(after));
    let pairs: (Vec<f64>, Vec<f64>) = new.iter().filter_map(|(key, value)| Some((*value, *old.get(key)?))).unzip();
    paired_difference(&pairs.0, &pairs.1).map(|change| question.possible(change))
}

/// The tokens in sequences and in floating-point operations.
fn cost(dossier: &Dossier<'_>, tokens: Tokens, sources: &mut Sources) -> Claim {
    let architecture = &dossier.config.architecture;
    let length = dossier.scenario.adaptation.as_ref().map_or(dossier.run.target, |plan| plan.length);
    let parameters = parameters(architecture);
    let formula = sources.formula(
        "training flops = 6 x parameters x tokens + 6 x layers x heads x head width x length x tokens (causal \
        attention)",
    );
    let attention = 6.0 * (architecture.layers * architecture.heads * architecture.head_dim) as f64 * length.as_f64();
    let flops = (6.0 * parameters as f64 + attention) * tokens.as_f64();
    Claim::new(
        format!(
            "An adaptation of {tokens} tokens is {} of {length}; on this checkpoint of {} parameters it costs about \
             {flops:.1e} flops, once for each method and factor, and leaves weights of their own to serve.",
            numbers::counted(tokens.0.div_ceil(length.0.max(1)), "sequence"),
            Tokens(parameters),
        ),
        [formula],
    )
}
