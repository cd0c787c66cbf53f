//! Rows on disk: a run's folder, and the baselines that later runs are compared with.
//!
//! A *record* is a pair of files: `cells.json` says which cells there are and what became of them, `measurements.parquet`
//! holds their rows. A run in progress keeps one small record for each finished cell ([`RunFolder`]), a finished run keeps
//! one for all of them, and a baseline is a copy of a finished run's record with its provenance. All of it is read back
//! from files alone ([`read_run`], [`show`]).

mod baseline;
mod compare;
mod date;
mod disk;
mod error;
mod folder;
mod record;
mod rows;

pub use baseline::{Baseline, BaselineRecord, list, save, show};
pub use compare::{Side, compare};
pub use date::rfc3339;
pub use error::StoreError;
pub use folder::{Resume, RunFolder, read_run, read_unfinished, write_page};
pub use rows::{SCHEMA, decode, encode};
