//! Rows as Parquet: one flat column for each field, so that any tool reads them.
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
use crate::measurement::{CellId, Measurement, Place, Quantity, Reading};

/// The version of the columns; raised when one changes its meaning. A new nullable column does not raise it.
pub const SCHEMA: u64 = 1;

/// The key of [`SCHEMA`] in the file's key-value metadata.
const SCHEMA_KEY: &str = "gyro.schema";

/// The key of the seal, and how Thrift introduces its value there: a string (`0x18`) of 64 bytes.
const SEAL_KEY: &str = "gyro.blake3";
const SEAL_MARK: &[u8] = b"gyro.blake3\x18\x40";
const UNSEALED: [u8; 64] = [b'0'; 64];

/// The rows as the bytes of a Parquet file; the same rows give the same bytes.
///
/// # Errors
/// [`StoreError::Encode`] where polars refuses, which no row is known to cause.
pub fn encode(measurements: &[Measurement]) -> Result<Vec<u8>, StoreError> {
    encode_rows(&measurements.iter().collect::<Vec<_>>())
}

/// [`encode`] for rows that lie in several places.
pub(super) fn encode_rows(rows: &[&Measurement]) -> Result<Vec<u8>, StoreError> {
    let refused = |error: PolarsError| StoreError::Encode { what: error.to_string() };
    let mut table = DataFrame::new(rows.len(), columns(rows)).map_err(refused)?;
    let pairs = [(SCHEMA_KEY, SCHEMA.to_string()), (SEAL_KEY, "0".repeat(UNSEALED.len()))];
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

fn columns(rows: &[&Measurement]) -> Vec<Column> {
    let text = |name: &str, of: fn(&Measurement) -> &str| {
        Column::new(name.into(), rows.iter().map(|row| of(row)).collect::<Vec<_>>())
    };
    let count = |name: &str, of: fn(&Reading) -> u32| {
        Column::new(name.into(), rows.iter().map(|row| of(&row.reading)).collect::<Vec<_>>())
    };
    let place = |name: &str, of: fn(&Place) -> Option<u32>| {
        Column::new(name.into(), rows.iter().map(|row| of(&row.reading.at)).collect::<Vec<_>>())
    };
    vec![
        text("cell", |row| &row.cell.0),
        text("quantity", |row| row.reading.quantity.name()),
        text("unit", |row| row.reading.quantity.unit()),
        text("probe", |row| &row.reading.probe),
        text("protocol", |row| &row.reading.protocol),
        count("document", |reading| reading.document),
        count("repeat", |reading| reading.repeat),
        place("length", |at| at.length),
        place("from", |at| at.from),
        place("to", |at| at.to),
        place("distance_from", |at| at.distance_from),
        place("distance_to", |at| at.distance_to),
        place("layer", |at| at.layer),
        place("head", |at| at.head),
        place("pair", |at| at.pair),
        Column::new("depth".into(), rows.iter().map(|row| row.reading.at.depth).collect::<Vec<_>>()),
        Column::new("value".into(), rows.iter().map(|row| row.reading.value).collect::<Vec<_>>()),
        count("count", |reading| reading.count),
    ]
}

/// The rows in the bytes of a Parquet file; `path` is only for the messages.
///
/// # Errors
/// [`StoreError::Foreign`] for a file that gyro did not write, [`StoreError::Newer`] for one of a later gyro,
/// [`StoreError::Damaged`] for a broken one.
pub fn decode(bytes: &[u8], path: &Path) -> Result<Vec<Measurement>, StoreError> {
    check_seal(bytes, path)?;
    let refused = |error: PolarsError| damaged(path, &error.to_string());
    let mut reader = ParquetReader::new(Cursor::new(bytes)).read_parallel(ParallelStrategy::None);
    let metadata = reader.get_metadata().map_err(refused)?;
    let pairs = metadata.key_value_metadata().as_deref().unwrap_or_default();
    let schema = pairs.iter().find(|pair| pair.key == SCHEMA_KEY).and_then(|pair| pair.value.as_deref());
    match schema.map(str::parse) {
        Some(Ok(SCHEMA)) => {}
        Some(Ok(found)) if found > SCHEMA => {
            return Err(StoreError::Newer { path: path.to_owned(), found, known: SCHEMA });
        }
        _ => return Err(damaged(path, &format!("its `{SCHEMA_KEY}` is not a version of gyro's rows"))),
    }
    let table = reader.finish().map_err(refused)?;
    Table { table, path }.measurements()
}

fn damaged(path: &Path, what: &str) -> StoreError {
    StoreError::Damaged { path: path.to_owned(), what: what.to_owned() }
}

/// A table as it was read, with the file for the messages.
struct Table<'a> {
    table: DataFrame,
    path: &'a Path,
}

impl Table<'_> {
    fn measurements(&self) -> Result<Vec<Measurement>, StoreError> {
        let [cells, quantities, units] = [self.texts("cell")?, self.texts("quantity")?, self.texts("unit")?];
        let [probes, protocols] = [self.texts("probe")?, self.texts("protocol")?];
        let [documents, repeats, counts] = [self.counts("document")?, self.counts("repeat")?, self.counts("count")?];
        let [lengths, froms, tos] = [self.counts("length")?, self.counts("from")?, self.counts("to")?];
        let [distances_from, distances_to] = [self.counts("distance_from")?, self.counts("distance_to")?];
        let layers = self.counts("layer")?;
        let [heads, pairs] = [self.later_counts("head")?, self.later_counts("pair")?];
        let [depths, values] = [self.numbers("depth")?, self.numbers("value")?];
        (0..self.table.height())
            .map(|row| {
                let quantity =
                    self.quantity(present(quantities.get(row), self, "quantity", row)?, units.get(row), row)?;
                let at = Place {
                    length: lengths.get(row),
                    from: froms.get(row),
                    to: tos.get(row),
                    distance_from: distances_from.get(row),
                    distance_to: distances_to.get(row),
                    layer: layers.get(row),
                    head: heads.and_then(|heads| heads.get(row)),
                    pair: pairs.and_then(|pairs| pairs.get(row)),
                    depth: depths.get(row),
                };
                let reading = Reading {
                    quantity,
                    probe: present(probes.get(row), self, "probe", row)?.to_owned(),
                    protocol: present(protocols.get(row), self, "protocol", row)?.to_owned(),
                    document: present(documents.get(row), self, "document", row)?,
                    repeat: present(repeats.get(row), self, "repeat", row)?,
                    at,
                    value: present(values.get(row), self, "value", row)?,
                    count: present(counts.get(row), self, "count", row)?,
                };
                Ok(Measurement { cell: CellId(present(cells.get(row), self, "cell", row)?.to_owned()), reading })
            })
            .collect()
    }

    fn quantity(&self, name: &str, unit: Option<&str>, row: usize) -> Result<Quantity, StoreError> {
        let quantity = Quantity::named(name)
            .ok_or_else(|| damaged(self.path, &format!("row {row} has the unknown quantity `{name}`")))?;
        if unit != Some(quantity.unit()) {
            let found = unit.unwrap_or("none");
            let what = format!("row {row} gives `{name}` in the unit `{found}`, expected `{}`", quantity.unit());
            return Err(damaged(self.path, &what));
        }
        Ok(quantity)
    }

    fn texts(&self, name: &str) -> Result<&StringChunked, StoreError> {
        self.typed(name, Column::str)
    }

    fn counts(&self, name: &str) -> Result<&UInt32Chunked, StoreError> {
        self.typed(name, Column::u32)
    }

    /// A nullable column that files of earlier versions lack.
    fn later_counts(&self, name: &str) -> Result<Option<&UInt32Chunked>, StoreError> {
        self.table.column(name).ok().map(|_| self.counts(name)).transpose()
    }

    fn numbers(&self, name: &str) -> Result<&Float64Chunked, StoreError> {
        self.typed(name, Column::f64)
    }

    fn typed<'t, T>(&'t self, name: &str, as_type: fn(&'t Column) -> PolarsResult<&'t T>) -> Result<&'t T, StoreError> {
        self.table.column(name).and_then(as_type).map_err(|error| damaged(self.path, &error.to_string()))
    }
}

fn present<T>(value: Option<T>, table: &Table<'_>, column: &str, row: usize) -> Result<T, StoreError> {
    value.ok_or_else(|| damaged(table.path, &format!("row {row} has no `{column}`")))
}
