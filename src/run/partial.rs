//! The report of a run that is still going on, from the cells that are on disk.

use std::path::Path;

use anyhow::Context;

use super::cells::cells_of;
use super::{Finished, finalists, findings};
use crate::baselines;
use crate::measurement::with_latency;
use crate::provenance::Provenance;
use crate::reports::{self, Page};
use crate::scenario::{self, Scenario};

/// The run that is going on in the folder, as far as it has come; nothing where none is.
pub(super) fn partial(dir: &Path) -> anyhow::Result<Option<Finished>> {
    let Some((cells, description)) = baselines::read_unfinished(dir)? else { return Ok(None) };
    let provenance: Provenance = serde_json::from_str(&description).context("cells/run.json is damaged")?;
    let scenario = scenario(&provenance)?;
    let all = cells_of(&scenario);
    let mut waiting: Vec<String> = all
        .iter()
        .filter(|cell| !cells.iter().any(|(done, _)| done == *cell))
        .map(crate::measurement::Cell::label)
        .collect();
    let measured = all.len() - waiting.len();
    if finalists::next(&scenario, &provenance, &cells).is_some() {
        waiting.push("the timings of the best candidates".to_owned());
    }
    let shared = with_latency(cells.clone());
    let mut findings = findings(&scenario, &cells, &shared);
    let state = format!(
        "This run is still going on: {measured} of {} cells are measured, and every number here may change. Not measured \
         yet: {}.",
        all.len(),
        waiting.join(", ")
    );
    // Nothing may be recommended before every candidate was heard.
    findings.recommendation = None;
    findings.answer = format!("{state} So far: {}", findings.answer);
    findings.notes.insert(0, state);
    Ok(Some(Finished { folder: dir.to_owned(), findings, cells: shared, provenance, page: "partial", gate: None }))
}

/// The scenario that a run was made from, in the form that it was made in.
pub(super) fn scenario(provenance: &Provenance) -> anyhow::Result<Scenario> {
    let mut scenario = scenario::recorded(Path::new(&provenance.scenario_path), &provenance.scenario_text)
        .context("the run's scenario cannot be read again; run gyro in the folder where the run was made")?;
    if provenance.quick {
        scenario = scenario.quick();
    }
    if let Some(label) = &provenance.only {
        scenario = scenario.only(label)?;
    }
    Ok(scenario)
}

/// The pages of a run in progress; a finished run's pages in the same folder stay.
pub(super) fn pages(partial: &Finished) -> anyhow::Result<Vec<Page>> {
    let run = partial.run();
    let story = reports::Story::of(&run)?;
    let mut document = story.document;
    for figure in &mut document.figures {
        figure.name = format!("partial_{}", figure.name);
    }
    for block in &mut document.blocks {
        if let reports::document::Block::Figure(name) = block {
            *name = format!("partial_{name}");
        }
    }
    let text = |path: &str, text: String| Page { path: path.into(), bytes: text.into_bytes() };
    let mut pages = vec![
        text("partial.html", reports::html::page(&document)),
        text("partial.md", reports::markdown::page(&document)),
    ];
    pages.extend(document.figures.iter().map(|figure| text(&figure.path(), figure.svg.clone())));
    Ok(pages)
}
