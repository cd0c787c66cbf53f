//! The history of nightly runs: an append-only folder of Parquet files, one for each run of a scenario.
//!
//! A file is written once, under a temporary name, synced and renamed, and never touched again. So a process that is killed at
//! any moment leaves a history that is as it was, or longer by one whole run. Any tool reads `history/*/*.parquet` as one table.

use std::fs;
use std::path::Path;

use polars::prelude::*;

use super::lock::Lock;
use super::parquet::{Schema, Table, decode_columns, encode_columns, present};
use super::{StoreError, disk, folder};

/// The version of the columns; raised when one changes its meaning.
const VERSION: Schema = ("gyro.history", 1);

/// One number of one run of one scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// When the night began, in UTC.
    pub night: String,
    /// The scenario's name.
    pub scenario: String,
    /// Gyro's commit; absent where it is unknown.
    pub commit: Option<String>,
    /// What durations depend on: [`crate::provenance::Provenance::machine_fingerprint`].
    pub machine: String,
    /// The run's folder, relative to the night's summary.
    pub run: String,
    /// BLAKE3 hash of the rows that the number was computed from.
    pub rows: String,
    /// The question's name.
    pub question: String,
    /// The quantity's name.
    pub quantity: String,
    /// The context length in tokens; absent where documents are averaged.
    pub length: Option<u32>,
    /// The unit of the value.
    pub unit: String,
    /// The value with its interval.
    pub value: crate::stats::Estimate,
    /// The ruling against the baseline; absent where nothing was compared.
    pub ruling: Option<String>,
}

/// Adds a run of a scenario to the history, once: a run of the same night is not added again.
///
/// # Errors
/// [`StoreError::Io`] naming the file, [`StoreError::Locked`] while another process appends, [`StoreError::Name`] for a
/// night or scenario that is no plain file name.
pub fn append(root: &Path, night: &str, scenario: &str, entries: &[Entry]) -> Result<(), StoreError> {
    for name in [night, scenario] {
        super::baseline::check_name("a history", name)?;
    }
    let home = root.join(scenario);
    disk::create_folder(&home)?;
    let _lock = Lock::take(&root.join(".lock"), root)?;
    let path = home.join(format!("{night}.parquet"));
    if path.exists() {
        return Ok(());
    }
    disk::write_atomically(&path, &encode_columns(entries.len(), columns(entries), VERSION)?)
}

/// Every entry, by scenario and night; none where the folder does not exist.
///
/// # Errors
/// [`StoreError::Io`], [`StoreError::Damaged`], [`StoreError::Foreign`] or [`StoreError::Newer`], naming the file.
pub fn history(root: &Path) -> Result<Vec<Entry>, StoreError> {
    let mut entries = Vec::new();
    if !root.exists() {
        return Ok(entries);
    }
    let sorted = |path: &Path| -> Result<Vec<String>, StoreError> {
        let mut names = folder::names(path)?;
        names.retain(|name| !name.starts_with('.'));
        names.sort();
        Ok(names)
    };
    for scenario in sorted(root)? {
        let home = root.join(scenario);
        for name in if home.is_dir() { sorted(&home)? } else { Vec::new() } {
            let path = home.join(&name);
            if name.ends_with(".parquet") && fs::metadata(&path).is_ok_and(|data| data.is_file()) {
                entries.extend(read(&decode_columns(&disk::read(&path)?, &path, VERSION)?)?);
            }
        }
    }
    Ok(entries)
}

fn columns(entries: &[Entry]) -> Vec<Column> {
    let text =
        |name: &str, of: fn(&Entry) -> &str| Column::new(name.into(), entries.iter().map(of).collect::<Vec<_>>());
    let maybe = |name: &str, of: fn(&Entry) -> Option<&str>| {
        Column::new(name.into(), entries.iter().map(of).collect::<Vec<_>>())
    };
    let number =
        |name: &str, of: fn(&Entry) -> f64| Column::new(name.into(), entries.iter().map(of).collect::<Vec<_>>());
    vec![
        text("night", |entry| &entry.night),
        text("scenario", |entry| &entry.scenario),
        maybe("commit", |entry| entry.commit.as_deref()),
        text("machine", |entry| &entry.machine),
        text("run", |entry| &entry.run),
        text("rows", |entry| &entry.rows),
        text("question", |entry| &entry.question),
        text("quantity", |entry| &entry.quantity),
        Column::new("length".into(), entries.iter().map(|entry| entry.length).collect::<Vec<_>>()),
        text("unit", |entry| &entry.unit),
        number("value", |entry| entry.value.point),
        number("low", |entry| entry.value.low),
        number("high", |entry| entry.value.high),
        number("confidence", |entry| entry.value.confidence),
        Column::new("n".into(), entries.iter().map(|entry| entry.value.n as u32).collect::<Vec<_>>()),
        maybe("ruling", |entry| entry.ruling.as_deref()),
    ]
}

fn read(table: &Table<'_>) -> Result<Vec<Entry>, StoreError> {
    let text = |name: &'static str, row: usize| -> Result<String, StoreError> {
        Ok(present(table.texts(name)?.get(row), table, name, row)?.to_owned())
    };
    let number = |name: &'static str, row: usize| present(table.numbers(name)?.get(row), table, name, row);
    let maybe = |name: &'static str, row: usize| -> Result<Option<String>, StoreError> {
        Ok(table.texts(name)?.get(row).map(str::to_owned))
    };
    (0..table.height())
        .map(|row| {
            Ok(Entry {
                night: text("night", row)?,
                scenario: text("scenario", row)?,
                commit: maybe("commit", row)?,
                machine: text("machine", row)?,
                run: text("run", row)?,
                rows: text("rows", row)?,
                question: text("question", row)?,
                quantity: text("quantity", row)?,
                length: table.counts("length")?.get(row),
                unit: text("unit", row)?,
                value: crate::stats::Estimate {
                    point: number("value", row)?,
                    low: number("low", row)?,
                    high: number("high", row)?,
                    confidence: number("confidence", row)?,
                    n: present(table.counts("n")?.get(row), table, "n", row)? as usize,
                },
                ruling: maybe("ruling", row)?,
            })
        })
        .collect()
}
