//! Tables as Parquet files that say themselves whether they are whole.
//!
//! # The seal
//! The Parquet decoder trusts what a file says about itself: on a flipped byte it panics, or asks for exabytes and aborts
//! the process, which nothing can catch. So the file carries a BLAKE3 hash of itself in its key-value metadata, taken
//! with zeros in the hash's own place, and only a file whose hash fits reaches the decoder.

use std::io::Cursor;
use std::ops::Range;
use std::path::Path;

use polars::prelude::*;

use super::StoreError;

/// The key of the table's version in the file's key-value metadata, and the version.
pub(super) type Schema = (&'static str, u64);

/// The key of the seal, and how Thrift introduces its value there: a string (`0x18`) of 64 bytes.
const SEAL_KEY: &str = "gyro.blake3";
const SEAL_MARK: &[u8] = b"gyro.blake3\x18\x40";
const UNSEALED: [u8; 64] = [b'0'; 64];

/// The columns as the bytes of a sealed Parquet file; the same columns give the same bytes.
///
/// # Errors
/// [`StoreError::Encode`] where polars refuses.
pub(super) fn encode_columns(height: usize, columns: Vec<Column>, schema: Schema) -> Result<Vec<u8>, StoreError> {
    let refused = |error: PolarsError| StoreError::Encode { what: error.to_string() };
    let mut table = DataFrame::new(height, columns).map_err(refused)?;
    let pairs = [(schema.0, schema.1.to_string()), (SEAL_KEY, "0".repeat(UNSEALED.len()))];
    let pairs = pairs.map(|(key, value)| (key.to_owned(), value)).to_vec();
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes)
        .set_parallel(false)
        .with_compression(ParquetCompression::Zstd(None))
        .with_statistics(StatisticsOptions::empty())
        .with_key_value_metadata(Some(KeyValueMetadata::from_static(pairs)))
        .finish(&mut table)
        .map_err(refused)?;
    seal(&mut bytes)?;
    Ok(bytes)
}

/// Puts the hash of the file into the place that was kept for it.
fn seal(bytes: &mut [u8]) -> Result<(), StoreError> {
    let hash = blake3::hash(bytes).to_hex();
    let place = seal_place(bytes).and_then(|place| bytes.get_mut(place));
    let place = place.ok_or_else(|| StoreError::Encode { what: format!("no place was kept for `{SEAL_KEY}`") })?;
    place.copy_from_slice(hash.as_bytes());
    Ok(())
}

/// Where the seal lies: behind the last mark, for the metadata stands at the end of the file.
fn seal_place(bytes: &[u8]) -> Option<Range<usize>> {
    let start = bytes.windows(SEAL_MARK.len()).rposition(|window| window == SEAL_MARK)? + SEAL_MARK.len();
    (start + UNSEALED.len() <= bytes.len()).then_some(start..start + UNSEALED.len())
}

/// Checks that the file is gyro's and is as it was written.
fn check_seal(bytes: &[u8], path: &Path) -> Result<(), StoreError> {
    let foreign = |what: &str| StoreError::Foreign { path: path.to_owned(), what: what.to_owned() };
    if !bytes.starts_with(b"PAR1") {
        return Err(foreign("it is not Parquet"));
    }
    if !bytes.ends_with(b"PAR1") {
        return Err(damaged(path, "its end is missing"));
    }
    let Some(place) = seal_place(bytes) else {
        return Err(foreign(&format!("its metadata has no `{SEAL_KEY}`")));
    };
    let (before, rest) = bytes.split_at(place.start);
    let (given, after) = rest.split_at(UNSEALED.len());
    let hash = blake3::Hasher::new().update(before).update(&UNSEALED).update(after).finalize().to_hex();
    if hash.as_bytes() != given {
        return Err(damaged(path, "its content was changed since it was written"));
    }
    Ok(())
}

/// The table in the bytes of a sealed Parquet file; `path` is only for the messages.
///
/// # Errors
/// [`StoreError::Foreign`] for a file that gyro did not write, [`StoreError::Newer`] for one of a later gyro,
/// [`StoreError::Damaged`] for a broken one.
pub(super) fn decode_columns<'a>(bytes: &[u8], path: &'a Path, schema: Schema) -> Result<Table<'a>, StoreError> {
    check_seal(bytes, path)?;
    let (key, known) = schema;
    let refused = |error: PolarsError| damaged(path, &error.to_string());
    let mut reader = ParquetReader::new(Cursor::new(bytes)).read_parallel(ParallelStrategy::None);
    let metadata = reader.get_metadata().map_err(refused)?;
    let pairs = metadata.key_value_metadata().as_deref().unwrap_or_default();
    let version = pairs.iter().find(|pair| pair.key == key).and_then(|pair| pair.value.as_deref());
    match version.map(str::parse::<u64>) {
        Some(Ok(found)) if found == known => {}
        Some(Ok(found)) if found > known => {
            return Err(StoreError::Newer { path: path.to_owned(), found, known });
        }
        _ => return Err(damaged(path, &format!("its `{key}` is not a version that this gyro reads"))),
    }
    let table = reader.finish().map_err(refused)?;
    Ok(Table { table, path })
}

pub(super) fn damaged(path: &Path, what: &str) -> StoreError {
    StoreError::Damaged { path: path.to_owned(), what: what.to_owned() }
}

/// A table as it was read, with the file for the messages.
pub(super) struct Table<'a> {
    table: DataFrame,
    path: &'a Path,
}

impl Table<'_> {
    pub(super) fn height(&self) -> usize {
        self.table.height()
    }

    pub(super) fn path(&self) -> &Path {
        self.path
    }

    pub(super) fn texts(&self, name: &str) -> Result<&StringChunked, StoreError> {
        self.typed(name, Column::str)
    }

    pub(super) fn counts(&self, name: &str) -> Result<&UInt32Chunked, StoreError> {
        self.typed(name, Column::u32)
    }

    /// A nullable column that files of earlier versions lack.
    pub(super) fn later_counts(&self, name: &str) -> Result<Option<&UInt32Chunked>, StoreError> {
        self.table.column(name).ok().map(|_| self.counts(name)).transpose()
    }

    pub(super) fn numbers(&self, name: &str) -> Result<&Float64Chunked, StoreError> {
        self.typed(name, Column::f64)
    }

    fn typed<'t, T>(&'t self, name: &str, as_type: fn(&'t Column) -> PolarsResult<&'t T>) -> Result<&'t T, StoreError> {
        self.table.column(name).and_then(as_type).map_err(|error| damaged(self.path, &error.to_string()))
    }
}

/// A value that its column must have.
pub(super) fn present<T>(value: Option<T>, table: &Table<'_>, column: &str, row: usize) -> Result<T, StoreError> {
    value.ok_or_else(|| damaged(table.path, &format!("row {row} has no `{column}`")))
}
