//! A run's folder: every finished cell is on disk before the next one starts.
//!
//! While a run is in progress its folder holds `cells/unfinished.json` (which run) and one record for each cell that is
//! through. Finishing writes the whole record beside them, then removes `cells/unfinished.json`, then the parts: whatever
//! the moment of a crash, the rows are there at least once.

use std::fs;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::lock::Lock;
use super::record::{Record, from_json, rows_of, to_json};
use super::{StoreError, disk};
use crate::measurement::{Cell, CellId, Outcome};

/// The provenance of a run in progress, among its parts.
const DESCRIPTION: &str = "run.json";

/// The version of `cells/unfinished.json`.
const FORMAT: u64 = 1;

/// What to do with an unfinished run in the folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// Go on with it if it is the same run, else start afresh.
    Automatic,
    /// Go on with it; an error if there is none of the same kind.
    Require,
    /// Start afresh, whatever is there.
    Fresh,
}

/// The folder that a run writes to, held against other processes until it is dropped.
#[derive(Debug)]
pub struct RunFolder {
    dir: PathBuf,
    fingerprint: String,
    notes: Vec<String>,
    _lock: Lock,
}

#[derive(Serialize, Deserialize)]
struct Unfinished {
    format: u64,
    fingerprint: String,
}

impl RunFolder {
    /// Opens the folder for one run, and returns the cells that an interrupted run of the same fingerprint has measured.
    ///
    /// The fingerprint is a hash of all that decides the numbers. Cells that failed are not returned: they are tried
    /// again. A part that cannot be read is measured again too, and [`RunFolder::notes`] says so. An unfinished run with
    /// another fingerprint is dropped; the files of a finished run stay until this run's replace them.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another process writes here, [`StoreError::NothingToResume`] if `resume` demands it,
    /// [`StoreError::Io`] if the folder cannot be made or written.
    pub fn open(dir: &Path, fingerprint: &str, resume: Resume) -> Result<(Self, Vec<(CellId, Outcome)>), StoreError> {
        disk::create_folder(dir)?;
        let lock = Lock::take(&dir.join(".lock"), dir)?;
        let mut folder =
            Self { dir: dir.to_owned(), fingerprint: fingerprint.to_owned(), notes: Vec::new(), _lock: lock };
        let unfinished = from_json::<Unfinished>(&folder.unfinished(), FORMAT).ok();
        let same = unfinished.as_ref().is_some_and(|run| run.fingerprint == fingerprint);
        if resume == Resume::Require && !same {
            let why = match unfinished {
                Some(_) => "the unfinished run there is of another scenario, checkpoint, text, option or gyro",
                None => "there is no unfinished run",
            };
            return Err(StoreError::NothingToResume { dir: dir.to_owned(), why });
        }
        if same && resume != Resume::Fresh {
            let measured = folder.measured()?;
            return Ok((folder, measured));
        }
        folder.start_afresh()?;
        Ok((folder, Vec::new()))
    }

    /// What the user should know about the folder's state when it was opened.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Puts a cell's outcome on disk; when this returns, no crash loses it.
    ///
    /// # Errors
    /// [`StoreError::Io`] naming the file, [`StoreError::RowOfAnotherCell`] for rows that are not the cell's.
    pub fn save_cell(&mut self, cell: &Cell, outcome: &Outcome) -> Result<(), StoreError> {
        let id = cell.id();
        if let Some(stray) = rows_of(outcome).iter().find(|row| row.cell != id) {
            return Err(StoreError::RowOfAnotherCell { cell: id.0, row: stray.cell.0.clone() });
        }
        Record::part(&self.parts(), &id.0).write(&self.fingerprint, &[(cell, outcome)])
    }

    /// Writes `measurements.parquet` and `cells.json` for the whole run, in the order given, and drops the parts.
    ///
    /// # Errors
    /// [`StoreError::Io`] naming the file; the parts are still there and the next run resumes from them.
    pub fn finish(self, cells: &[(Cell, Outcome)]) -> Result<(), StoreError> {
        let cells: Vec<_> = cells.iter().map(|(cell, outcome)| (cell, outcome)).collect();
        Record::whole(&self.dir).write(&self.fingerprint, &cells)?;
        self.drop_parts()?;
        // Fails where the user keeps files of their own in there, which then stay.
        let _ = fs::remove_dir(self.parts());
        Ok(())
    }

    /// Keeps what a partial report needs to know of the run while it goes on: the text of its `run.json`.
    ///
    /// # Errors
    /// [`StoreError::Io`] naming the file.
    pub fn describe(&self, provenance: &[u8]) -> Result<(), StoreError> {
        disk::write_atomically(&self.parts().join(DESCRIPTION), provenance)
    }

    /// Writes a page below the folder; see [`write_page`].
    ///
    /// # Errors
    /// As [`write_page`].
    pub fn write(&self, relative: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        write_page(&self.dir, relative, bytes)
    }

    fn parts(&self) -> PathBuf {
        self.dir.join("cells")
    }

    fn unfinished(&self) -> PathBuf {
        self.parts().join("unfinished.json")
    }

    fn start_afresh(&self) -> Result<(), StoreError> {
        disk::create_folder(&self.parts())?;
        self.drop_parts()?;
        let state = Unfinished { format: FORMAT, fingerprint: self.fingerprint.clone() };
        disk::write_atomically(&self.unfinished(), &to_json(&state)?)
    }

    /// Removes the files that this module made in `cells/`; the one that makes the others count goes first, for good.
    fn drop_parts(&self) -> Result<(), StoreError> {
        disk::remove(&self.unfinished())?;
        disk::sync_folder(&self.parts())?;
        for name in names(&self.parts())? {
            if is_part(&name) || disk::is_temporary(&name) || name == DESCRIPTION {
                disk::remove(&self.parts().join(name))?;
            }
        }
        Ok(())
    }

    /// The measured cells among the parts; a part that cannot be read becomes a note.
    fn measured(&mut self) -> Result<Vec<(CellId, Outcome)>, StoreError> {
        let mut measured = Vec::new();
        for id in part_ids(&self.parts())? {
            match read_part(&self.parts(), &id) {
                Ok((cell, outcome @ Outcome::Measured(_))) => measured.push((cell.id(), outcome)),
                Ok((_, Outcome::Failed { .. })) => {}
                Err(error) => self.notes.push(format!("cell {id} is measured again: {error}")),
            }
        }
        Ok(measured)
    }
}

/// Writes a page below a run's folder, whole or not at all; the folders above it are made.
///
/// # Errors
/// [`StoreError::Name`] if the path would leave the folder, [`StoreError::Io`] naming the file.
pub fn write_page(dir: &Path, relative: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let inside =
        relative.file_name().is_some() && relative.components().all(|part| matches!(part, Component::Normal(_)));
    if !inside {
        let name = relative.display().to_string();
        return Err(StoreError::Name { what: "a page", name, expected: "use a path below the run's folder" });
    }
    let path = dir.join(relative);
    disk::create_folder(path.parent().unwrap_or(dir))?;
    disk::write_atomically(&path, bytes)
}

/// Whether the folder holds a finished run of that fingerprint, and no unfinished one.
#[must_use]
pub fn is_finished(dir: &Path, fingerprint: &str) -> bool {
    let unfinished = dir.join("cells/unfinished.json").exists();
    !unfinished && Record::whole(dir).fingerprint().is_ok_and(|found| found == fingerprint)
}

/// Every cell of the run in the folder and what became of it, from its files alone.
///
/// The last finished run wins, in the order of its cells; where there is none, the unfinished one, ordered by id.
///
/// # Errors
/// [`StoreError::NoRun`] for a folder without a run; [`StoreError::Io`], [`StoreError::Damaged`], [`StoreError::Foreign`]
/// or [`StoreError::Newer`] naming the file.
pub fn read_run(dir: &Path) -> Result<Vec<(Cell, Outcome)>, StoreError> {
    let whole = Record::whole(dir);
    let parts = dir.join("cells");
    let unfinished = parts.join("unfinished.json").exists();
    if !unfinished && !whole.cells.exists() {
        return Err(StoreError::NoRun { dir: dir.to_owned() });
    }
    match whole.read() {
        // A crash between the two files of the whole record leaves the parts to read from.
        Err(StoreError::Damaged { .. } | StoreError::Io { .. }) if unfinished => {
            part_ids(&parts)?.iter().map(|id| read_part(&parts, id)).collect()
        }
        read => read,
    }
}

/// The finished cells of a run that is going on, ordered by id, and the text of its `run.json`.
pub type SoFar = (Vec<(Cell, Outcome)>, String);

/// What is known of the run that is going on in the folder; nothing where none is, or an older gyro began it.
///
/// # Errors
/// [`StoreError::Io`] naming the file. Cells that cannot be read are left out: the run measures them again.
pub fn read_unfinished(dir: &Path) -> Result<Option<SoFar>, StoreError> {
    let parts = dir.join("cells");
    if !parts.join("unfinished.json").exists() {
        return Ok(None);
    }
    let Ok(description) = fs::read_to_string(parts.join(DESCRIPTION)) else { return Ok(None) };
    let cells = part_ids(&parts)?.iter().filter_map(|id| read_part(&parts, id).ok()).collect();
    Ok(Some((cells, description)))
}

fn read_part(parts: &Path, id: &str) -> Result<(Cell, Outcome), StoreError> {
    let record = Record::part(parts, id);
    let damaged = |what: &str| StoreError::Damaged { path: record.cells.clone(), what: what.to_owned() };
    let mut cells = record.read()?;
    match (cells.pop(), cells.is_empty()) {
        (Some((cell, outcome)), true) if cell.id().0 == id => Ok((cell, outcome)),
        _ => Err(damaged("it does not describe the one cell that its name says")),
    }
}

/// The ids of the parts, ascending.
fn part_ids(parts: &Path) -> Result<Vec<String>, StoreError> {
    let named = names(parts)?;
    let ids = named.iter().filter(|name| is_part(name)).filter_map(|name| name.strip_suffix(".json"));
    let mut ids: Vec<String> = ids.map(str::to_owned).collect();
    ids.sort();
    Ok(ids)
}

/// Whether the name is a cell's id with one of the two endings of a record.
fn is_part(name: &str) -> bool {
    let id = name.strip_suffix(".json").or_else(|| name.strip_suffix(".parquet"));
    id.is_some_and(|id| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The names in a folder that are UTF-8, as all of gyro's are.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, StoreError> {
    let refused = |cause| StoreError::Io { doing: "read the folder", path: folder.to_owned(), cause };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(refused)? {
        if let Ok(name) = entry.map_err(refused)?.file_name().into_string() {
            names.push(name);
        }
    }
    Ok(names)
}
