//! A record: cells and what became of them in JSON, their rows in Parquet, tied together by a hash.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{StoreError, disk, rows};
use crate::measurement::{Cell, CellId, Measurement, Outcome};

/// The version of the JSON half.
const FORMAT: u64 = 1;

/// The two files of a record; its JSON half is written last and makes it valid.
pub(super) struct Record {
    pub(super) cells: PathBuf,
    pub(super) rows: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Written {
    format: u64,
    /// The run that it belongs to.
    fingerprint: String,
    /// BLAKE3 of the Parquet half: the halves of two different records are never mixed.
    rows_blake3: String,
    cells: Vec<WrittenCell>,
}

#[derive(Serialize, Deserialize)]
struct WrittenCell {
    id: CellId,
    /// For people only.
    label: String,
    cell: Cell,
    outcome: WrittenOutcome,
    /// Why it failed; null when it was measured.
    reason: Option<String>,
    rows: usize,
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WrittenOutcome {
    Measured,
    Failed,
}

/// Only the version, to tell a later format from a damaged file.
#[derive(Deserialize)]
struct Version {
    format: u64,
}

impl Record {
    /// The record of a finished run or of a baseline.
    pub(super) fn whole(dir: &Path) -> Self {
        Self { cells: dir.join("cells.json"), rows: dir.join("measurements.parquet") }
    }

    /// The record of one cell of a run in progress.
    pub(super) fn part(cells: &Path, id: &str) -> Self {
        Self { cells: cells.join(format!("{id}.json")), rows: cells.join(format!("{id}.parquet")) }
    }

    /// Writes both halves, rows first, each of them atomically.
    ///
    /// # Errors
    /// [`StoreError::Io`] or [`StoreError::Encode`].
    pub(super) fn write(&self, fingerprint: &str, cells: &[(&Cell, &Outcome)]) -> Result<(), StoreError> {
        let every: Vec<&Measurement> = cells.iter().flat_map(|(_, outcome)| rows_of(outcome)).collect();
        let rows = rows::encode_rows(&every)?;
        let written = Written {
            format: FORMAT,
            fingerprint: fingerprint.to_owned(),
            rows_blake3: blake3::hash(&rows).to_hex().to_string(),
            cells: cells.iter().map(|(cell, outcome)| WrittenCell::new(cell, outcome)).collect(),
        };
        let json = to_json(&written)?;
        disk::write_atomically(&self.rows, &rows)?;
        disk::write_atomically(&self.cells, &json)
    }

    /// The fingerprint of the run that it belongs to.
    ///
    /// # Errors
    /// As [`Record::read`], of the JSON half.
    pub(super) fn fingerprint(&self) -> Result<String, StoreError> {
        Ok(from_json::<Written>(&self.cells, FORMAT)?.fingerprint)
    }

    /// Reads both halves back, in the order in which the cells were written.
    ///
    /// # Errors
    /// [`StoreError::Io`] where a half cannot be read, [`StoreError::Newer`] for a later format, [`StoreError::Damaged`]
    /// where the halves do not fit each other.
    pub(super) fn read(&self) -> Result<Vec<(Cell, Outcome)>, StoreError> {
        let written: Written = from_json(&self.cells, FORMAT)?;
        let bytes = disk::read(&self.rows)?;
        if blake3::hash(&bytes).to_hex().as_str() != written.rows_blake3 {
            let what = format!("its content is not the one that {} was written for", self.cells.display());
            return Err(StoreError::Damaged { path: self.rows.clone(), what });
        }
        let mut by_cell: BTreeMap<CellId, Vec<Measurement>> = BTreeMap::new();
        for row in rows::decode(&bytes, &self.rows)? {
            by_cell.entry(row.cell.clone()).or_default().push(row);
        }
        let damaged = |what: String| StoreError::Damaged { path: self.cells.clone(), what };
        let mut cells = Vec::with_capacity(written.cells.len());
        for entry in written.cells {
            if entry.cell.id() != entry.id {
                return Err(damaged(format!("cell {} is described as {}", entry.id, entry.cell.label())));
            }
            let rows = by_cell.remove(&entry.id).unwrap_or_default();
            if rows.len() != entry.rows {
                return Err(damaged(format!("cell {} has {} rows, expected {}", entry.id, rows.len(), entry.rows)));
            }
            let outcome = match entry.outcome {
                WrittenOutcome::Measured => Outcome::Measured(rows),
                WrittenOutcome::Failed => Outcome::Failed { reason: entry.reason.unwrap_or_default() },
            };
            cells.push((entry.cell, outcome));
        }
        match by_cell.into_keys().next() {
            Some(id) => Err(damaged(format!("cell {id} has rows and is not described"))),
            None => Ok(cells),
        }
    }
}

impl WrittenCell {
    fn new(cell: &Cell, outcome: &Outcome) -> Self {
        let (written, reason) = match outcome {
            Outcome::Measured(_) => (WrittenOutcome::Measured, None),
            Outcome::Failed { reason } => (WrittenOutcome::Failed, Some(reason.clone())),
        };
        let rows = rows_of(outcome).len();
        Self { id: cell.id(), label: cell.label(), cell: cell.clone(), outcome: written, reason, rows }
    }
}

/// The rows of a cell; none where it failed.
pub(super) fn rows_of(outcome: &Outcome) -> &[Measurement] {
    match outcome {
        Outcome::Measured(rows) => rows,
        Outcome::Failed { .. } => &[],
    }
}

/// The value as indented JSON with a last newline.
///
/// # Errors
/// [`StoreError::Encode`] where serde refuses.
pub(super) fn to_json(value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    let mut json = serde_json::to_vec_pretty(value).map_err(|error| StoreError::Encode { what: error.to_string() })?;
    json.push(b'\n');
    Ok(json)
}

/// Reads a JSON file of gyro that carries its `format`.
///
/// # Errors
/// [`StoreError::Io`], [`StoreError::Newer`] or [`StoreError::Damaged`].
pub(super) fn from_json<T: for<'de> Deserialize<'de>>(path: &Path, known: u64) -> Result<T, StoreError> {
    let bytes = disk::read(path)?;
    if let Ok(Version { format: found }) = serde_json::from_slice(&bytes)
        && found > known
    {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    serde_json::from_slice(&bytes)
        .map_err(|error| StoreError::Damaged { path: path.to_owned(), what: error.to_string() })
}
