//! The pages of an identification: `identification.json`, `identification.md`, `identification.html`, the spectrum.

use super::charts::spectrum::{Role, Spectrum, figure};
use super::document::{Document, Entry, number, table, text};
use super::{Page, ReportError, html, markdown};
use crate::findings::Ruling;
use crate::identify::{Candidate, Excluded, Identification, Interval, Recovered, Verdict};
use crate::measurement::spoken;
use crate::positions::{AnyMethod, HeadShape, Mechanism};
use crate::stats::Estimate;
use crate::units::{Stretch, Tokens};

/// The files of an identification of the outputs in `observed`.
///
/// # Errors
/// [`ReportError`] where the spectrum cannot be drawn.
pub fn identification(
    observed: &str,
    found: &Identification,
    declared: &Candidate,
    heads: &HeadShape,
) -> Result<Vec<Page>, ReportError> {
    let document = document(observed, found, declared, heads)?;
    let mut json = serde_json::to_string_pretty(found)?;
    json.push('\n');
    let mut pages = vec![
        Page::new("identification.json", json),
        Page::new("identification.md", markdown::page(&document)),
        Page::new("identification.html", html::page(&document)),
    ];
    pages.extend(document.figures.iter().map(|figure| Page::new(figure.path(), figure.svg.as_str())));
    Ok(pages)
}

fn document(
    observed: &str,
    found: &Identification,
    declared: &Candidate,
    heads: &HeadShape,
) -> Result<Document, ReportError> {
    let mut document = Document {
        origin: format!("Gyro \u{b7} {observed} \u{b7} declared: {}", spoken(&declared.label())),
        title: "What does this engine really run?".to_owned(),
        answer: found.sentence.clone(),
        tone: Some(match found.verdict {
            Verdict::AsDeclared => Ruling::WithinNoise,
            Verdict::Other => Ruling::Worse,
            Verdict::Unknown => Ruling::Undecided,
        }),
        figures: figure(&spectra(found, declared, heads))?.into_iter().collect(),
        ..Document::default()
    };
    document.heading("What runs");
    document.figure_or("spectrum", "Nothing rotates, or nothing was identified, so there is no spectrum to draw.");
    if let Some(recovered) = &found.recovered {
        recovery(&mut document, recovered, heads);
    }
    document.heading("How well it agrees");
    agreement(&mut document, found);
    document.heading("What does not agree");
    excluded(&mut document, found);
    if !found.anomalies.is_empty() {
        document.heading("What no spectrum explains");
        for anomaly in &found.anomalies {
            document.say(capital(&anomaly.evidence));
        }
    }
    Ok(document)
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

/// What the engine runs, what was declared, and what is nearest.
fn spectra(found: &Identification, declared: &Candidate, heads: &HeadShape) -> Vec<Spectrum> {
    let length = found.agreement.last().map_or(1, |bin| bin.to);
    let trained = stretched(&Candidate::healthy(AnyMethod::unscaled(), Stretch::ONE), heads, length);
    let Some(trained) = trained else { return Vec::new() };
    let against = |frequencies: Vec<f64>| -> Vec<f64> {
        trained.iter().zip(frequencies).map(|(trained, frequency)| trained / frequency).collect()
    };
    let known = |name: &str, role, candidate: &Candidate| {
        let stretches = against(stretched(candidate, heads, length)?);
        Some(Spectrum::known(name, role, stretches.into_iter()))
    };
    let mut spectra: Vec<Spectrum> = Vec::new();
    spectra.extend(known(&format!("{}, declared", declared.label()), Role::Declared, declared));
    if let Some(matched) = &found.matched {
        let candidate = Candidate::healthy(matched.runs.clone(), Stretch(matched.factor));
        let healthy = Some(candidate).filter(|_| matched.fault.is_none() && found.verdict == Verdict::Other);
        spectra.extend(healthy.and_then(|candidate| known(&candidate.label(), Role::Running, &candidate)));
    }
    if let Some(recovered) = &found.recovered {
        if let Some(nearest) = &recovered.nearest
            && let Some(method) = AnyMethod::named(&nearest.method)
        {
            let candidate = Candidate::healthy(method, Stretch(nearest.factor));
            let like = HeadShape {
                theta: nearest.base,
                trained: nearest.trained.map_or(heads.trained, Tokens),
                ..heads.clone()
            };
            let stretches = stretched(&candidate, &like, length).map(against);
            let name = format!("{}, nearest", candidate.label());
            spectra.extend(stretches.map(|stretches| Spectrum::known(&name, Role::Known, stretches.into_iter())));
        }
        let pairs = recovered.inverse_frequencies.iter().zip(&trained).enumerate();
        let points =
            pairs.filter_map(|(pair, (interval, trained))| Some((pair, slowed(*interval, *trained, recovered.n)?)));
        spectra.push(Spectrum { name: "recovered".to_owned(), role: Role::Running, pairs: points.collect() });
    }
    spectra
}

fn slowed(interval: Interval, trained: f64, n: usize) -> Option<Estimate> {
    let (low, high) = (interval.low?, interval.high?);
    let point = interval.point.unwrap_or_else(|| (low * high).sqrt());
    Some(Estimate { point: trained / point, low: trained / high, high: trained / low, confidence: 0.95, n })
}

/// The inverse frequencies of a candidate.
fn stretched(candidate: &Candidate, heads: &HeadShape, length: usize) -> Option<Vec<f64>> {
    match candidate.injected(heads).ok()?.mechanism(Tokens(length)).ok()? {
        Mechanism::Rotate(rotation) => Some(rotation.inverse_frequencies),
        Mechanism::Group(grouping) => Some(grouping.rotation.inverse_frequencies),
        Mechanism::Nothing | Mechanism::Bias(_) | Mechanism::Add(_) => None,
    }
}

fn recovery(document: &mut Document, recovered: &Recovered, heads: &HeadShape) {
    document.say(format!(
        "Recovered from {} log-probabilities of beginnings up to {} tokens, which it explains to {:.1e} nats rms. Intervals \
         are 95 %; a number known worse than 1 % each way is not identifiable from these prompts, and has no point.",
        recovered.n, recovered.length, recovered.rms
    ));
    let unscaled = stretched(&Candidate::healthy(AnyMethod::unscaled(), Stretch::ONE), heads, 1).unwrap_or_default();
    let mut rows: Vec<Vec<Entry>> = Vec::new();
    let mut add = |name: String, interval: Interval, trained: Option<f64>| {
        let shown = |value: Option<f64>| value.map_or_else(|| "\u{2013}".to_owned(), |value| format!("{value:.6e}"));
        let point = interval.point.map_or_else(|| "not identifiable".to_owned(), |point| format!("{point:.6e}"));
        rows.push(vec![
            text(name),
            number(point),
            number(shown(interval.low)),
            number(shown(interval.high)),
            number(shown(trained)),
        ]);
    };
    for (pair, interval) in recovered.inverse_frequencies.iter().enumerate() {
        add(format!("pair {pair}, radians a token"), *interval, unscaled.get(pair).copied());
    }
    recovered.attention_factor.iter().for_each(|interval| add("attention factor".to_owned(), *interval, None));
    for (head, interval) in recovered.slopes.iter().enumerate() {
        add(format!("slope of head {head}, nats a token"), *interval, None);
    }
    for (index, interval) in recovered.values.iter().enumerate() {
        add(format!("learned value {index}"), *interval, None);
    }
    recovered.temperature.iter().for_each(|interval| add("factor on all scores".to_owned(), *interval, None));
    document.blocks.push(table("What was recovered", &["number", "recovered", "low", "high", "as trained"], rows));
}

fn agreement(document: &mut Document, found: &Identification) {
    document.say(format!(
        "Replayed minus observed log-probability by position, under {}; the engine's noise is {:.1e} nats rms, measured on {} \
         tokens behind a single one, where positions cannot matter.",
        if found.matched.is_some() { "the configuration that agrees" } else { "the best configuration found" },
        found.noise,
        found.weights.n
    ));
    let rows = found
        .agreement
        .iter()
        .map(|bin| {
            vec![
                text(format!("{} to {}", bin.from, bin.to)),
                number(format!("{:.1e}", bin.rms)),
                number(format!("{:.1e}", bin.max)),
                number(bin.n.to_string()),
            ]
        })
        .collect();
    document.blocks.push(table("Agreement by position", &["positions", "rms, nats", "largest, nats", "n"], rows));
}

/// Configurations with their residuals.
fn listed(all: &[Excluded]) -> Vec<Vec<Entry>> {
    let row = |other: &Excluded| {
        vec![text(other.label.as_str()), number(format!("{:.1e}", other.rms)), number(other.n.to_string())]
    };
    all.iter().map(row).collect()
}

fn excluded(document: &mut Document, found: &Identification) {
    let as_good = found.matched.as_ref().map(|matched| matched.undecided.as_slice()).unwrap_or_default();
    if !as_good.is_empty() {
        document.say("These requests do not tell the following from what was named; the first in the order of the catalogue was.");
        document.blocks.push(table("What fits as well", &["configuration", "rms, nats", "n"], listed(as_good)));
    }
    if found.excluded.is_empty() {
        return document.say("Nothing else was compared.");
    }
    document.say("The configurations that lasted longest, with the residual that excluded each.");
    document.blocks.push(table("What was excluded", &["configuration", "rms, nats", "n"], listed(&found.excluded)));
}
