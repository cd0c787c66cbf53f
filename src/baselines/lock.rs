//! A folder held against other processes.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::StoreError;

/// How often and how long a held lock is waited for: half a second, far less than a run takes.
const TRIES: usize = 10;
const PAUSE: Duration = Duration::from_millis(50);

/// A lock that the kernel releases when the process ends, however it ends.
///
/// The file stays: removing it would let two processes hold locks on two files of the same name.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of that file; `dir` is what it stands for in messages.
    ///
    /// # Errors
    /// [`StoreError::Locked`] where another process holds it for longer than half a second, [`StoreError::Io`].
    pub fn take(path: &Path, dir: &Path) -> Result<Self, StoreError> {
        let refused = |cause| StoreError::Io { doing: "lock", path: path.to_owned(), cause };
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(refused)?;
        // A process that is being started elsewhere holds every open file for the moment until it becomes its own program.
        for _ in 0..TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
                Err(TryLockError::Error(cause)) => return Err(refused(cause)),
            }
        }
        Err(StoreError::Locked { dir: dir.to_owned() })
    }
}
