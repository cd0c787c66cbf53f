//! What a rotation does: the period of each pair, how often it turns, and which angles training never showed.

use std::f64::consts::TAU;

use serde::Serialize;

use super::Setting;
use crate::positions::{Decay, Grouping, Pairing, Rotation};

/// A pair of dimensions that turn together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pair {
    /// Its index, the fastest first.
    pub index: usize,
    /// Tokens of a full turn in the weights as trained; absent where the pair does not turn.
    pub period_trained: Option<f64>,
    /// Tokens of a full turn under the method.
    pub period: Option<f64>,
    /// Turns within the trained length, unscaled: what training showed.
    pub turns_trained: f64,
    /// Turns within the target length, unscaled.
    pub turns_unscaled: f64,
    /// Turns within the target length under the method.
    pub turns: f64,
    /// By how much the method slows the pair; absent where either stands still.
    pub stretch: Option<f64>,
    /// Whether it reaches angles at the target length that training never showed: it did not complete a turn then, and
    /// now goes farther.
    pub leaves: bool,
    /// How its share of the score falls with the distance (xPos).
    pub fading: Option<Fading>,
}

/// The fall of a pair's share of the score.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Fading {
    /// What is left after `scale_base` tokens.
    pub zeta: f64,
    /// The distance at which the share has fallen by e.
    pub falls_by_e_at: f64,
    /// What is left at the trained length.
    pub left_at_trained: f64,
    /// What is left at the target length.
    pub left_at_target: f64,
}

/// A check that the method's angles turn vectors as the trained ones do at other positions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Equivalence {
    /// How many positions were tried with every pair.
    pub positions: usize,
    /// The largest distance between a unit vector turned by the method's angle at a position, and one turned by the
    /// trained angle at the position divided by the pair's stretch.
    pub residual: f64,
    /// The largest distance between the turn from one position to another and the turn by their difference.
    pub relative_residual: f64,
    /// A power of ten that both are below.
    pub within: f64,
}

/// What a rotation does to all pairs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Turning {
    /// Every pair.
    pub pairs: Vec<Pair>,
    /// The largest rotated distance at the target length, plus 1.
    pub reach: f64,
    /// Pairs that never complete a turn within the trained length, unscaled.
    pub never_trained: usize,
    /// Pairs that never complete a turn within the target length, unscaled.
    pub never_target: usize,
    /// Pairs that leave the angles seen in training at the target length under the method.
    pub leaves: Vec<usize>,
    /// Pairs that would without it.
    pub leaves_unscaled: Vec<usize>,
    /// The one stretch of all pairs, where there is one: then the method is a division of positions.
    pub uniform_stretch: Option<f64>,
    /// The angles against the rotation.
    pub equivalence: Equivalence,
    /// Multiplies cosine and sine.
    pub attention_factor: f64,
    /// Multiplies logits: the attention factor's square.
    pub logit_scale: f64,
    /// Which dimensions turn together.
    pub pairing: Pairing,
    /// Whether these are the pairs of the weights.
    pub pairs_of_the_weights: bool,
    /// Whether the angles at the target length differ from those at the trained one: keys that were cached at a shorter
    /// context then stand at other angles.
    pub follows_length: bool,
}

/// What grouped positions do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Grouped {
    /// The rotation of both kinds of positions.
    #[serde(flatten)]
    pub turning: Turning,
    /// Positions that share one.
    pub group: usize,
    /// Distances below this are exact.
    pub window: usize,
    /// The largest grouped distance at the target length.
    pub largest: usize,
    /// The longest context whose grouped distances all lie within the trained length.
    pub longest: usize,
}

/// Pairs that turn at two sets of frequencies; `reach` tokens are rotated at the target length under the method.
pub(super) fn pairs(setting: &Setting, from: &[f64], to: &[f64], reach: f64) -> Vec<Pair> {
    let (trained, target) = (setting.trained.as_f64(), setting.target.as_f64());
    let period = |frequency: f64| (frequency > 0.0).then(|| TAU / frequency);
    // A list that ends early leaves the other dimensions unturned.
    let at = |list: &[f64], index: usize| list.get(index).copied().unwrap_or(0.0);
    (0..from.len().max(to.len()))
        .map(|index| {
            let (from, to) = (at(from, index), at(to, index));
            let turns_trained = from * trained / TAU;
            let turns = to * reach / TAU;
            Pair {
                index,
                period_trained: period(from),
                period: period(to),
                turns_trained,
                turns_unscaled: from * target / TAU,
                turns,
                stretch: (from > 0.0 && to > 0.0).then(|| from / to),
                leaves: leaves(turns_trained, turns),
                fading: None,
            }
        })
        .collect()
}

/// Whether a pair reaches angles that it never showed; the margin is that of rounding.
fn leaves(trained: f64, now: f64) -> bool {
    trained < 1.0 && now > trained * (1.0 + 1e-9)
}

pub(super) fn turning(setting: &Setting, from: &Rotation, to: &Rotation, reach: f64, follows_length: bool) -> Turning {
    let mut pairs = pairs(setting, &from.inverse_frequencies, &to.inverse_frequencies, reach);
    if let Some(decay) = &to.decay {
        for (pair, fading) in pairs.iter_mut().zip(fadings(setting, decay)) {
            pair.fading = Some(fading);
        }
    }
    let count = |turns: fn(&Pair) -> f64| pairs.iter().filter(|pair| turns(pair) < 1.0).count();
    let chosen = |choose: &dyn Fn(&Pair) -> bool| pairs.iter().filter(|p| choose(p)).map(|p| p.index).collect();
    let first = pairs.first().and_then(|pair| pair.stretch);
    let same = |stretch: f64| pairs.iter().all(|p| p.stretch.is_some_and(|s| (s / stretch - 1.0).abs() < 1e-12));
    Turning {
        reach,
        never_trained: count(|pair| pair.turns_trained),
        never_target: count(|pair| pair.turns_unscaled),
        leaves: chosen(&|pair| pair.leaves),
        leaves_unscaled: chosen(&|pair| leaves(pair.turns_trained, pair.turns_unscaled)),
        uniform_stretch: first.filter(|stretch| same(*stretch)),
        equivalence: equivalence(&from.inverse_frequencies, &to.inverse_frequencies, reach),
        attention_factor: to.attention_factor,
        logit_scale: to.attention_factor * to.attention_factor,
        pairing: to.pairing,
        pairs_of_the_weights: to.pairing == from.pairing,
        follows_length,
        pairs,
    }
}

fn fadings(setting: &Setting, decay: &Decay) -> Vec<Fading> {
    let left = |zeta: f64, distance: f64| zeta.powf(distance / decay.scale_base);
    let fading = |&zeta: &f64| Fading {
        zeta,
        falls_by_e_at: -decay.scale_base / zeta.ln(),
        left_at_trained: left(zeta, setting.trained.as_f64()),
        left_at_target: left(zeta, setting.target.as_f64()),
    };
    decay.zeta.iter().map(fading).collect()
}

/// Turns a unit vector by both kinds of angles, and between positions, at powers of two up to the reach.
fn equivalence(from: &[f64], to: &[f64], reach: f64) -> Equivalence {
    let positions: Vec<f64> =
        (0..64).map(|power| f64::from(power).exp2()).take_while(|p| *p < reach).chain([reach - 1.0]).collect();
    let apart = |a: f64, b: f64| {
        let ((sine_a, cosine_a), (sine_b, cosine_b)) = (a.sin_cos(), b.sin_cos());
        (sine_a - sine_b).hypot(cosine_a - cosine_b)
    };
    let (mut residual, mut relative_residual) = (0.0_f64, 0.0_f64);
    for (&from, &to) in from.iter().zip(to) {
        for &position in &positions {
            // What the position becomes for this pair; a pair that stands still stays at the first one.
            let moved = if from > 0.0 { position * (to / from) } else { position };
            residual = residual.max(apart(position * to, moved * from));
            let other = reach - 1.0;
            relative_residual = relative_residual.max(between(position * to, other * to, (other - position) * to));
        }
    }
    let worst = residual.max(relative_residual).max(f64::EPSILON);
    Equivalence { positions: positions.len(), residual, relative_residual, within: 10_f64.powf(worst.log10().ceil()) }
}

/// How far the turn from one angle to another is from a turn by `difference`: the first turn undone, the second made.
fn between(first: f64, second: f64, difference: f64) -> f64 {
    let ((sine_a, cosine_a), (sine_b, cosine_b)) = (first.sin_cos(), second.sin_cos());
    let (sine, cosine) = difference.sin_cos();
    (sine_b * cosine_a - cosine_b * sine_a - sine).hypot(cosine_b * cosine_a + sine_b * sine_a - cosine)
}

pub(super) fn grouped(setting: &Setting, from: &Rotation, to: &Grouping) -> Grouped {
    let farthest = setting.target.0 - 1;
    // The first key stands at 0 in either kind; within the window distances are exact.
    let largest = to.query(farthest) - to.key(0);
    let reach = if setting.target.0 <= to.window { farthest } else { largest.max(to.window.saturating_sub(1)) };
    let turning = turning(setting, from, &to.rotation, reach as f64 + 1.0, false);
    // The largest i with floor(i / G) + W - floor(W / G) <= L - 1, and one more for the length.
    let shift = to.window - to.window / to.group;
    let longest = (setting.trained.0.saturating_sub(shift)) * to.group;
    Grouped { turning, group: to.group, window: to.window, largest, longest }
}
