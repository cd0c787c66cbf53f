//! Rows on disk: a run's folder, and the baselines that later runs are compared with.
//!
//! A *record* is a pair of files: `cells.json` says which cells there are and what became of them, `measurements.parquet`
//! holds their rows. A run in progress keeps one small record for each finished cell ([`RunFolder`]), a finished run keeps
//! one for all of them, and a baseline is a copy of a finished run's record with its provenance. All of it is read back
//! from files alone ([`read_run`], [`show`]).

mod baseline;
mod calibration;
mod compare;
mod date;
mod disk;
mod error;
mod folder;
mod gate;
mod history;
mod lock;
mod parquet;
mod parts;
mod quality;
mod record;
mod rows;
mod side;
mod speed;
mod tracked;

pub use baseline::{Acceptance, Baseline, BaselineRecord, list, save, show};
pub use calibration::{Calibration, calibrate};
pub use compare::{ALPHA, Test, compare};
pub use date::rfc3339;
pub use error::StoreError;
pub use folder::{Resume, RunFolder, SoFar, is_finished, read_run, read_unfinished, write_page};
pub use gate::{CellChanges, GATE, Gate, cell_changes, null_control};
pub use history::{Entry, append, history};
pub use lock::Lock;
pub use rows::{SCHEMA, decode, encode};
pub use side::Side;
pub use tracked::{Tracked, tracked};
