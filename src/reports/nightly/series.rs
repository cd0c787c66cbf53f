//! The numbers of all nights as lines over time, and where their level changed.

use serde_json::{Value, json};

use super::{Night, ReportError};
use crate::baselines::Entry;
use crate::stats::{LevelChange, MAX_P, WINDOW, level_changes};

/// One number of one scenario on one machine, night after night.
#[derive(Debug)]
pub struct Series<'a> {
    /// The entries, by night.
    pub entries: Vec<&'a Entry>,
    /// Where the level changed (E-divisive with Student's t), by place among the entries.
    pub changes: Vec<LevelChange>,
}

impl Series<'_> {
    /// What the line shows: `decode at 8,192 tokens`.
    #[must_use]
    pub fn name(&self) -> String {
        let Some(entry) = self.entries.first() else { return String::new() };
        let question = entry.question.replace('_', " ");
        match entry.length {
            Some(length) => format!("{} at {} tokens", entry.quantity, crate::units::Tokens(length as usize)),
            None => question,
        }
    }

    /// The night at which a change begins.
    #[must_use]
    pub fn night_of(&self, change: &LevelChange) -> &str {
        self.entries.get(change.index).map_or("", |entry| entry.night.as_str())
    }
}

/// The lines of a history; a ratio of times is comparable across machines and one line, everything else too.
#[must_use]
pub fn series(history: &[Entry]) -> Vec<Series<'_>> {
    let mut lines: Vec<Series<'_>> = Vec::new();
    for entry in history {
        let same = |line: &&mut Series<'_>| {
            line.entries.first().is_some_and(|first| {
                let key = |entry: &Entry| {
                    let Entry { scenario, question, quantity, length, .. } = entry;
                    (scenario.clone(), question.clone(), quantity.clone(), *length)
                };
                key(first) == key(entry)
            })
        };
        match lines.iter_mut().find(same) {
            Some(line) => line.entries.push(entry),
            None => lines.push(Series { entries: vec![entry], changes: Vec::new() }),
        }
    }
    for line in &mut lines {
        line.entries.sort_by(|a, b| a.night.cmp(&b.night));
        line.entries.retain(|entry| entry.value.point.is_finite());
        let values: Vec<f64> = line.entries.iter().map(|entry| entry.value.point).collect();
        line.changes = level_changes(&values, WINDOW, MAX_P);
    }
    lines
}

/// `summary.json`: every number of the page with the run and the rows that it comes from.
pub(super) fn json(night: &Night, series: &[Series<'_>]) -> Result<Vec<u8>, ReportError> {
    let runs: Vec<Value> = night
        .runs
        .iter()
        .map(|run| json!({ "scenario": run.scenario, "run": run.folder, "exit_code": run.exit_code(), "remarks": run.remarks() }))
        .collect();
    let lines: Vec<Value> =
        series
            .iter()
            .filter_map(|line| {
                let first = line.entries.first()?;
                let nights: Vec<Value> = line
                    .entries
                    .iter()
                    .map(|entry| {
                        json!({
                            "night": entry.night, "run": entry.run, "rows": entry.rows, "commit": entry.commit,
                            "machine": entry.machine, "value": entry.value, "ruling": entry.ruling,
                        })
                    })
                    .collect();
                let changes: Vec<Value> = line.changes.iter().map(|change| json!({
                "night": line.night_of(change), "before": change.before, "after": change.after, "p": change.p,
            })).collect();
                Some(json!({
                    "scenario": first.scenario, "question": first.question, "quantity": first.quantity,
                    "length": first.length, "unit": first.unit, "nights": nights, "changes": changes,
                }))
            })
            .collect();
    let summary = json!({
        "schema": 1, "started": night.started, "exit_code": night.exit_code(), "answer": night.answer(),
        "scenarios": runs, "series": lines,
    });
    let mut bytes = serde_json::to_vec_pretty(&summary)?;
    bytes.push(b'\n');
    Ok(bytes)
}
