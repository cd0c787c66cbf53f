//! What can go wrong between rows and the disk.

use std::io;
use std::path::PathBuf;

/// Why a file of a run or a baseline could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system refused; the file as it was before is untouched.
    #[error("cannot {doing} {}: {cause}\nhint: {}", .path.display(), hint(.cause))]
    Io {
        /// What was attempted, as a verb: `write`.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's words.
        cause: io::Error,
    },
    /// The file is gyro's, but broken: truncated, changed by hand, or the disk is failing.
    #[error("{} is damaged: {what}\nhint: restore the file from a copy, or measure again with `gyro diagnose`", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// The file was not written by gyro.
    #[error("{} is not a file of gyro: {what}\nhint: name the folder of a run, as `gyro diagnose` wrote it", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is missing.
        what: String,
    },
    /// The file was written by a later gyro.
    #[error("{} has format {found}, this gyro reads up to {known}\nhint: use the gyro that wrote it, or a later one", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The latest format that is understood here.
        known: u64,
    },
    /// Another process holds the folder.
    #[error("another run is writing here: {}\nhint: wait for it to end, or choose another folder with --out", .dir.display())]
    Locked {
        /// The folder.
        dir: PathBuf,
    },
    /// A resume was demanded, and there is no unfinished run of the same kind.
    #[error("nothing to resume in {}: {why}\nhint: leave out --resume to start from the beginning", .dir.display())]
    NothingToResume {
        /// The folder.
        dir: PathBuf,
        /// What lies there instead.
        why: &'static str,
    },
    /// The folder holds no run.
    #[error("no run in {}\nhint: make one with `gyro diagnose SCENARIO.yaml --out {}`", .dir.display(), .dir.display())]
    NoRun {
        /// The folder.
        dir: PathBuf,
    },
    /// A row was handed over with a cell that it does not belong to.
    #[error("a row of cell {row} was saved under cell {cell}\nhint: this is a fault of gyro; please report it")]
    RowOfAnotherCell {
        /// The cell under which it was saved.
        cell: String,
        /// The cell that it names.
        row: String,
    },
    /// The rows could not be put into Parquet.
    #[error("cannot encode the rows: {what}\nhint: this is a fault of gyro; please report it")]
    Encode {
        /// The encoder's words.
        what: String,
    },
    /// A page or a baseline was given a name that would leave its folder.
    #[error("{what} cannot be named `{name}`\nhint: {expected}")]
    Name {
        /// What was to be named.
        what: &'static str,
        /// The name.
        name: String,
        /// Which names are fine.
        expected: &'static str,
    },
    /// The baseline exists already.
    #[error(
        "baseline `{name}` of `{scenario}` exists already\nhint: replace it with `gyro baseline accept --name {name} --reason TEXT`, or save under another name"
    )]
    Taken {
        /// The scenario.
        scenario: String,
        /// The baseline.
        name: String,
    },
    /// A baseline was to be replaced without saying why.
    #[error("a baseline is replaced only for a reason\nhint: say it with --reason TEXT")]
    NoReason,
    /// The run cannot serve as a baseline.
    #[error("the run in {} cannot be a baseline: {why}\nhint: run `gyro diagnose` again until it finishes", .dir.display())]
    Unfit {
        /// The run's folder.
        dir: PathBuf,
        /// What it lacks.
        why: String,
    },
    /// There is no such baseline.
    #[error(
        "no baseline `{name}` of `{scenario}`; known: {known}\nhint: make one with `gyro baseline save SCENARIO.yaml --name {name}`"
    )]
    NoBaseline {
        /// The scenario.
        scenario: String,
        /// The baseline.
        name: String,
        /// The names that exist, separated by commas, or `none`.
        known: String,
    },
}

/// The next step for the operating system's refusals that a user can do something about.
fn hint(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space and start again; the cells that are finished are kept"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "choose a folder that you may write to with --out, or change its permissions"
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists | io::ErrorKind::IsADirectory => {
            "something else has this name; move it away or choose another folder with --out"
        }
        io::ErrorKind::NotFound => "check the path",
        _ => "check the path and the disk",
    }
}
