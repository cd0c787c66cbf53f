//! Rows of rotations and waves as an engine keeps them: what it looks up for a position, and in which format.

use tch::{Device, Kind, Tensor};

use super::ReplayError;
use super::rotation::{Angles, Side, Style};
use crate::faults::{Beyond, Execution};
use crate::positions::{Rotation, Vectors};

/// An engine's tables.
pub(super) struct Tables {
    pub(super) execution: Execution,
    /// The rotation without its scaling, where rows of it are mixed in.
    pub(super) unscaled: Option<Rotation>,
    /// Whether the table was made again without the scaling.
    pub(super) is_regrown: bool,
    pub(super) kind: Kind,
    pub(super) device: Device,
}

/// What is looked up for a position.
struct Row {
    position: usize,
    is_zero: bool,
    is_unscaled: bool,
}

impl Tables {
    /// Those of a healthy engine, which has a row for every position.
    pub(super) fn healthy(kind: Kind, device: Device) -> Self {
        Self { execution: Execution::default(), unscaled: None, is_regrown: false, kind, device }
    }

    /// The rotation at each position, `[time, 1, rotary_dim / 2]`.
    pub(super) fn angles(&self, rotation: &Rotation, positions: &[usize], side: Side) -> Result<Angles, ReplayError> {
        let rotation = if self.is_regrown { self.unscaled.as_ref().unwrap_or(rotation) } else { rotation };
        let rows: Vec<Row> = positions.iter().map(|position| self.row(*position)).collect();
        let at: Vec<f64> = rows.iter().map(|row| row.position as f64).collect();
        let at = Tensor::f_from_slice(&at)?;
        let mut angles = Angles::new(rotation, &at, side, self.style(side))?;
        let is_unscaled: Vec<bool> = rows.iter().map(|row| row.is_unscaled).collect();
        if let Some(unscaled) = self.unscaled.as_ref().filter(|_| is_unscaled.contains(&true)) {
            angles = angles.mixed_with(&Angles::new(unscaled, &at, side, self.style(side))?, &is_unscaled)?;
        }
        let is_zero: Vec<bool> = rows.iter().map(|row| row.is_zero).collect();
        if is_zero.contains(&true) { angles.with_zeros(&is_zero) } else { Ok(angles) }
    }

    /// Whether keys are rotated as queries are.
    pub(super) fn has_equal_hands(&self) -> bool {
        self.execution.queries == self.execution.keys
    }

    /// The sines and cosines at each position, `[time, width]`; learned vectors have none.
    pub(super) fn waves(&self, vectors: &Vectors, positions: &[usize]) -> Result<Tensor, ReplayError> {
        let values: Vec<f64> = positions
            .iter()
            .map(|position| self.row(*position))
            .filter_map(|row| Some((vectors.waves(row.position)?, row.is_zero)))
            .flat_map(|(waves, is_zero)| waves.into_iter().map(move |wave| if is_zero { 0.0 } else { wave }))
            .collect();
        let rows = Tensor::f_from_slice(&values)?.f_view([positions.len() as i64, -1])?;
        Ok(rows.f_to_kind(Kind::Float)?.f_to_device(self.device)?)
    }

    fn style(&self, side: Side) -> Style<'_> {
        let hand = if side == Side::Query { &self.execution.queries } else { &self.execution.keys };
        Style { hand, formats: &self.execution.formats, kind: self.kind, device: self.device }
    }

    fn row(&self, position: usize) -> Row {
        let table = &self.execution.table;
        let there = Row { position, is_zero: false, is_unscaled: position < table.scaled_from };
        let Some(rows) = table.rows.filter(|rows| position >= *rows) else { return there };
        match table.beyond {
            Beyond::Clamp => Row { position: rows - 1, ..there },
            Beyond::Wrap => Row { position: position % rows, ..there },
            Beyond::Unrotated => Row { position: 0, ..there },
            Beyond::Zeros => Row { is_zero: true, ..there },
            Beyond::RegrowUnscaled => there,
        }
    }
}
