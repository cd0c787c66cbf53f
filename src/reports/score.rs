//! The score's pages: `score.json`, `report.md`, `report.html` and the confusion matrix.

use super::document::{Block, Document, Entry, Table};
use super::{Page, ReportError, charts, html, markdown};
use crate::findings::Axis;
use crate::score::{Half, Kind, Row, Score, Unseen};
use crate::stats::Estimate;

/// Every page of a score.
///
/// # Errors
/// [`ReportError`] where the chart cannot be drawn or the numbers cannot be written.
pub fn score_pages(score: &Score) -> Result<Vec<Page>, ReportError> {
    let document = Document {
        origin: "Gyro \u{b7} score of the diagnosis".to_owned(),
        title: "Does the diagnosis blame the right fault?".to_owned(),
        answer: score_lead(score),
        tone: None,
        first: Vec::new(),
        blocks: blocks(score),
        figures: vec![charts::confusion_chart(&score.confusion)?],
    };
    let mut pages = vec![
        Page::new("score.json", serde_json::to_vec_pretty(score)?),
        Page::new("report.md", markdown::page(&document)),
        Page::new("report.html", html::page(&document)),
    ];
    pages.extend(document.figures.iter().map(|figure| Page::new(figure.path(), figure.svg.as_str())));
    Ok(pages)
}

/// The score in words, for the terminal and the top of the page.
#[must_use]
pub fn score_lead(score: &Score) -> String {
    format!(
        "Of {} single faults the diagnosis names {} first and {} among its first three; of {} pairs it names both in {}. \
         {} of {} healthy deployments and {} of {} healthy look-alikes raised an alarm.",
        score.faults,
        share(score.intervals.ac1),
        share(score.intervals.ac3),
        score.pairs,
        share(score.intervals.pairs_both),
        score.false_alarms,
        score.healthy_pairs,
        score.negative_controls_flagged,
        score.negative_controls
    )
}

/// A share as a percentage with its interval; a dash where nothing was counted.
fn share(share: Option<Estimate>) -> String {
    share.map_or_else(
        || "-".to_owned(),
        |share| format!("{:.1} % [{:.1}, {:.1}]", 100.0 * share.point, 100.0 * share.low, 100.0 * share.high),
    )
}

fn blocks(score: &Score) -> Vec<Block> {
    let mut blocks = vec![
        Block::Text(
            "Every fault is injected into a reference model; the diagnosis sees an opaque engine and the method and factor \
             that it declares, never the label. Intervals are exact at 95 % confidence (Clopper and Pearson)."
                .to_owned(),
        ),
        Block::Table(shares(score)),
        Block::Figure("confusion".to_owned()),
    ];
    blocks.extend(cost(score).map(Block::Text));
    if !score.no_effect.is_empty() {
        blocks.push(Block::Heading("Faults without a measurable effect".to_owned()));
        blocks.push(Block::Text(format!(
            "Injected into these deployments they change no answer by as much as two sound kernels differ, and no time by a \
             fifth: {}. They must be diagnosed as none; {} were not.",
            score.no_effect.join(", "),
            score.no_effect_flagged.len()
        )));
    }
    if let Some(found) = &score.unseen {
        blocks.extend(unseen(found));
    }
    for (kind, heading) in [
        (Kind::Single, "Single faults"),
        (Kind::Pair, "Pairs"),
        (Kind::Control, "Healthy look-alikes"),
        (Kind::Unseen, "Faults outside of the catalogue"),
    ] {
        let rows: Vec<&Row> = score.rows.iter().filter(|row| row.truth.kind == kind).collect();
        if !rows.is_empty() {
            blocks.push(Block::Heading(heading.to_owned()));
            blocks.push(Block::Table(cases(&rows)));
        }
    }
    let alarms: Vec<&Row> = score.rows.iter().filter(|row| row.truth.kind == Kind::Healthy && row.alarms()).collect();
    if !alarms.is_empty() {
        blocks.push(Block::Heading("False alarms".to_owned()));
        blocks.push(Block::Table(cases(&alarms)));
    }
    blocks
}

fn shares(score: &Score) -> Table {
    let text = |words: &str| Entry::Text(words.to_owned());
    let row = |what: &str, n: usize, ac1: Option<Estimate>, ac3: Option<Estimate>| {
        vec![text(what), Entry::Number(n.to_string()), Entry::Number(share(ac1)), Entry::Number(share(ac3))]
    };
    let half = |what: &str, half: &Half| row(what, half.faults, half.intervals.ac1, half.intervals.ac3);
    Table {
        caption: "Shares of what was named rightly".to_owned(),
        head: ["Faults", "n", "Named first", "Among the first three"].map(str::to_owned).to_vec(),
        rows: vec![
            row("All single faults", score.faults, score.intervals.ac1, score.intervals.ac3),
            half("Those of the development half", &score.by_half.development),
            half("Those held back", &score.by_half.held_back),
            row("Pairs: both among the first three", score.pairs, None, score.intervals.pairs_both),
            row("Healthy deployments: alarms", score.healthy_pairs, score.intervals.false_alarms, None),
        ],
    }
}

/// What the score took, in words; nothing where no case was diagnosed.
fn cost(score: &Score) -> Option<String> {
    let (mean, longest) = (score.seconds?, score.seconds_longest?);
    let processor = score.processor_seconds.zip(score.processor_seconds_longest).map_or_else(String::new, |(all, most)| {
        format!(
            " Of one processor, which other work on the machine does not stretch, all {} cases took {all:.0} s and the \
             costliest {most:.0} s, reading the truth and everything that is replayed once for all included.",
            score.rows.len()
        )
    });
    Some(format!("A diagnosis took {mean:.1} s in the mean and {longest:.1} s at most, by the clock.{processor}"))
}

fn unseen(found: &Unseen) -> Vec<Block> {
    let text = format!(
        "{} faults were taken out of the diagnosis's catalogue before they were injected. `condition` was blamed in {}, the \
         right place in {}, the right first position in {}, all three in {}; in {} another fault of the catalogue agreed \
         exactly.",
        found.faults,
        share(found.axis_right),
        share(found.place_right),
        share(found.onset_right),
        share(found.all_right),
        share(found.mistaken_for_another)
    );
    vec![Block::Heading("Faults that the diagnosis has never heard of".to_owned()), Block::Text(text)]
}

fn cases(rows: &[&Row]) -> Table {
    let onset = |estimate: Option<Estimate>| {
        estimate.map_or_else(|| "-".to_owned(), |at| format!("{} [{}, {}]", at.point, at.low, at.high))
    };
    let entries = |row: &&Row| {
        let first = row.top.first();
        let said: Vec<String> = row.top.iter().take(3).map(|named| named.name.clone()).collect();
        let place = |place: Option<crate::faults::Site>| place.map_or("-", crate::faults::Site::name).to_owned();
        let truth =
            if row.truth.axis == Axis::None { "-".to_owned() } else { place(row.truth.places.first().copied()) };
        vec![
            Entry::Text(row.fault.clone()),
            Entry::Text(row.truth.deployment.clone()),
            Entry::Text(truth),
            Entry::Text(said.join(", ")),
            Entry::Text(place(first.and_then(|named| named.place))),
            Entry::Text(first.map_or_else(String::new, |named| named.shape.clone())),
            Entry::Number(onset(first.and_then(|named| named.onset))),
            Entry::Number(row.cells.to_string()),
            Entry::Number(format!("{:.1}", row.seconds)),
        ]
    };
    Table {
        caption: "Cases, with what was injected and what was named".to_owned(),
        head: ["Injected", "Into", "Place", "Named", "Place named", "Shape", "Onset, tokens", "Engines", "Seconds"]
            .map(str::to_owned)
            .to_vec(),
        rows: rows.iter().map(entries).collect(),
    }
}
