//! Which known spectrum a recovered one is, and what separates it from the nearest.

use serde::{Deserialize, Serialize};

use super::coordinates::rotation;
use crate::positions::{AnyMethod, HeadShape, Method, Rotation};
use crate::units::{Stretch, Tokens};

/// The known spectrum nearest to a recovered one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nearest {
    /// The method's name.
    pub method: String,
    /// Its factor.
    pub factor: f64,
    /// The base of its frequencies.
    pub base: f64,
    /// The trained length that its ramp uses, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trained: Option<usize>,
    /// Root of the mean square of the logarithms' differences over the pairs that agree.
    pub deviation: f64,
    /// The pairs that differ, from 0.
    #[serde(default)]
    pub differs: Vec<usize>,
    /// How the attention factor stands to the method's own.
    pub attention: Attention,
}

/// How a recovered attention factor stands to that of the nearest method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attention {
    /// It is the method's.
    Own,
    /// The method has one, and it is not applied.
    Missing,
    /// It is the square of the method's.
    Squared,
    /// It is another number.
    Other,
}

/// A recovered number: logarithm and its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Logarithm {
    pub(super) value: f64,
    pub(super) error: f64,
}

/// Bases that checkpoints ship with.
const BASES: [f64; 6] = [10_000.0, 100_000.0, 250_000.0, 500_000.0, 1_000_000.0, 5_000_000.0];
/// Multiples of the trained length that are mistaken for it.
const LENGTHS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 0.5, 0.25, 0.125];
/// Pairs known worse than this say nothing of the method.
const KNOWN: f64 = 0.25;
/// Spectra nearer than this are the same, whatever the noise: tables in single precision.
const SAME: f64 = 1e-3;
/// Each thing that must be assumed beside method and factor counts like so much misfit.
const ASSUMPTION: f64 = 4.0;
/// A factor that is no multiple of a half counts like so much: the same spectrum often has several names.
const UNEVEN: f64 = 5.0;
/// The largest factor looked for.
const LARGEST: f64 = 128.0;

/// A known spectrum with its misfit.
struct Known {
    method: AnyMethod,
    factor: f64,
    heads: HeadShape,
    assumptions: f64,
    has_ramp: bool,
    misfit: f64,
}

/// The nearest known spectrum; nothing where no pair is known well enough.
pub(super) fn nearest(pairs: &[Logarithm], attention: Logarithm, heads: &HeadShape) -> Option<Nearest> {
    if pairs.iter().filter(|pair| pair.error < KNOWN).count() < 2 {
        return None;
    }
    let best = AnyMethod::NAMES
        .iter()
        .filter_map(|name| AnyMethod::named(name))
        .flat_map(|method| variants(&method, pairs, heads))
        .map(|known| best_factor(known, pairs))
        .map(|known| {
            let own = spectrum(&known.method, known.factor, &known.heads).map(|found| found.attention_factor);
            let differs = own.is_none_or(|own| standing(attention, own) != Attention::Own);
            Known { assumptions: known.assumptions + f64::from(u8::from(differs)), ..known }
        })
        .enumerate()
        // Of names for the same spectrum the first.
        .map(|(place, known)| Known { assumptions: known.assumptions + 1e-6 * place as f64, ..known })
        .min_by(|a, b| (a.misfit + a.assumptions).total_cmp(&(b.misfit + b.assumptions)))?;
    let found = spectrum(&best.method, best.factor, &best.heads)?;
    let apart = |(i, pair): (usize, &Logarithm)| pair.value - found.inverse_frequencies[i].ln();
    let known = || pairs.iter().enumerate().filter(|(_, pair)| pair.error < KNOWN);
    let differs: Vec<usize> = known()
        .filter(|&(i, pair)| apart((i, pair)).abs() > (3.5 * pair.error).max(10.0 * SAME))
        .map(|(i, _)| i)
        .collect();
    let rest: Vec<f64> = known().filter(|(i, _)| !differs.contains(i)).map(apart).collect();
    Some(Nearest {
        method: best.method.name().to_owned(),
        factor: best.factor,
        base: best.heads.theta,
        trained: best.has_ramp.then_some(best.heads.trained.0),
        deviation: super::agreement::rms(&rest),
        differs,
        attention: standing(attention, found.attention_factor),
    })
}

fn standing(found: Logarithm, own: f64) -> Attention {
    let is = |factor: f64| (found.value - factor.ln()).abs() <= (3.5 * found.error).max(2.0 * SAME);
    match () {
        () if is(own) => Attention::Own,
        () if is(1.0) => Attention::Missing,
        () if is(own * own) => Attention::Squared,
        () => Attention::Other,
    }
}

/// The rotation of a method, where it is one and the same at every length.
fn spectrum(method: &AnyMethod, factor: f64, heads: &HeadShape) -> Option<Rotation> {
    let at = |length: usize| method.mechanism(heads, Stretch(factor), Tokens(length)).ok();
    let (one, other) = (at(1)?, at(heads.trained.0 * 4)?);
    let found = rotation(&one)?;
    (one == other && found.decay.is_none()).then(|| found.clone())
}

/// A method with this checkpoint's base and trained length, and with others.
fn variants(method: &AnyMethod, pairs: &[Logarithm], heads: &HeadShape) -> Vec<Known> {
    let with = |theta: f64, multiple: f64| HeadShape {
        theta,
        trained: Tokens((heads.trained.as_f64() * multiple).max(1.0) as usize),
        ..heads.clone()
    };
    let own = spectrum(method, 4.0, &with(heads.theta, 1.0));
    let Some(own) = own.filter(|own| own.inverse_frequencies.len() == pairs.len()) else { return Vec::new() };
    let has_ramp = spectrum(method, 4.0, &with(heads.theta, 4.0)).is_some_and(|other| other != own);
    let fitted = base_of(pairs);
    let bases = [heads.theta].into_iter().chain(BASES).chain(fitted);
    let mut known = Vec::new();
    for theta in bases {
        for multiple in LENGTHS.into_iter().take(if has_ramp { LENGTHS.len() } else { 1 }) {
            let assumed = usize::from(theta != heads.theta) + usize::from(multiple != 1.0);
            // A base that was fitted is one more thing that could have been anything.
            let fitted = usize::from(Some(theta) == fitted);
            known.push(Known {
                method: method.clone(),
                factor: 1.0,
                heads: with(theta, multiple),
                assumptions: ASSUMPTION * (assumed + fitted) as f64,
                has_ramp,
                misfit: f64::INFINITY,
            });
        }
    }
    known
}

/// The base of a spectrum that falls by a constant ratio, by least squares of the logarithms through 0.
fn base_of(pairs: &[Logarithm]) -> Option<f64> {
    let n = pairs.len() as f64;
    let (mut xx, mut xy) = (0.0, 0.0);
    for (i, pair) in pairs.iter().enumerate().filter(|(_, pair)| pair.error < KNOWN) {
        let (x, weight) = (i as f64 / n, (pair.error * pair.error + SAME * SAME).recip());
        xx += weight * x * x;
        xy -= weight * x * pair.value;
    }
    (xx > 0.0).then(|| (xy / xx).exp()).filter(|base| base.is_finite() && *base > 1.0)
}

/// Misfit of a spectrum: each pair counts by the logarithm of its squared deviation in errors, so that a few that differ
/// do not hide that the others agree (Cauchy's loss).
fn misfit(pairs: &[Logarithm], found: &Rotation) -> f64 {
    pairs
        .iter()
        .zip(&found.inverse_frequencies)
        .filter(|(pair, _)| pair.error < KNOWN)
        .map(|(pair, frequency)| {
            let z = (pair.value - frequency.ln()) / (pair.error * pair.error + SAME * SAME).sqrt();
            (z * z).ln_1p()
        })
        .sum()
}

/// Puts in the factor with the smallest misfit: a grid, then closer around the best, then a round number if it does as well.
fn best_factor(mut known: Known, pairs: &[Logarithm]) -> Known {
    let at = |factor: f64| spectrum(&known.method, factor, &known.heads).map_or(f64::INFINITY, |s| misfit(pairs, &s));
    if known.method.is_unscaled_at_one() && at(2.0) == at(4.0) && at(1.0) == at(2.0) {
        known.misfit = at(1.0);
        return known;
    }
    let steps = 96;
    let width = LARGEST.ln() / f64::from(steps);
    let grid = (0..=steps).map(|step| (f64::from(step) * width).exp());
    let mut best = grid.map(|factor| (factor, at(factor))).min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((1.0, at(1.0)));
    let mut reach = width;
    while reach > 1e-6 {
        for factor in [best.0 * (-reach / 2.0).exp(), best.0 * (reach / 2.0).exp()] {
            let there = (factor, at(factor));
            if factor >= 1.0 && there.1 < best.1 {
                best = there;
            }
        }
        reach /= 1.5;
    }
    let round = (best.0 * 2.0).round() / 2.0;
    if at(round) <= best.1 + 1.0 {
        best = (round, at(round));
    }
    (known.factor, known.misfit) = best;
    if known.factor != round {
        known.assumptions += UNEVEN;
    }
    if known.factor == 1.0 && known.method != AnyMethod::unscaled() {
        // The unscaled model under another name.
        known.assumptions += 0.1;
    }
    known
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::positions::{Pairing, Rope};

    fn heads() -> HeadShape {
        HeadShape {
            heads: 4,
            width: 128,
            head_dim: 32,
            rotary_dim: 32,
            theta: 10_000.0,
            trained: Tokens(2_048),
            pairing: Pairing::HalfSplit,
            native: AnyMethod::Rope(Rope::default()),
        }
    }

    fn recovered(name: &str, factor: f64, heads: &HeadShape, error: f64) -> (Vec<Logarithm>, Logarithm) {
        let found = spectrum(&AnyMethod::named(name).unwrap(), factor, heads).unwrap();
        let pairs = found
            .inverse_frequencies
            .iter()
            .enumerate()
            // Off by about one standard error, this way and that.
            .map(|(i, f)| Logarithm { value: f.ln() + error * [0.9, -1.1, 0.3][i % 3], error })
            .collect();
        (pairs, Logarithm { value: found.attention_factor.ln(), error })
    }

    #[test]
    fn methods_and_factors_are_named_from_their_spectra() {
        for name in ["linear", "ntk", "yarn", "llama3", "yarn_paper", "by_parts"] {
            for factor in [2.0, 4.0, 7.0, 8.0, 16.0] {
                let (pairs, attention) = recovered(name, factor, &heads(), 2e-4);
                let nearest = nearest(&pairs, attention, &heads()).unwrap();
                // By-parts is YaRN without its attention factor.
                let same = nearest.method == name || nearest.differs.is_empty() && name == "by_parts";
                assert!(same, "{name} x{factor}: {nearest:?}");
                assert!((nearest.factor / factor - 1.0).abs() < 1e-3, "{name} x{factor}: {nearest:?}");
                assert_eq!(nearest.base, 10_000.0);
            }
        }
    }

    #[test]
    fn a_base_a_trained_length_and_an_attention_factor_that_differ_are_named() {
        let other = HeadShape { theta: 500_000.0, ..heads() };
        let (pairs, attention) = recovered("none", 1.0, &other, 2e-4);
        let found = nearest(&pairs, attention, &heads()).unwrap();
        assert_eq!((found.method.as_str(), found.factor, found.base), ("none", 1.0, 500_000.0));

        let target = HeadShape { trained: Tokens(8_192), ..heads() };
        let (pairs, attention) = recovered("yarn", 4.0, &target, 2e-4);
        let squared = Logarithm { value: 2.0 * attention.value, ..attention };
        let found = nearest(&pairs, squared, &heads()).unwrap();
        assert_eq!((found.method.as_str(), found.factor, found.trained), ("yarn", 4.0, Some(8_192)));
        assert_eq!(found.attention, Attention::Squared);
    }

    #[test]
    fn a_pair_of_its_own_is_pointed_at() {
        let (mut pairs, attention) = recovered("yarn", 4.0, &heads(), 2e-4);
        pairs[5].value -= 3_f64.ln();
        pairs[15].error = 3.0;
        let found = nearest(&pairs, attention, &heads()).unwrap();
        assert_eq!((found.method.as_str(), found.factor, found.differs), ("yarn", 4.0, vec![5]));
    }
}
