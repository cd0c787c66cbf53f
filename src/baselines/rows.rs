//! Rows as Parquet: one flat column for each field, so that any tool reads them.

use std::path::Path;

use polars::prelude::*;

use super::StoreError;
use super::parquet::{Schema, Table, damaged, decode_columns, encode_columns, present};
use crate::measurement::{CellId, Measurement, Place, Quantity, Reading};

/// The version of the columns; raised when one changes its meaning. A new nullable column does not raise it.
pub const SCHEMA: u64 = 1;

/// Its key in the file's key-value metadata.
const VERSION: Schema = ("gyro.schema", SCHEMA);

/// The rows as the bytes of a Parquet file; the same rows give the same bytes.
///
/// # Errors
/// [`StoreError::Encode`] where polars refuses, which no row is known to cause.
pub fn encode(measurements: &[Measurement]) -> Result<Vec<u8>, StoreError> {
    encode_rows(&measurements.iter().collect::<Vec<_>>())
}

/// [`encode`] for rows that lie in several places.
pub(super) fn encode_rows(rows: &[&Measurement]) -> Result<Vec<u8>, StoreError> {
    encode_columns(rows.len(), columns(rows), VERSION)
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
    measurements(&decode_columns(bytes, path, VERSION)?)
}

fn measurements(table: &Table<'_>) -> Result<Vec<Measurement>, StoreError> {
    let [cells, quantities, units] = [table.texts("cell")?, table.texts("quantity")?, table.texts("unit")?];
    let [probes, protocols] = [table.texts("probe")?, table.texts("protocol")?];
    let [documents, repeats, counts] = [table.counts("document")?, table.counts("repeat")?, table.counts("count")?];
    let [lengths, froms, tos] = [table.counts("length")?, table.counts("from")?, table.counts("to")?];
    let [distances_from, distances_to] = [table.counts("distance_from")?, table.counts("distance_to")?];
    let layers = table.counts("layer")?;
    let [heads, pairs] = [table.later_counts("head")?, table.later_counts("pair")?];
    let [depths, values] = [table.numbers("depth")?, table.numbers("value")?];
    (0..table.height())
        .map(|row| {
            let quantity = quantity(table, present(quantities.get(row), table, "quantity", row)?, units.get(row), row)?;
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
                probe: present(probes.get(row), table, "probe", row)?.to_owned(),
                protocol: present(protocols.get(row), table, "protocol", row)?.to_owned(),
                document: present(documents.get(row), table, "document", row)?,
                repeat: present(repeats.get(row), table, "repeat", row)?,
                at,
                value: present(values.get(row), table, "value", row)?,
                count: present(counts.get(row), table, "count", row)?,
            };
            Ok(Measurement { cell: CellId(present(cells.get(row), table, "cell", row)?.to_owned()), reading })
        })
        .collect()
}

fn quantity(table: &Table<'_>, name: &str, unit: Option<&str>, row: usize) -> Result<Quantity, StoreError> {
    let quantity = Quantity::named(name)
        .ok_or_else(|| damaged(table.path(), &format!("row {row} has the unknown quantity `{name}`")))?;
    if unit != Some(quantity.unit()) {
        let found = unit.unwrap_or("none");
        let what = format!("row {row} gives `{name}` in the unit `{found}`, expected `{}`", quantity.unit());
        return Err(damaged(table.path(), &what));
    }
    Ok(quantity)
}
