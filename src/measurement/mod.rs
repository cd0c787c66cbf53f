//! A measurement is a row: which cell, which quantity, where, and its value. Everything after the row is a pure function.

mod cell;
mod quantity;

pub use cell::{Arm, Cell, CellId};
pub use quantity::{Place, Quantity, Reading};

/// One flat row of `measurements.parquet`: a cell and one of its readings.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    /// The cell that was measured.
    pub cell: CellId,
    /// What was read, where, and its value.
    pub reading: Reading,
}

/// What became of a cell: rows, or a reason why there are none.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The cell ran; its rows are on disk.
    Measured(Vec<Measurement>),
    /// The cell failed (out of memory is a finding, not a crash).
    Failed {
        /// What went wrong, as a lowercase fragment.
        reason: String,
    },
}
