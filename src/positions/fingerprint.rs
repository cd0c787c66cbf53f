//! One short hash of what a mechanism does, so that two runs can be told apart by their positions alone.

use super::{Bias, Mechanism, Rotation, Vectors};

/// The first 12 hexadecimal digits of the BLAKE3 hash of the mechanism's numbers: inverse frequencies, attention factor,
/// pairing, slopes, buckets, added vectors.
///
/// Numbers count to ten digits, so that two machines' logarithms give the same hash.
#[must_use]
pub fn fingerprint(mechanism: &Mechanism) -> String {
    let (words, numbers) = match mechanism {
        Mechanism::Nothing => ("nothing".to_owned(), Vec::new()),
        Mechanism::Rotate(rotation) => rotated(rotation),
        Mechanism::Group(grouping) => {
            let (words, numbers) = rotated(&grouping.rotation);
            (format!("{words}, groups of {} beyond {}", grouping.group, grouping.window), numbers)
        }
        Mechanism::Bias(Bias::Linear { slopes }) => ("slopes".to_owned(), slopes.clone()),
        Mechanism::Bias(bias) => (format!("{bias:?}"), Vec::new()),
        Mechanism::Add(Vectors::Sinusoidal { inverse_frequencies, amplitude }) => {
            ("waves".to_owned(), [inverse_frequencies.as_slice(), &[*amplitude]].concat())
        }
        Mechanism::Add(vectors) => (format!("{vectors:?}"), Vec::new()),
    };
    let mut hasher = blake3::Hasher::new();
    hasher.update(words.as_bytes());
    for number in numbers {
        hasher.update(format!(" {number:.9e}").as_bytes());
    }
    hasher.finalize().to_hex()[..12].to_owned()
}

fn rotated(rotation: &Rotation) -> (String, Vec<f64>) {
    let mut numbers = rotation.inverse_frequencies.clone();
    numbers.push(rotation.attention_factor);
    if let Some(decay) = &rotation.decay {
        numbers.extend(&decay.zeta);
        numbers.push(decay.scale_base);
    }
    (format!("rotate {:?}", rotation.pairing), numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::positions::{AnyMethod, HeadShape, Method, Pairing};
    use crate::units::{Stretch, Tokens};

    fn of(method: &str, factor: f64) -> String {
        let heads = HeadShape {
            heads: 4,
            width: 128,
            head_dim: 32,
            rotary_dim: 32,
            theta: 1e4,
            trained: Tokens(2048),
            pairing: Pairing::HalfSplit,
            native: AnyMethod::named("rope").unwrap(),
        };
        fingerprint(&AnyMethod::named(method).unwrap().mechanism(&heads, Stretch(factor), Tokens(8192)).unwrap())
    }

    #[test]
    fn equal_rotations_have_equal_fingerprints_whatever_their_names() {
        assert_eq!(of("none", 1.0), of("linear", 1.0));
        let different = [of("none", 1.0), of("linear", 4.0), of("linear", 2.0), of("ntk", 4.0), of("yarn", 4.0)];
        let unique: std::collections::BTreeSet<_> = different.iter().collect();
        assert_eq!(unique.len(), different.len());
    }
}
