//! Risks, what would change the decision, how to roll out, what to watch, and the way back.

use super::candidates::Candidate;
use super::decision::{alternatives, standing_words};
use super::facts::Facts;
use super::sources::Sources;
use super::{Dossier, Standing, Watch};
use crate::ablation::join;
use crate::findings::{Question, Ruling};
use crate::measurement::{Cell, spoken};
use crate::reports::document::Claim;
use crate::reports::{label, numbers};

/// What may go wrong, as far as the run and the arithmetic tell.
pub(super) fn risks(dossier: &Dossier<'_>, all: &[Candidate], facts: &Facts, sources: &mut Sources) -> Vec<Claim> {
    let Some(chosen) = all.first() else { return Vec::new() };
    let mut risks = Vec::new();
    for standing in &chosen.standings {
        let words = standing_words(standing);
        match standing.ruling {
            Ruling::Worse => {
                risks.push(Claim::new(format!("It fails a constraint: {words}."), standing.sources.clone()));
            }
            Ruling::Undecided => {
                risks.push(Claim::new(format!("Undecided, so it may fail: {words}."), standing.sources.clone()));
            }
            Ruling::Incomparable => {
                let why = standing.why.as_deref().unwrap_or("the run says nothing of it");
                let question = crate::reports::capitalised(standing.constraint.words());
                risks.push(Claim::new(format!("{question} of {}: {why}.", chosen.label), standing.sources.clone()));
            }
            Ruling::Better | Ruling::WithinNoise => {}
        }
    }
    risks.extend(turning_risks(dossier, facts, sources));
    if chosen.cell.adapted.0 > 0 {
        let tokens = chosen.cell.adapted;
        risks.push(Claim::new(
            format!(
                "It needs weights adapted for {tokens} tokens: other tasks than these documents were not measured on \
            them."
            ),
            [],
        ));
    }
    // Latency's are blocks, not documents.
    let quality = chosen.standings.iter().filter(|standing| standing.constraint != Question::Latency);
    let n = quality.filter_map(|standing| standing.change).map(|change| change.n).min().unwrap_or(0);
    risks.push(Claim::new(
        format!(
            "The candidate was chosen on the {n} documents that its numbers come from{}.",
            if dossier.run.provenance.quick { ", in a quick run with wide intervals" } else { "" }
        ),
        [],
    ));
    risks
}

/// What a rotation risks: angles that no training saw, and frequencies that move.
fn turning_risks(dossier: &Dossier<'_>, facts: &Facts, sources: &mut Sources) -> Vec<Claim> {
    let Some(turning) = facts.turning() else { return Vec::new() };
    let mut risks = Vec::new();
    if !turning.leaves.is_empty() {
        let formula = sources.formula(
            "a pair leaves the seen angles if it did not complete a turn within the trained length and now goes \
            farther",
        );
        risks.push(Claim::new(
            format!(
                "{} still reach unseen angles at {} tokens: quality may fall near the end.",
                numbers::counted(turning.leaves.len(), "pair"),
                dossier.run.target
            ),
            [formula],
        ));
    }
    if turning.follows_length {
        risks.push(Claim::new(
            "Its frequencies follow the length: engines disagree on keys that are cached already, and a shared \
             prefix cache mixes them.",
            [],
        ));
    }
    risks
}

/// Which numbers would have to be others for another decision.
pub(super) fn reversals(dossier: &Dossier<'_>, all: &[Candidate]) -> Vec<Claim> {
    let Some(chosen) = all.first() else { return Vec::new() };
    let mut claims = Vec::new();
    for other in alternatives(all) {
        let gap = if chosen.fails() == other.fails() && (chosen.excess - other.excess).abs() < 1e-12 {
            format!("{:.2} tolerances of damage in all against {:.2}", other.total, chosen.total)
        } else {
            format!("{:.2} tolerances of damage beyond what is accepted against {:.2}", other.excess, chosen.excess)
        };
        let failing: Vec<String> =
            other.standings.iter().filter(|s| s.ruling == Ruling::Worse).filter_map(needed).collect();
        let needs = if failing.is_empty() {
            String::new()
        } else {
            let failing: Vec<&str> = failing.iter().map(String::as_str).collect();
            format!("; to fail nothing it needs {}", join(&failing))
        };
        let sources = other.standings.iter().flat_map(|standing| standing.sources.clone());
        claims
            .push(Claim::new(format!("{} would have to make up the difference: {gap}{needs}.", other.label), sources));
    }
    claims.extend(chosen.standings.iter().filter_map(bearable));
    let untimed =
        chosen.standings.iter().any(|s| s.constraint == Question::Latency && s.ruling == Ruling::Incomparable);
    if untimed {
        claims.push(Claim::new(
            format!(
                "A timing of {} beyond {} would change it; it is taken by the probe `latency` with \
                 `sizes.latency_candidates`.",
                chosen.label,
                numbers::tolerance("ratio", dossier.scenario.tolerance.latency)
            ),
            [],
        ));
    }
    claims
}

/// The smallest tolerance at which a constraint passes; nothing where it passes at any.
fn bearable(standing: &Standing) -> Option<Claim> {
    let change = standing.change?;
    let words = |x: f64| numbers::tolerance(&standing.unit, x);
    // The smallest tolerance that holds the whole interval, rounded up to what is printed.
    let needed = if standing.constraint == Question::Latency {
        change.high.max(change.low.recip())
    } else {
        change.high.max(-change.low)
    };
    let needed = words((needed * 1e3).ceil() / 1e3);
    let unit = numbers::suffix(&standing.unit);
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    let text = match standing.ruling {
        Ruling::Worse | Ruling::Undecided => {
            format!(
                "{} would pass at a tolerance of {needed}{unit} instead of {}.",
                standing.constraint.words(),
                words(standing.tolerance)
            )
        }
        Ruling::Better => return None,
        Ruling::WithinNoise | Ruling::Incomparable => format!(
            "{} passes down to a tolerance of {needed}{unit} (now {}).",
            standing.constraint.words(),
            words(standing.tolerance)
        ),
    };
    Some(Claim::new(crate::reports::capitalised(&text), standing.sources.clone()))
}

/// What an alternative's failed constraint would have to be.
fn needed(standing: &Standing) -> Option<String> {
    let change = standing.change?;
    let unit = numbers::suffix(&standing.unit);
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    Some(format!(
        "{} within {}{unit} (now {})",
        standing.constraint.words(),
        numbers::tolerance(&standing.unit, standing.tolerance),
        numbers::change(&standing.unit, change.point)
    ))
}

/// How to roll out, in order.
pub(super) fn steps(dossier: &Dossier<'_>, chosen: &Candidate, fallback: &Cell) -> Vec<Claim> {
    let path = &dossier.run.provenance.scenario_path;
    let method = serde_json::to_string(&chosen.cell.method).unwrap_or_else(|_| chosen.cell.method.name().to_owned());
    let adapted =
        if chosen.cell.adapted.0 > 0 { format!(", adapted: {}", chosen.cell.adapted.0) } else { String::new() };
    let deployed = format!("deployed: {{ method: {method}, factor: {}{adapted} }}", chosen.cell.factor);
    [
        format!(
            "Write `{deployed}` into a copy of {path} and run `gyro diagnose` on it with the probe latency: short \
            range, long range and time of the chosen cell are then judged themselves."
        ),
        "Keep that run: `gyro baseline save SCENARIO --name rollout`; later runs compare with it by `gyro baseline \
         compare`."
            .to_owned(),
        format!(
            "{} the settings below into the engine, and compare its log-probabilities on a few prompts with `gyro \
             logprobs`: equal to the engine's noise, or the setting is not what runs.",
            other_weights(dossier, &chosen.cell, fallback)
                .map_or_else(|| "Paste".to_owned(), |weights| format!("Serve {weights}, paste"))
        ),
        "Empty prefix and key-value caches at the switch: keys cached under one rotation are wrong under another."
            .to_owned(),
        format!(
            "Serve a small share first, with prompts on both sides of {} tokens, and watch the values below before \
            the rest follows.",
            dossier.run.trained
        ),
    ]
    .into_iter()
    .map(|text| Claim::new(text, []))
    .collect()
}

/// The values to keep as baselines, with the tolerances of the scenario.
pub(super) fn watch(dossier: &Dossier<'_>, chosen: &Candidate) -> Vec<Watch> {
    let of = |standing: &Standing| {
        let grid = dossier.run.findings.grid.iter().find(|grid| grid.question == standing.constraint)?;
        let value = grid.cells.iter().find(|cell| label(cell) == chosen.label)?.value;
        let alarm = if standing.constraint == Question::Retrieval {
            value.point - standing.tolerance
        } else {
            value.point + standing.tolerance
        };
        Some(Watch {
            question: standing.constraint,
            unit: grid.unit.clone(),
            baseline: value,
            tolerance: standing.tolerance,
            alarm,
            sources: standing.sources.clone(),
        })
    };
    chosen.standings.iter().filter_map(of).collect()
}

/// The cell to go back to: what is deployed today, or the model as it was trained where that is the chosen cell.
pub(super) fn fallback(dossier: &Dossier<'_>, chosen: &Candidate) -> Cell {
    let deployed = dossier.scenario.deployed_cell().healthy();
    if deployed == chosen.cell { Cell::unscaled() } else { deployed }
}

/// The weights of a cell in words, where they are not those of another cell.
fn other_weights(dossier: &Dossier<'_>, cell: &Cell, than: &Cell) -> Option<String> {
    let from = |cell: &Cell| dossier.scenario.weights_of(&cell.method).to_owned();
    if cell.adapted == than.adapted && from(cell) == from(than) {
        return None;
    }
    let folder = from(cell);
    let checkpoint = folder.file_name().map_or_else(|| folder.display().to_string(), |n| n.to_string_lossy().into());
    Some(if cell.adapted.0 > 0 {
        format!("the weights of {checkpoint} that were adapted for {} tokens (`gyro adapt` makes them)", cell.adapted)
    } else {
        format!("the weights of {checkpoint} as they are")
    })
}

/// How to go back.
pub(super) fn rollback(dossier: &Dossier<'_>, fallback: &Cell, chosen: &Candidate) -> Vec<Claim> {
    let to = if *fallback == Cell::unscaled() {
        "Back to the model as it was trained, with the served length cut to the trained one".to_owned()
    } else {
        format!("Back to what is deployed today, {}", spoken(&fallback.label()))
    };
    let weights = other_weights(dossier, fallback, &chosen.cell)
        .map_or_else(String::new, |weights| format!("serve {weights} again, "));
    vec![
        Claim::new(
            format!("{to}: {weights}paste its settings (below), restart, empty prefix and key-value caches."),
            [],
        ),
        Claim::new(
            "Go back when a watched value passes its alarm on two runs in a row, or at once when outputs are not \
             numbers.",
            [],
        ),
    ]
}
