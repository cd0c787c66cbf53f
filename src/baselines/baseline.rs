//! Baselines: finished runs that were blessed under a name, `baselines/<scenario>/<name>/`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::lock::Lock;
use super::record::{Record, from_json, rows_of, to_json};
use super::{StoreError, date, disk, folder};
use crate::findings::{Findings, SCHEMA};
use crate::measurement::{Cell, CellId, Outcome};
use crate::provenance::Provenance;

/// The version of `baseline.json`; a later gyro reads every earlier one.
const FORMAT: u64 = 2;

/// The files of a run that a baseline keeps, byte for byte.
const COPIED: [&str; 4] = ["measurements.parquet", "cells.json", "run.json", "findings.json"];

/// What `baseline.json` says; what format 1 did not say is empty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BaselineRecord {
    /// The version of this file.
    pub format: u64,
    /// The scenario's name.
    pub scenario: String,
    /// The baseline's name.
    pub name: String,
    /// When it was saved, in UTC: `2026-03-01T09:05:00Z`.
    pub saved: String,
    /// Why it replaced the one before; null for the first.
    pub reason: Option<String>,
    /// Who accepted it; null where nobody was named.
    #[serde(default)]
    pub accepted_by: Option<String>,
    /// What the run was worse in when it was accepted, one sentence each.
    #[serde(default)]
    pub worse: Vec<String>,
    /// When the baseline that it replaced was saved; null for the first.
    #[serde(default)]
    pub replaces: Option<String>,
    /// The cell that was deployed.
    pub deployed: CellId,
    /// The protocols of its rows, ascending.
    pub protocols: Vec<String>,
    /// BLAKE3 hash of each file that was kept.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
}

/// What a user says when a run becomes a baseline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acceptance {
    /// Why it replaces the one before; absent where there is none.
    pub reason: Option<String>,
    /// Who says so.
    pub by: Option<String>,
    /// What the run is worse in, one sentence each.
    pub worse: Vec<String>,
}

/// A baseline as it lies on disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// What it is.
    pub record: BaselineRecord,
    /// Every cell and what became of it.
    pub cells: Vec<(Cell, Outcome)>,
    /// Where its numbers come from: `run.json` as it was.
    pub run: Value,
    /// What was found then.
    pub findings: Findings,
}

impl Baseline {
    /// Where its numbers come from.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where `run.json` is not one.
    pub fn provenance(&self) -> Result<Provenance, StoreError> {
        serde_json::from_value(self.run.clone())
            .map_err(|error| StoreError::Damaged { path: "run.json".into(), what: error.to_string() })
    }
}

/// Keeps a finished run as the baseline `root/<scenario>/<name>`, whole or not at all.
///
/// Without a reason an existing baseline is never touched; with one it is replaced.
///
/// # Errors
/// [`StoreError::Taken`] or [`StoreError::NoReason`] where the name exists or the reason is blank, [`StoreError::Name`]
/// for a name that is no plain file name, [`StoreError::Unfit`] for a run that is unfinished or has no rows of its
/// deployed cell, [`StoreError::Locked`] while another process saves, and what [`super::read_run`] returns.
pub fn save(
    root: &Path,
    scenario: &str,
    name: &str,
    run_dir: &Path,
    acceptance: &Acceptance,
) -> Result<BaselineRecord, StoreError> {
    check_name("a scenario's folder", scenario)?;
    check_name("a baseline", name)?;
    let reason = acceptance.reason.as_deref().map(str::trim);
    if reason == Some("") {
        return Err(StoreError::NoReason);
    }
    let home = root.join(scenario);
    let target = home.join(name);
    let taken = |replaced: Option<&PathBuf>| match (replaced, reason) {
        (Some(_), None) => Err(StoreError::Taken { scenario: scenario.to_owned(), name: name.to_owned() }),
        _ => Ok(()),
    };
    taken(place_of(&home, name).as_ref())?;
    let mut record = describe(scenario, name, run_dir, acceptance)?;
    disk::create_folder(&home)?;
    let _lock = Lock::take(&root.join(format!(".{scenario}.lock")), &home)?;
    let [staged, aside] = ["new", "old"].map(|ending| home.join(format!(".{name}.{ending}")));
    recover(&target, &staged, &aside)?;
    let replaced = place_of(&home, name);
    taken(replaced.as_ref())?;
    record.replaces = match replaced {
        // A broken baseline may be replaced all the same.
        Some(dir) => from_json::<BaselineRecord>(&dir.join("baseline.json"), FORMAT).ok().map(|old| old.saved),
        None => None,
    };
    let kept = stage(&staged, run_dir, &mut record).and_then(|()| replace(&staged, &target, &aside));
    if kept.is_err() {
        // The failure to report is the first one.
        let _ = fs::remove_dir_all(&staged);
    }
    kept.map(|()| record)
}

/// Where a baseline lies: under its name, or aside where a process was killed while it replaced it.
fn place_of(home: &Path, name: &str) -> Option<PathBuf> {
    let whole = |dir: &PathBuf| dir.join("baseline.json").exists();
    let target = home.join(name);
    Some(target.clone()).filter(|dir| dir.exists()).or_else(|| Some(home.join(format!(".{name}.old"))).filter(whole))
}

/// Cleans up behind a process that was killed while it saved: the old baseline comes back, half-made ones go.
fn recover(target: &Path, staged: &Path, aside: &Path) -> Result<(), StoreError> {
    let refused = |path: &Path| {
        let path = path.to_owned();
        move |cause| StoreError::Io { doing: "write", path, cause }
    };
    if aside.exists() {
        if target.exists() {
            fs::remove_dir_all(aside).map_err(refused(aside))?;
        } else {
            fs::rename(aside, target).map_err(refused(target))?;
        }
    }
    if staged.exists() {
        fs::remove_dir_all(staged).map_err(refused(staged))?;
    }
    Ok(())
}

/// Every baseline below `root`, by scenario and name; none where the folder does not exist.
///
/// # Errors
/// [`StoreError::Io`], [`StoreError::Damaged`] or [`StoreError::Newer`], naming the file.
pub fn list(root: &Path) -> Result<Vec<BaselineRecord>, StoreError> {
    let mut records = Vec::new();
    for scenario in folders(root)? {
        let home = root.join(scenario);
        for name in baselines_in(&home)? {
            if let Some(dir) = place_of(&home, &name).filter(|dir| dir.join("baseline.json").exists()) {
                records.push(from_json(&dir.join("baseline.json"), FORMAT)?);
            }
        }
    }
    Ok(records)
}

/// The baseline `root/<scenario>/<name>` with its rows and provenance.
///
/// # Errors
/// [`StoreError::NoBaseline`] naming those that exist; [`StoreError::Io`], [`StoreError::Damaged`],
/// [`StoreError::Foreign`] or [`StoreError::Newer`], naming the file.
pub fn show(root: &Path, scenario: &str, name: &str) -> Result<Baseline, StoreError> {
    check_name("a scenario's folder", scenario)?;
    check_name("a baseline", name)?;
    let home = root.join(scenario);
    let Some(dir) = place_of(&home, name) else {
        let known = baselines_in(&home)?.join(", ");
        let known = if known.is_empty() { "none".to_owned() } else { known };
        return Err(StoreError::NoBaseline { scenario: scenario.to_owned(), name: name.to_owned(), known });
    };
    let record: BaselineRecord = from_json(&dir.join("baseline.json"), FORMAT)?;
    for (file, hash) in &record.files {
        let path = dir.join(file);
        if blake3::hash(&disk::read(&path)?).to_hex().as_str() != hash {
            return Err(StoreError::Damaged { path, what: "its content was changed since it was saved".to_owned() });
        }
    }
    Ok(Baseline {
        record,
        cells: Record::whole(&dir).read()?,
        run: from_json(&dir.join("run.json"), u64::MAX)?,
        findings: read_findings(&dir)?,
    })
}

/// The names of a scenario's baselines, ascending: those under their name, and those that a killed process left aside.
fn baselines_in(home: &Path) -> Result<Vec<String>, StoreError> {
    let mut names: BTreeSet<String> = folders(home)?.into_iter().collect();
    if home.exists() {
        let aside = folder::names(home)?;
        names.extend(aside.iter().filter_map(|name| name.strip_prefix('.')?.strip_suffix(".old").map(str::to_owned)));
    }
    Ok(names.into_iter().collect())
}

/// Checks that the run is fit to be a baseline, and describes it.
fn describe(scenario: &str, name: &str, run_dir: &Path, acceptance: &Acceptance) -> Result<BaselineRecord, StoreError> {
    let unfit = |why: String| StoreError::Unfit { dir: run_dir.to_owned(), why };
    if let Some(missing) = COPIED.iter().find(|file| !run_dir.join(file).exists()) {
        return Err(unfit(format!("it has no {missing}")));
    }
    let cells = Record::whole(run_dir).read()?;
    let findings = read_findings(run_dir)?;
    let label = &findings.deployed;
    let deployed = cells.iter().find(|(cell, _)| cell.label() == *label);
    let (cell, outcome) = deployed.ok_or_else(|| unfit(format!("it has no cell of its deployed `{label}`")))?;
    if rows_of(outcome).is_empty() {
        return Err(unfit(format!("its deployed cell `{label}` was not measured")));
    }
    let rows = cells.iter().flat_map(|(_, outcome)| rows_of(outcome));
    let protocols: BTreeSet<&str> = rows.map(|row| row.reading.protocol.as_str()).collect();
    Ok(BaselineRecord {
        format: FORMAT,
        scenario: scenario.to_owned(),
        name: name.to_owned(),
        saved: date::rfc3339(SystemTime::now()),
        reason: acceptance.reason.as_deref().map(|reason| reason.trim().to_owned()),
        accepted_by: acceptance.by.clone(),
        worse: acceptance.worse.clone(),
        replaces: None,
        deployed: cell.id(),
        protocols: protocols.into_iter().map(str::to_owned).collect(),
        files: BTreeMap::new(),
    })
}

/// `findings.json` calls its version `schema`.
fn read_findings(dir: &Path) -> Result<Findings, StoreError> {
    let path = dir.join("findings.json");
    let findings: Findings = from_json(&path, u64::MAX)?;
    if findings.schema > SCHEMA {
        return Err(StoreError::Newer { path, found: findings.schema.into(), known: SCHEMA.into() });
    }
    Ok(findings)
}

/// Puts the whole baseline under a name of its own, where nobody reads it yet.
fn stage(staged: &Path, run_dir: &Path, record: &mut BaselineRecord) -> Result<(), StoreError> {
    disk::create_folder(staged)?;
    for file in COPIED {
        let bytes = disk::read(&run_dir.join(file))?;
        disk::write_atomically(&staged.join(file), &bytes)?;
        record.files.insert(file.to_owned(), blake3::hash(&bytes).to_hex().to_string());
    }
    disk::write_atomically(&staged.join("baseline.json"), &to_json(record)?)?;
    // The run may have been replaced between the check and the copy.
    Record::whole(staged).read().map(|_| ())
}

/// Gives the staged folder its name. One folder cannot take another's place in one step: the old one steps aside first,
/// where it is found should the process be killed in between, and comes back if the new one cannot be put there.
fn replace(staged: &Path, target: &Path, aside: &Path) -> Result<(), StoreError> {
    let refused = |cause| StoreError::Io { doing: "write", path: target.to_owned(), cause };
    let replaced = target.exists();
    if replaced {
        fs::rename(target, aside).map_err(refused)?;
    }
    if let Err(cause) = fs::rename(staged, target) {
        if replaced {
            fs::rename(aside, target).map_err(refused)?;
        }
        return Err(refused(cause));
    }
    disk::sync_folder(target.parent().unwrap_or(target))?;
    if replaced {
        fs::remove_dir_all(aside).map_err(|cause| StoreError::Io {
            doing: "remove the replaced baseline",
            path: aside.to_owned(),
            cause,
        })?;
    }
    Ok(())
}

/// Names become folders: plain ones only, so that none leaves `baselines/` or hides in it.
pub(super) fn check_name(what: &'static str, name: &str) -> Result<(), StoreError> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.is_empty() && name.len() <= 100 && !name.starts_with('.') && name.chars().all(plain) {
        return Ok(());
    }
    let expected = "use at most 100 letters, digits, `-`, `_` and `.`, not starting with a dot";
    Err(StoreError::Name { what, name: name.to_owned(), expected })
}

/// The folders in a folder that are not hidden, ascending; none where it does not exist.
fn folders(parent: &Path) -> Result<Vec<String>, StoreError> {
    if !parent.exists() {
        return Ok(Vec::new());
    }
    let mut found = folder::names(parent)?;
    found.retain(|name| !name.starts_with('.') && parent.join(name).is_dir());
    found.sort();
    Ok(found)
}
