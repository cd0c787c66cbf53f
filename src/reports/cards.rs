//! The first screen's rulings: one card a verdict, with change, interval, tolerance, and what it is compared with.

use super::document::Card;
use super::tables::asked;
use super::{Run, evidence, numbers};
use crate::findings::{Ruling, Verdict};

/// One card for each verdict.
pub(super) fn cards(run: &Run<'_>) -> Vec<Card> {
    run.findings.verdicts.iter().map(|verdict| card(run, verdict)).collect()
}

fn card(run: &Run<'_>, verdict: &Verdict) -> Card {
    let unit = verdict.unit.as_str();
    let suffix = numbers::suffix(unit);
    let behind = if suffix.is_empty() { String::new() } else { format!(" {suffix}") };
    // A ratio's two sides are durations; everything else is in the unit of the change.
    let side = if unit == "ratio" { "seconds" } else { unit };
    let mut details = Vec::new();
    let change = verdict.change.map_or_else(
        || "not comparable".to_owned(),
        |e| {
            let bare = |x| numbers::change(unit, x).replace(" points", "");
            details.push(if e.n < 2 {
                "one document, so no interval".to_owned()
            } else {
                format!("{} interval {} to {}, n = {}", numbers::level(e.confidence), bare(e.low), bare(e.high), e.n)
            });
            format!("{}{behind}", numbers::change(unit, e.point))
        },
    );
    details.push(format!("accepted: {}{behind}", numbers::tolerance(unit, verdict.tolerance)));
    let value = |e: Option<crate::stats::Estimate>| e.map(|e| numbers::value(side, e.point));
    details.push(match (value(verdict.deployed), value(verdict.reference)) {
        (Some(deployed), Some(reference)) => format!("{deployed} against {} {reference}", verdict.against),
        (Some(deployed), None) => format!("{deployed}; no {}", verdict.against),
        (None, Some(reference)) => format!("not a number against {} {reference}", verdict.against),
        (None, None) => format!("against {}", verdict.against),
    });
    Card {
        title: asked(verdict),
        ruling: verdict.ruling,
        change,
        details,
        source: evidence::names(run, verdict.question).into_iter().next(),
    }
}

/// The ruling that colours the answer.
pub(super) fn gravest(run: &Run<'_>) -> Ruling {
    let order = [Ruling::Worse, Ruling::Undecided, Ruling::Incomparable, Ruling::Better];
    let verdicts = &run.findings.verdicts;
    order.into_iter().find(|ruling| verdicts.iter().any(|v| v.ruling == *ruling)).unwrap_or(Ruling::WithinNoise)
}
