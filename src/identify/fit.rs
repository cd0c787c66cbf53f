//! Recovery of a configuration's numbers by Levenberg-Marquardt, from short beginnings to long ones.
//!
//! Few tokens make small phases and a nearly convex problem; longer beginnings then sharpen the slow pairs. The residual
//! is replayed minus observed log-probability. Derivatives come backwards where beginnings have fewer tokens than there are
//! unknowns (a pass for each token), and are differences elsewhere (a forward for each unknown). The intervals are those of the linearised problem at the end, with the noise that the
//! residual shows.

use super::agreement::rms;
use super::budget::Metered;
use super::catalogue::AGREES;
use super::coordinates::{Coordinates, Kind};
use super::linear::Triangle;
use super::oracle::{Configuration, Hypothesis, Oracle};
use super::prompts::{Stage, prompts, residuals};
use crate::observed::Observation;
use crate::subject::SubjectError;

/// Largest step of a logarithm in one iteration.
const STEP: f64 = 0.7;
/// Iterations of one stage.
const ITERATIONS: usize = 16;
/// A step leads down well where it lowers the residual to less than this part.
const WELL: f64 = 0.7;
/// How far from the start an unknown is thought to lie: what no token shows stays there.
const PRIOR: f64 = 2.0;
/// A step of a pair's logarithm turns the end of the beginning by so many radians: exact and rounded oracles.
const RADIANS: [f64; 2] = [1e-3, 0.05];
/// Largest part of itself that a pair's frequency gains for a difference, and largest step of the other unknowns: exact and
/// rounded oracles. While phases are small a log-probability goes by the frequency, not by its logarithm.
const GAIN: [f64; 2] = [1e-2, 3.0];
const OTHERS: [f64; 2] = [1e-3, 1e-2];

/// A difference below so many roundings of the replay is nothing but rounding.
const ROUNDINGS: f64 = 3.0;

/// When a stage is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// The residual is about the noise, where a replay is dear: a start for the next stage.
    Close,
    /// Steps are small beside the errors: what an interval is stated of.
    Settled,
}

impl Until {
    /// The largest step that ends it, as a part of the error.
    fn step(self, rounded: bool) -> f64 {
        if rounded && self == Self::Settled { 0.2 } else { 0.05 }
    }
}

/// A fitted configuration.
#[derive(Clone, Debug)]
pub(super) struct Fitted {
    pub(super) coordinates: Coordinates,
    /// Of each coordinate.
    pub(super) values: Vec<f64>,
    /// Standard error of each coordinate.
    pub(super) errors: Vec<f64>,
    /// The longest beginning that it explains.
    pub(super) length: usize,
    /// Root of the mean square of what is left, in nats.
    pub(super) rms: f64,
    /// How many log-probabilities it rests on.
    pub(super) n: usize,
    /// Whether longer beginnings were left out for want of time.
    pub(super) cut_short: bool,
}

impl Fitted {
    /// The configuration that was found.
    pub(super) fn configuration(&self) -> Configuration {
        self.coordinates.at(&self.values)
    }
}

/// A step of the coordinates, and what is left after it.
type Descent = (Vec<f64>, Vec<f64>);

/// What is fitted to.
pub(super) struct Problem<'a> {
    pub(super) observations: &'a [Observation],
    pub(super) noise: f64,
    pub(super) coordinates: Coordinates,
}

/// Fits stage after stage while the residual comes down to the noise and there is time; nothing where it never does.
pub(super) fn fit(
    oracle: &mut Metered<'_>,
    observations: &[Observation],
    stages: &[Stage],
    start: &Configuration,
    noise: f64,
) -> Result<Option<Fitted>, SubjectError> {
    let Some(coordinates) = Coordinates::of(start) else { return Ok(None) };
    let problem = Problem { observations, noise, coordinates };
    let mut values = problem.coordinates.start();
    let mut found: Option<(&Stage, Fitted)> = None;
    // What shorter beginnings left, which longer ones should leave, too.
    let mut least = noise;
    for stage in stages {
        if let Some((_, found)) = found.as_mut().filter(|_| !oracle.affords(problem.cost(stage))) {
            found.cut_short = true;
            break;
        }
        let mut fitted = problem.level(oracle, stage, values.clone(), Until::Close)?;
        if oracle.resolution() <= super::EXACT {
            fitted = problem.in_the_lowest_valley(oracle, (stage, Until::Close), fitted, least)?;
        }
        if fitted.n > 2 * fitted.values.len() {
            least = least.min(fitted.rms);
        }
        // As many values as unknowns explain anything.
        let explains = fitted.rms <= AGREES * noise;
        if explains && fitted.n > fitted.values.len() {
            values.clone_from(&fitted.values);
            found = Some((stage, fitted));
        } else if explains {
            values = fitted.values;
        } else {
            break;
        }
    }
    found.map(|(stage, found)| problem.settled(oracle, stage, found, least)).transpose()
}

impl Problem<'_> {
    pub(super) fn left(
        &self,
        oracle: &mut Metered<'_>,
        stage: &Stage,
        values: &[f64],
    ) -> Result<Vec<f64>, SubjectError> {
        let configuration = self.coordinates.at(values);
        Ok(residuals(oracle, Hypothesis::Numbers(&configuration), self.observations, &stage.beginnings)?.concat())
    }

    /// Tokens that an iteration on a stage scores, or as many as cost the same.
    pub(super) fn cost(&self, stage: &Stage) -> usize {
        let unknowns = self.coordinates.kinds.len();
        stage.beginnings.iter().map(|beginning| beginning.upto * (unknowns.min(beginning.upto) + 2)).sum()
    }

    /// The fit of the last stage at its very minimum: one step from the stage before leaves more than the noise does, and an
    /// interval does not know of that.
    fn settled(
        &self,
        oracle: &mut Metered<'_>,
        stage: &Stage,
        found: Fitted,
        least: f64,
    ) -> Result<Fitted, SubjectError> {
        if oracle.resolution() <= super::EXACT || !oracle.affords(self.cost(stage)) {
            return Ok(found);
        }
        let settled = self.level(oracle, stage, found.values.clone(), Until::Settled)?;
        let settled = self.in_the_lowest_valley(oracle, (stage, Until::Settled), settled, least)?;
        let is_better = settled.rms <= found.rms;
        Ok(if is_better { Fitted { cut_short: found.cut_short, ..settled } } else { found })
    }

    /// Minimises the squares of one stage.
    pub(super) fn level(
        &self,
        oracle: &mut Metered<'_>,
        stage: &Stage,
        start: Vec<f64>,
        until: Until,
    ) -> Result<Fitted, SubjectError> {
        let (mut values, anchor) = (start.clone(), start);
        let mut left = self.left(oracle, stage, &values)?;
        let mut damping = 1e-3;
        let mut errors = vec![f64::INFINITY; values.len()];
        let rounded = oracle.resolution() > super::EXACT;
        let mut kept: Option<Vec<Option<Vec<f64>>>> = None;
        for _ in 0..ITERATIONS {
            let slopes = match kept.take() {
                Some(kept) => kept,
                None => self.derivatives(oracle, stage, &values, &left)?,
            };
            let normal = Normal::of(&slopes, &left, &values, &anchor, self.noise);
            errors = normal.errors(left.len());
            let Some((step, next)) = self.descend(oracle, stage, &normal, &values, &anchor, &mut damping)? else {
                break;
            };
            let most = until.step(rounded);
            let done = step.iter().zip(&errors).all(|(step, error)| step.abs() < most * error);
            values.iter_mut().zip(&step).for_each(|(value, step)| *value += step);
            // Where a replay is dear, derivatives serve again, corrected, for as long as they lead down well.
            let well = rms(&next) < WELL * rms(&left);
            if rounded && well {
                kept = Some(corrected(slopes, &step, &left, &next));
            }
            left = next;
            let is_close = rounded && !well && rms(&left) <= super::CLOSE * self.noise;
            if done || is_close && until == Until::Close {
                break;
            }
        }
        Ok(Fitted {
            coordinates: self.coordinates.clone(),
            values,
            errors,
            length: stage.length,
            rms: rms(&left),
            n: left.len(),
            cut_short: false,
        })
    }

    /// A step that lowers the squares, and what is left after it; nothing where none does.
    fn descend(
        &self,
        oracle: &mut Metered<'_>,
        stage: &Stage,
        normal: &Normal,
        values: &[f64],
        anchor: &[f64],
        damping: &mut f64,
    ) -> Result<Option<Descent>, SubjectError> {
        for _ in 0..8 {
            if let Some(mut step) = normal.step(*damping) {
                for (step, kind) in step.iter_mut().zip(&self.coordinates.kinds) {
                    let most = if kind.is_logarithm() { STEP } else { 2.0 };
                    *step = step.clamp(-most, most);
                }
                let moved: Vec<f64> = values.iter().zip(&step).map(|(value, step)| value + step).collect();
                let next = self.left(oracle, stage, &moved)?;
                if normal.objective(&next, &moved, anchor) < normal.objective_before {
                    *damping = (*damping / 10.0).max(1e-9);
                    return Ok(Some((step, next)));
                }
            }
            *damping *= 10.0;
        }
        Ok(None)
    }

    /// The derivative of every residual by every unknown, unknown by unknown; none where no token shows the unknown.
    pub(super) fn derivatives(
        &self,
        oracle: &mut Metered<'_>,
        stage: &Stage,
        values: &[f64],
        left: &[f64],
    ) -> Result<Vec<Option<Vec<f64>>>, SubjectError> {
        let tokens: usize = stage.beginnings.iter().map(|beginning| beginning.upto).sum();
        let backwards: usize = stage.beginnings.iter().map(|beginning| beginning.upto.pow(2)).sum();
        if backwards < tokens * values.len()
            && let Some(rows) =
                oracle.slopes(&self.coordinates.at(values), &prompts(self.observations, &stage.beginnings))?
        {
            let column = |unknown: usize| rows.iter().flatten().map(|slopes| slopes[unknown]).collect();
            return Ok((0..values.len()).map(|unknown| Some(column(unknown))).collect());
        }
        self.differences(oracle, stage, values, left)
    }

    fn differences(
        &self,
        oracle: &mut Metered<'_>,
        stage: &Stage,
        values: &[f64],
        left: &[f64],
    ) -> Result<Vec<Option<Vec<f64>>>, SubjectError> {
        let rounded = oracle.resolution() > super::EXACT;
        let exact = usize::from(rounded);
        let longest = stage.beginnings.iter().map(|beginning| beginning.upto).max().unwrap_or(1) as f64;
        let mut columns = Vec::with_capacity(values.len());
        for (index, kind) in self.coordinates.kinds.iter().enumerate() {
            if !self.coordinates.shows(*kind, longest as usize) {
                columns.push(None);
                continue;
            }
            // The step of the coordinate, and what the difference is divided by.
            let (step, part) = match kind {
                Kind::Frequency(_) => {
                    let phase = values[index].exp() * longest;
                    if phase < 0.5 * self.noise {
                        columns.push(None);
                        continue;
                    }
                    let gain = (RADIANS[exact] / phase).min(GAIN[exact]);
                    (gain.ln_1p(), gain)
                }
                _ => (OTHERS[exact], OTHERS[exact]),
            };
            let mut moved = values.to_vec();
            moved[index] += step;
            let there = self.left(oracle, stage, &moved)?;
            let change: Vec<f64> = there.iter().zip(left).map(|(there, here)| there - here).collect();
            // A change that is the replay's own rounding would pass for knowledge of the unknown.
            let seen = !rounded || rms(&change) > ROUNDINGS * oracle.resolution();
            columns.push(seen.then(|| change.into_iter().map(|change| change / part).collect()));
        }
        Ok(columns)
    }
}

/// Derivatives after a step, corrected by what the step did (Broyden 1965).
fn corrected(mut slopes: Vec<Option<Vec<f64>>>, step: &[f64], before: &[f64], after: &[f64]) -> Vec<Option<Vec<f64>>> {
    let length: f64 = step.iter().map(|step| step * step).sum();
    if length == 0.0 {
        return slopes;
    }
    let mut surprise: Vec<f64> = after.iter().zip(before).map(|(after, before)| after - before).collect();
    for (column, step) in slopes.iter().zip(step) {
        let expected = column.iter().flatten();
        surprise.iter_mut().zip(expected).for_each(|(surprise, slope)| *surprise -= slope * step);
    }
    for (column, step) in slopes.iter_mut().zip(step) {
        let values = column.iter_mut().flatten();
        values.zip(&surprise).for_each(|(slope, surprise)| *slope += surprise * step / length);
    }
    slopes
}

/// The normal equations of one iteration.
pub(super) struct Normal {
    matrix: Vec<Vec<f64>>,
    gradient: Vec<f64>,
    /// What holds an unknown at its start, in squared nats.
    hold: f64,
    objective_before: f64,
    squares: f64,
}

impl Normal {
    pub(super) fn of(columns: &[Option<Vec<f64>>], left: &[f64], values: &[f64], anchor: &[f64], noise: f64) -> Self {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let squares = dot(left, left);
        let hold = (squares / left.len().max(1) as f64).max(noise * noise) / (PRIOR * PRIOR);
        let mut matrix = vec![vec![0.0; columns.len()]; columns.len()];
        let mut gradient = vec![0.0; columns.len()];
        for (i, one) in columns.iter().enumerate() {
            matrix[i][i] = hold;
            gradient[i] = hold * (values[i] - anchor[i]);
            let Some(one) = one else { continue };
            gradient[i] += dot(one, left);
            for j in 0..=i {
                if let Some(other) = &columns[j] {
                    let product = dot(one, other);
                    matrix[i][j] += product;
                    if i != j {
                        matrix[j][i] += product;
                    }
                }
            }
        }
        let mut normal = Self { matrix, gradient, hold, objective_before: 0.0, squares };
        normal.objective_before = normal.objective(left, values, anchor);
        normal
    }

    fn objective(&self, left: &[f64], values: &[f64], anchor: &[f64]) -> f64 {
        let held: f64 = values.iter().zip(anchor).map(|(value, anchor)| (value - anchor).powi(2)).sum();
        let squares: f64 = left.iter().map(|left| left * left).sum();
        if squares.is_finite() { squares + self.hold * held } else { f64::INFINITY }
    }

    /// The damped step; nothing where the system has no solution.
    pub(super) fn step(&self, damping: f64) -> Option<Vec<f64>> {
        let mut damped = self.matrix.clone();
        for (i, row) in damped.iter_mut().enumerate() {
            row[i] *= 1.0 + damping;
        }
        let step = Triangle::of(&damped)?.solve(&self.gradient);
        Some(step.into_iter().map(|step| -step).collect())
    }

    /// The standard errors of the unknowns from `n` residuals.
    fn errors(&self, n: usize) -> Vec<f64> {
        let free = n.saturating_sub(self.gradient.len()).max(1) as f64;
        let Some(triangle) = Triangle::of(&self.matrix) else { return vec![f64::INFINITY; self.gradient.len()] };
        triangle.inverse_diagonal().into_iter().map(|inverse| (inverse * self.squares / free).sqrt()).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn corrected_derivatives_explain_the_step_that_was_made() {
        let slopes = vec![Some(vec![1.0, 2.0]), None, Some(vec![0.5, -1.0])];
        let (before, after) = ([0.3, 0.1], [0.9, -0.4]);
        let step = [0.2, 0.0, 0.4];
        let made = corrected(slopes, &step, &before, &after);
        for row in 0..2 {
            let told: f64 = made.iter().zip(step).filter_map(|(column, step)| Some(column.as_ref()?[row] * step)).sum();
            assert!((told - (after[row] - before[row])).abs() < 1e-12, "{told}");
        }
        assert!(made[1].is_none());
        assert_eq!(corrected(vec![Some(vec![1.0])], &[0.0], &[1.0], &[2.0])[0].as_ref().unwrap(), &[1.0]);
    }
}
