//! Files that are either whole or not there.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::StoreError;

/// Writes a file so that a crash at any moment leaves either the old content or the new one, never a part.
///
/// The caller sees to it that no other process writes the same file: the temporary name is always the same, so that
/// crashes do not pile up leftovers.
///
/// # Errors
/// [`StoreError::Io`], naming the file; the temporary file is removed.
pub(super) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let temporary = path.with_file_name(temporary_name(path));
    let written = write_synced(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if let Err(cause) = written {
        // The failure to report is the first one; a leftover is overwritten by the next attempt.
        let _ = fs::remove_file(&temporary);
        return Err(StoreError::Io { doing: "write", path: path.to_owned(), cause });
    }
    match path.parent() {
        Some(folder) => sync_folder(folder),
        None => Ok(()),
    }
}

/// The file's whole content.
///
/// # Errors
/// [`StoreError::Io`], naming the file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, StoreError> {
    fs::read(path).map_err(|cause| StoreError::Io { doing: "read", path: path.to_owned(), cause })
}

/// Creates a folder and those above it; one that exists is fine.
///
/// # Errors
/// [`StoreError::Io`], naming the folder.
pub(super) fn create_folder(path: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(path).map_err(|cause| StoreError::Io {
        doing: "create the folder",
        path: path.to_owned(),
        cause,
    })
}

/// Removes a file; one that is not there is fine.
///
/// # Errors
/// [`StoreError::Io`], naming the file.
pub(super) fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::Io { doing: "remove", path: path.to_owned(), cause })
        }
        _ => Ok(()),
    }
}

/// Makes renames and removals in the folder survive a power failure.
///
/// # Errors
/// [`StoreError::Io`], naming the folder.
pub(super) fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    // `Path::parent` of a bare file name is the empty path, which means the current folder.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    // Only Unix opens folders as files; elsewhere the rename alone has to do.
    if cfg!(unix) {
        let synced = File::open(folder).and_then(|opened| opened.sync_all());
        return synced.map_err(|cause| StoreError::Io { doing: "write", path: folder.to_owned(), cause });
    }
    Ok(())
}

/// Whether the name is one that [`write_atomically`] gives to a file which is not whole yet.
pub(super) fn is_temporary(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(TEMPORARY)
}

const TEMPORARY: &str = ".gyro-tmp";

fn temporary_name(path: &Path) -> OsString {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(TEMPORARY);
    name
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
