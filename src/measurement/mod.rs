//! A measurement is a row: which cell, which quantity, where, and its value. Everything after the row is a pure function.

mod cell;
mod quantity;

pub use cell::{Arm, Cell, CellId, label};
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

/// Shares the rows of the timing out to the cells that they time, and drops the timing itself.
///
/// The timing's repeat 0 is the deployed cell's; repeats 1 and 2 become repeats 0 and 1 of the unscaled cell, which is
/// the null control: the same arm twice. A failed timing leaves the cells without rows of latency.
#[must_use]
pub fn with_latency(cells: Vec<(Cell, Outcome)>) -> Vec<(Cell, Outcome)> {
    let (timings, mut cells): (Vec<_>, Vec<_>) = cells.into_iter().partition(|(cell, _)| cell.arm == Arm::Latency);
    for (timed, outcome) in timings {
        let Outcome::Measured(rows) = outcome else { continue };
        let deployed = Cell { arm: Arm::Grid, ..timed };
        for row in rows {
            let (cell, repeat) = match row.reading.repeat {
                0 => (deployed.id(), 0),
                repeat => (Cell::unscaled().id(), repeat - 1),
            };
            for (other, outcome) in &mut cells {
                if other.id() == cell
                    && let Outcome::Measured(rows) = outcome
                {
                    let reading = Reading { repeat, ..row.reading.clone() };
                    rows.push(Measurement { cell: cell.clone(), reading });
                }
            }
        }
    }
    cells
}
