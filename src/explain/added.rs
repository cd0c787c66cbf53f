//! What added vectors do: their periods, and the positions that training never showed.

use serde::Serialize;

use super::Setting;
use super::rotation::{Pair, pairs};

/// Sines and cosines added to embeddings.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Waves {
    /// Every pair of dimensions of the residual stream.
    pub pairs: Vec<Pair>,
    /// Multiplies the vectors.
    pub amplitude: f64,
    /// Positions within the target length whose vector lies beyond the last one of training.
    pub unseen: usize,
    /// The first of them.
    pub first_unseen: Option<usize>,
    /// Positions whose vector lies between two of training.
    pub between: usize,
    /// Pairs that leave the angles seen in training.
    pub leaves: Vec<usize>,
}

/// Learned rows added to embeddings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rows {
    /// How many there are.
    pub rows: usize,
    /// Positions are divided by this.
    pub stretch: f64,
    /// Positions within the target length for which there is no row.
    pub unseen: usize,
    /// The first of them.
    pub first_unseen: Option<usize>,
    /// Positions that lie between two rows.
    pub between: usize,
}

/// Where positions fall among those of training.
struct Places {
    unseen: usize,
    first_unseen: Option<usize>,
    between: usize,
}

/// Sorts the positions of the target length: at, between or beyond the places of training.
fn places(setting: &Setting, stretch: f64, beyond: impl Fn(f64) -> bool) -> Places {
    let mut found = Places { unseen: 0, first_unseen: None, between: 0 };
    for position in 0..setting.target.0 {
        let place = position as f64 / stretch;
        if beyond(place) {
            found.unseen += 1;
            found.first_unseen = found.first_unseen.or(Some(position));
        } else if place.fract() > 0.0 {
            found.between += 1;
        }
    }
    found
}

pub(super) fn waves(setting: &Setting, from: &[f64], to: &[f64], amplitude: f64) -> Waves {
    let pairs = pairs(setting, from, to, setting.target.as_f64());
    let last = setting.trained.as_f64() - 1.0;
    let places = places(setting, setting.factor.0, |place| place > last);
    Waves {
        amplitude,
        unseen: places.unseen,
        first_unseen: places.first_unseen,
        between: places.between,
        leaves: pairs.iter().filter(|pair| pair.leaves).map(|pair| pair.index).collect(),
        pairs,
    }
}

pub(super) fn rows(setting: &Setting, rows: usize, stretch: f64) -> Rows {
    // Past the last row by less than one it is the last row.
    let places = places(setting, stretch, |place| place >= rows as f64);
    Rows { rows, stretch, unseen: places.unseen, first_unseen: places.first_unseen, between: places.between }
}
