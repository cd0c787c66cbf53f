//! The time that a run has left, as far as finished cells tell.
//!
//! Cells of one kind take about the same time a step; a kind of which none is finished says nothing, and the estimate then is
//! a lower bound. The range is that of the fastest and the slowest cell of each kind.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::measurement::{Arm, Cell};
use crate::positions::{Method, Scheme};
use crate::units::Seconds;

/// What decides how long a cell takes, beside its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Weights as they are.
    Read,
    /// Weights that may have to be trained first: a learned bias takes several times as long as a rotation.
    Adapted(Scheme),
    /// The truncated reference, whose windows overlap.
    Truncated,
    /// Timings.
    Timed,
    /// What is asked of the engine itself, and of hypotheses about it.
    Examined,
}

impl Kind {
    pub(super) fn of(cell: &Cell) -> Self {
        match cell.arm {
            Arm::Latency => Self::Timed,
            Arm::Truncated => Self::Truncated,
            Arm::Parity | Arm::Hypothesis => Self::Examined,
            Arm::Grid if cell.adapted.0 > 0 => Self::Adapted(cell.method.scheme()),
            Arm::Grid => Self::Read,
        }
    }
}

/// Seconds a step of finished cells, and the steps that are left, by kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Remaining {
    steps: BTreeMap<Kind, u64>,
    /// The least and the most seconds a step.
    pace: BTreeMap<Kind, (f64, f64)>,
}

impl Remaining {
    /// A cell is still to be measured.
    pub(super) fn add(&mut self, kind: Kind, steps: u64) {
        *self.steps.entry(kind).or_default() += steps;
    }

    /// A cell is through.
    pub(super) fn done(&mut self, kind: Kind, steps: u64, took: Duration) {
        if let Some(left) = self.steps.get_mut(&kind) {
            *left = left.saturating_sub(steps);
        }
        let pace = took.as_secs_f64() / steps.max(1) as f64;
        let range = self.pace.entry(kind).or_insert((pace, pace));
        *range = (range.0.min(pace), range.1.max(pace));
    }

    /// The time left in words; nothing before the first cell is through, or where nothing is left.
    pub(super) fn words(&self) -> Option<String> {
        let open = || self.steps.iter().filter(|(_, steps)| **steps > 0);
        let known = |end: fn(&(f64, f64)) -> f64| -> f64 {
            open().filter_map(|(kind, steps)| Some(end(self.pace.get(kind)?) * *steps as f64)).sum()
        };
        let unknown = open().any(|(kind, _)| !self.pace.contains_key(kind));
        let (least, most) = (known(|pace| pace.0), known(|pace| pace.1));
        // Where only kinds without a pace are open, nothing is known.
        if open().next().is_none() || most <= 0.0 {
            return None;
        }
        Some(match (unknown, Seconds(least).in_words(), Seconds(most).in_words()) {
            (true, least, _) => format!("at least {least} left"),
            (false, least, most) if least == most => format!("about {most} left"),
            (false, least, most) => format!("{least} to {most} left"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_a_lower_bound() {
        let mut left = Remaining::default();
        left.add(Kind::Read, 8);
        left.add(Kind::Adapted(Scheme::Rotary), 4);
        assert_eq!(left.words(), None, "nothing is known before the first cell");
        left.done(Kind::Read, 4, Duration::from_secs(400));
        assert_eq!(left.words().as_deref(), Some("at least 7 min left"));
        left.done(Kind::Adapted(Scheme::Rotary), 2, Duration::from_secs(1200));
        assert_eq!(left.words().as_deref(), Some("about 27 min left"));
        left.done(Kind::Adapted(Scheme::Rotary), 1, Duration::from_secs(60));
        assert_eq!(left.words().as_deref(), Some("8 min to 17 min left"));
        left.done(Kind::Read, 4, Duration::from_secs(400));
        left.done(Kind::Adapted(Scheme::Rotary), 1, Duration::from_secs(60));
        assert_eq!(left.words(), None, "nothing is left");
    }
}
