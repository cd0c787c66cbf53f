//! What several faults share: questions about a setting, changes of a mechanism, checks of parameters.

use super::{FaultError, Setting};
use crate::positions::{AnyMethod, Bias, Buckets, Mechanism, Pairing, Rotation, Vectors};
use crate::units::Tokens;

/// The mechanism at the target length, where it has its full effect.
fn mechanism(setting: &Setting) -> Option<Mechanism> {
    setting.mechanism(Tokens(served(setting))).ok()
}

/// The length that the setting is stretched to.
pub(super) fn served(setting: &Setting) -> usize {
    (setting.heads.trained.as_f64() * setting.factor.0) as usize
}

/// Whether queries and keys are rotated.
pub(super) fn rotates(setting: &Setting) -> bool {
    matches!(mechanism(setting), Some(Mechanism::Rotate(_) | Mechanism::Group(_)))
}

/// Whether a table of rotations or waves is used.
pub(super) fn has_table(setting: &Setting) -> bool {
    rotates(setting) || matches!(mechanism(setting), Some(Mechanism::Add(Vectors::Sinusoidal { .. })))
}

/// Whether a bias is added to the scores.
pub(super) fn has_bias(setting: &Setting) -> bool {
    matches!(mechanism(setting), Some(Mechanism::Bias(_)))
}

/// Whether that bias is ALiBi's.
pub(super) fn has_slopes(setting: &Setting) -> bool {
    matches!(mechanism(setting), Some(Mechanism::Bias(Bias::Linear { .. })))
}

/// Whether that bias is T5's.
pub(super) fn has_buckets(setting: &Setting) -> bool {
    matches!(mechanism(setting), Some(Mechanism::Bias(Bias::Learned(Buckets::Logarithmic { .. }))))
}

/// Whether positions enter by their numbers at all.
pub(super) fn uses_positions(setting: &Setting) -> bool {
    !matches!(mechanism(setting), None | Some(Mechanism::Nothing))
}

/// Whether a shift of all positions changes nothing.
pub(super) fn is_relative(setting: &Setting) -> bool {
    rotates(setting) && !matches!(mechanism(setting), Some(Mechanism::Group(_))) || has_bias(setting)
}

/// Whether the rotation is a scaled one of the same pairs: rows of the unscaled table can stand beside its own.
pub(super) fn is_scaled(setting: &Setting) -> bool {
    let plain = Setting { method: AnyMethod::unscaled(), ..setting.clone() };
    let (own, plain) = (mechanism(setting), mechanism(&plain));
    let (Some(own), Some(plain)) =
        (own.as_ref().and_then(Mechanism::rotation), plain.as_ref().and_then(Mechanism::rotation))
    else {
        return false;
    };
    let pairs = |rotation: &Rotation| (rotation.inverse_frequencies.len(), rotation.pairing);
    own != plain && pairs(own) == pairs(plain)
}

/// Whether the rotation sharpens attention.
pub(super) fn has_attention_factor(setting: &Setting) -> bool {
    mechanism(setting).as_ref().and_then(Mechanism::rotation).is_some_and(|rotation| rotation.attention_factor != 1.0)
}

/// Whether the method scales by raising the base.
pub(super) fn is_base_scaling(method: &AnyMethod) -> bool {
    matches!(
        method,
        AnyMethod::Ntk(_)
            | AnyMethod::Dynamic(_)
            | AnyMethod::DynamicVllm(_)
            | AnyMethod::DynamicStep(_)
            | AnyMethod::DynamicPaper(_)
    )
}

/// The other of the two pairings.
pub(super) fn other(pairing: Pairing) -> Pairing {
    match pairing {
        Pairing::HalfSplit => Pairing::Interleaved,
        Pairing::Interleaved => Pairing::HalfSplit,
    }
}

/// Changes every inverse frequency, fastest first.
pub(super) fn turn_frequencies(mechanism: &mut Mechanism, change: impl FnMut(f64) -> f64) {
    if let Some(rotation) = mechanism.rotation_mut() {
        rotation.inverse_frequencies = rotation.inverse_frequencies.iter().copied().map(change).collect();
    }
}

/// Changes the attention factor.
pub(super) fn change_factor(mechanism: &mut Mechanism, change: impl Fn(f64) -> f64) {
    if let Some(rotation) = mechanism.rotation_mut() {
        rotation.attention_factor = change(rotation.attention_factor);
    }
}

/// Changes ALiBi's slopes, one a head.
pub(super) fn change_slopes(mechanism: &mut Mechanism, change: impl Fn(&[f64]) -> Vec<f64>) {
    if let Mechanism::Bias(Bias::Linear { slopes }) = mechanism {
        *slopes = change(slopes);
    }
}

/// Changes the number of T5's buckets in use and their largest distance.
pub(super) fn change_buckets(mechanism: &mut Mechanism, change: impl Fn(usize, usize) -> (usize, usize)) {
    if let Mechanism::Bias(Bias::Learned(Buckets::Logarithmic { count, max_distance, .. })) = mechanism {
        (*count, *max_distance) = change(*count, *max_distance);
    }
}

/// Checks that a parameter is a number above a bound.
pub(super) fn positive_above(fault: &'static str, name: &'static str, got: f64, bound: f64) -> Result<(), FaultError> {
    let expected = if bound == 1.0 { "a number above 1" } else { "a number above 0" };
    if got.is_finite() && got > bound { Ok(()) } else { Err(FaultError::Parameter { fault, name, expected, got }) }
}

/// Checks that a count is at least 1.
pub(super) fn at_least_one(fault: &'static str, name: &'static str, got: usize) -> Result<(), FaultError> {
    if got >= 1 { Ok(()) } else { Err(FaultError::Parameter { fault, name, expected: "at least 1", got: 0.0 }) }
}

/// Checks that a number of rows or keys, where it is given, is at least 1.
pub(super) fn some_rows(fault: &'static str, name: &'static str, got: Option<usize>) -> Result<(), FaultError> {
    got.map_or(Ok(()), |got| at_least_one(fault, name, got))
}
