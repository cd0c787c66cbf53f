//! Out of a wrong valley: pairs that turn so slowly that short beginnings left them anywhere.
//!
//! Where a longer beginning leaves more than shorter ones did, a slow pair may have begun too far from where it belongs, and
//! the others lean over to make up for it. Each slow pair is then put elsewhere, while the others follow as the linearised
//! problem says; the fit goes on from the place that leaves least.

use std::f64::consts::PI;

use super::agreement::rms;
use super::budget::Metered;
use super::coordinates::Kind;
use super::fit::{Fitted, Normal, Problem, Until};
use super::prompts::Stage;
use crate::subject::SubjectError;

/// A stage that leaves so many times what shorter ones left is in a wrong valley, or no static spectrum explains it.
const RISE: f64 = 1.05;
/// A valley is left for one that is so much lower.
const LOWER: f64 = 0.98;
/// How often it is left.
const MOVES: usize = 4;
/// A pair that turns farther than this within a beginning was pinned down by the shorter ones.
const PINNED: f64 = 3.0 * PI;
/// Where a pair is put: radians that it turns within the beginning.
const TURNS: [f64; 9] = [0.02, 0.1, 0.3, 0.8, 1.5, 2.5, 4.0, 6.0, 8.5];

impl Problem<'_> {
    /// The fit of a stage from better starts of its slow pairs, where it leaves more than was `expected` of it.
    ///
    /// # Errors
    /// [`SubjectError`] as the oracle gives it.
    pub(super) fn in_the_lowest_valley(
        &self,
        oracle: &mut Metered<'_>,
        (stage, until): (&Stage, Until),
        fitted: Fitted,
        expected: f64,
    ) -> Result<Fitted, SubjectError> {
        let mut best = fitted;
        for _ in 0..MOVES {
            if best.rms <= RISE * expected || !oracle.affords(self.cost_of_a_move(stage, &best)) {
                break;
            }
            let Some(start) = self.elsewhere(oracle, stage, &best)? else { break };
            let tried = self.level(oracle, stage, start, until)?;
            if tried.rms >= LOWER * best.rms {
                break;
            }
            best = tried;
        }
        Ok(best)
    }

    /// The coordinates of pairs that turn slowly within a stage.
    fn slow(&self, stage: &Stage, values: &[f64]) -> Vec<usize> {
        let turns = |index: usize| values[index].exp() * stage.length as f64;
        let kinds = self.coordinates.kinds.iter().enumerate();
        kinds
            .filter(|(index, kind)| matches!(kind, Kind::Frequency(_)) && turns(*index) < PINNED)
            .map(|(i, _)| i)
            .collect()
    }

    /// Tokens that a move scores: a forward for each place of each slow pair, and the iterations that follow.
    fn cost_of_a_move(&self, stage: &Stage, fitted: &Fitted) -> usize {
        let tokens: usize = stage.beginnings.iter().map(|beginning| beginning.upto).sum();
        tokens * TURNS.len() * self.slow(stage, &fitted.values).len() + 3 * self.cost(stage)
    }

    /// The start that the linearised problem thinks best; nothing where none leaves less.
    fn elsewhere(
        &self,
        oracle: &mut Metered<'_>,
        stage: &Stage,
        fitted: &Fitted,
    ) -> Result<Option<Vec<f64>>, SubjectError> {
        let left = self.left(oracle, stage, &fitted.values)?;
        let mut slopes = self.derivatives(oracle, stage, &fitted.values, &left)?;
        let mut best = (LOWER * fitted.rms, None);
        for index in self.slow(stage, &fitted.values) {
            let own = slopes[index].take();
            for turn in TURNS {
                let mut moved = fitted.values.clone();
                moved[index] = (turn / stage.length as f64).ln();
                let there = self.left(oracle, stage, &moved)?;
                let normal = Normal::of(&slopes, &there, &moved, &moved, self.noise);
                let Some(step) = normal.step(0.0) else { continue };
                let mut expected = there;
                for (column, step) in slopes.iter().zip(&step) {
                    let column = column.iter().flatten();
                    expected.iter_mut().zip(column).for_each(|(left, slope)| *left += slope * step);
                }
                if rms(&expected) < best.0 {
                    moved.iter_mut().zip(&step).for_each(|(value, step)| *value += step);
                    best = (rms(&expected), Some(moved));
                }
            }
            slopes[index] = own;
        }
        Ok(best.1)
    }
}
