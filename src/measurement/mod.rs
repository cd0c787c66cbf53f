//! A measurement is a row: which cell, which quantity, where, and its value. Everything after the row is a pure function.

mod cell;
mod quantity;

pub use cell::{Arm, Cell, CellId, label, spoken};
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

/// The arms of a timing, as the repeats of its rows.
pub mod arms {
    /// The deployed model.
    pub const DEPLOYED: u32 = 0;
    /// The unscaled model.
    pub const REFERENCE: u32 = 1;
    /// The unscaled model once more: the null control.
    pub const CONTROL: u32 = 2;
    /// The unscaled model's weights without any positional work.
    pub const NO_POSITIONS: u32 = 3;
    /// No model: the machine itself.
    pub const MACHINE: u32 = 4;
}

/// How far the blocks of one timing are numbered from those of the next; more than a timing has.
const BLOCKS: u32 = 10_000;

/// Shares the rows of the timings out to the cells that they time; what belongs to neither stays with the timing.
///
/// The rows of [`arms::DEPLOYED`] become the timed cell's; those of [`arms::REFERENCE`] and [`arms::CONTROL`] become
/// repeats 0 and 1 of the unscaled cell. Each timing has blocks of its own, so that a ratio within blocks only ever sees
/// arms that were timed in turns. A failed timing leaves the cells without rows of latency.
#[must_use]
pub fn with_latency(cells: Vec<(Cell, Outcome)>) -> Vec<(Cell, Outcome)> {
    let (timings, mut cells): (Vec<_>, Vec<_>) = cells.into_iter().partition(|(cell, _)| cell.arm == Arm::Latency);
    for (turn, (timed, outcome)) in (0..).zip(timings) {
        let Outcome::Measured(rows) = outcome else { continue };
        let deployed = Cell { arm: Arm::Grid, ..timed.clone() };
        let mut kept = Vec::new();
        for row in rows {
            let (cell, repeat) = match row.reading.repeat {
                arms::DEPLOYED => (deployed.id(), 0),
                repeat @ (arms::REFERENCE | arms::CONTROL) => (Cell::unscaled().id(), repeat - arms::REFERENCE),
                _ => {
                    let document = row.reading.document + turn * BLOCKS;
                    kept.push(Measurement { reading: Reading { document, ..row.reading }, ..row });
                    continue;
                }
            };
            for (other, outcome) in &mut cells {
                if other.id() == cell
                    && let Outcome::Measured(rows) = outcome
                {
                    let document = row.reading.document + turn * BLOCKS;
                    let reading = Reading { document, repeat, ..row.reading.clone() };
                    rows.push(Measurement { cell: cell.clone(), reading });
                }
            }
        }
        if !kept.is_empty() {
            cells.push((timed, Outcome::Measured(kept)));
        }
    }
    cells
}
