//! One short word for what a mechanism computes, so that two engines or two dates can be compared at a glance.

use super::{Bias, Buckets, Mechanism, Pairing, Rotation, Vectors};

/// Digits of the numbers that count: machines differ in the last ones.
const DIGITS: usize = 9;

/// The first 16 hexadecimal digits of the BLAKE3 hash of everything that a mechanism applies: inverse frequencies, attention
/// factor, pairing, slopes, bucket edges, rows.
///
/// Two mechanisms share it if and only if they agree to nine digits; learned values are no part of it.
#[must_use]
pub fn fingerprint(mechanism: &Mechanism) -> String {
    let mut text = String::new();
    match mechanism {
        Mechanism::Nothing => text.push_str("nothing"),
        Mechanism::Rotate(rotation) => rotate(&mut text, rotation),
        Mechanism::Group(grouping) => {
            text.push_str(&format!("group {} {} ", grouping.group, grouping.window));
            rotate(&mut text, &grouping.rotation);
        }
        Mechanism::Bias(bias) => added(&mut text, bias),
        Mechanism::Add(Vectors::Sinusoidal { inverse_frequencies, amplitude }) => {
            numbers(&mut text, "sinusoidal", &[*amplitude]);
            numbers(&mut text, "frequencies", inverse_frequencies);
        }
        Mechanism::Add(Vectors::Learned { rows, stretch }) => numbers(&mut text, "rows", &[*rows as f64, *stretch]),
    }
    blake3::hash(text.as_bytes()).to_hex()[..16].to_owned()
}

fn rotate(text: &mut String, rotation: &Rotation) {
    numbers(text, "frequencies", &rotation.inverse_frequencies);
    numbers(text, "attention", &[rotation.attention_factor]);
    text.push_str(match rotation.pairing {
        Pairing::HalfSplit => "half_split ",
        Pairing::Interleaved => "interleaved ",
    });
    if let Some(decay) = &rotation.decay {
        numbers(text, "zeta", &decay.zeta);
        numbers(text, "scale_base", &[decay.scale_base]);
    }
}

fn added(text: &mut String, bias: &Bias) {
    match bias {
        Bias::Linear { slopes } => numbers(text, "slopes", slopes),
        Bias::Learned(Buckets::Logarithmic { count, max_distance, stretch }) => {
            numbers(text, "buckets", &[*count as f64, *max_distance as f64, *stretch]);
        }
        Bias::Learned(Buckets::Clipped { largest, stretch }) => numbers(text, "offsets", &[*largest as f64, *stretch]),
        Bias::Power { stretch } => numbers(text, "power", &[*stretch]),
        Bias::Log { stretch } => numbers(text, "log", &[*stretch]),
    }
}

fn numbers(text: &mut String, name: &str, numbers: &[f64]) {
    text.push_str(name);
    for number in numbers {
        text.push_str(&format!(" {number:.*e}", DIGITS - 1));
    }
    text.push(' ');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::positions::{AnyMethod, HeadShape, Method};
    use crate::units::{Stretch, Tokens};

    fn of(name: &str, factor: f64, heads: &HeadShape) -> String {
        let method = AnyMethod::named(name).unwrap();
        let heads = HeadShape { native: method.clone(), ..heads.clone() };
        fingerprint(&method.mechanism(&heads, Stretch(factor), Tokens(8192)).unwrap())
    }

    #[test]
    fn equal_mechanisms_share_it_and_others_do_not() {
        let heads = HeadShape {
            heads: 8,
            width: 512,
            head_dim: 64,
            rotary_dim: 64,
            theta: 10_000.0,
            trained: Tokens(2048),
            pairing: Pairing::HalfSplit,
            native: AnyMethod::unscaled(),
        };
        let mut seen: Vec<String> = AnyMethod::NAMES
            .iter()
            .filter(|name| !["none", "half_split", "partial", "proportional"].contains(name))
            .map(|name| of(name, 4.0, &heads))
            .collect();
        let all = seen.len();
        seen.sort_unstable();
        seen.dedup();
        // Static NTK and `longrope` without lists differ in the attention factor alone, `dynamic_vllm` and `ntk` in the base.
        assert!(seen.len() + 2 >= all, "{} of {all} differ", seen.len());
        assert_eq!(of("yarn", 1.0, &heads), of("rope", 1.0, &heads));
        assert_eq!(of("none", 1.0, &heads), of("rope", 4.0, &heads));
        assert_ne!(of("yarn", 4.0, &heads), of("yarn", 4.0, &HeadShape { theta: 10_001.0, ..heads.clone() }));
        assert_ne!(of("rope", 1.0, &heads), of("rope", 1.0, &HeadShape { pairing: Pairing::Interleaved, ..heads }));
    }
}
