//! The unknowns of a fit: how a configuration's numbers become coordinates, and back.

use super::oracle::Configuration;
use crate::positions::{Bias, Mechanism};

/// What a coordinate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The logarithm of a pair's inverse frequency.
    Frequency(usize),
    /// The logarithm of the attention factor of a rotation.
    AttentionFactor,
    /// The logarithm of a head's slope.
    Slope(usize),
    /// A learned value of a bias, in nats; its index in the tensor.
    Value(usize),
    /// The logarithm of a kernel's learned parameter; its index in the tensor.
    Kernel(usize),
    /// The logarithm of a constant factor on all scores.
    Temperature,
}

impl Kind {
    /// Whether the coordinate is a logarithm.
    pub(super) fn is_logarithm(self) -> bool {
        !matches!(self, Self::Value(_))
    }
}

/// The coordinates of a configuration, which keeps what is not among them.
#[derive(Clone, Debug)]
pub(super) struct Coordinates {
    base: Configuration,
    /// What each coordinate is, in order.
    pub(super) kinds: Vec<Kind>,
}

impl Coordinates {
    /// The unknowns of a mechanism; nothing where it has none that the scores show.
    pub(super) fn of(configuration: &Configuration) -> Option<Self> {
        let learned = configuration.learned.as_ref().map_or(0, Vec::len);
        let mut kinds: Vec<Kind> = match &configuration.mechanism {
            Mechanism::Rotate(rotation) => {
                (0..rotation.inverse_frequencies.len()).map(Kind::Frequency).chain([Kind::AttentionFactor]).collect()
            }
            Mechanism::Group(grouping) => {
                let pairs = grouping.rotation.inverse_frequencies.len();
                (0..pairs).map(Kind::Frequency).chain([Kind::AttentionFactor]).collect()
            }
            Mechanism::Bias(Bias::Linear { slopes }) => (0..slopes.len()).map(Kind::Slope).collect(),
            // Softmax does not see a constant a head: the first bucket's values stay.
            Mechanism::Bias(Bias::Learned(buckets)) if learned > 0 => {
                (learned / buckets.count()..learned).map(Kind::Value).collect()
            }
            Mechanism::Bias(Bias::Power { .. } | Bias::Log { .. }) if learned > 0 => {
                (0..learned).map(Kind::Kernel).collect()
            }
            Mechanism::Nothing | Mechanism::Add(_) | Mechanism::Bias(_) => return None,
        };
        if matches!(configuration.mechanism, Mechanism::Bias(_)) {
            kinds.push(Kind::Temperature);
        }
        Some(Self { base: configuration.clone(), kinds })
    }

    /// The coordinates of the configuration that they were made of.
    pub(super) fn start(&self) -> Vec<f64> {
        let rotation = rotation(&self.base.mechanism);
        let learned = self.base.learned.as_deref().unwrap_or_default();
        self.kinds
            .iter()
            .map(|kind| match *kind {
                Kind::Frequency(pair) => rotation.map_or(0.0, |r| r.inverse_frequencies[pair].ln()),
                Kind::AttentionFactor => rotation.map_or(0.0, |r| r.attention_factor.ln()),
                Kind::Slope(head) => slopes(&self.base.mechanism).map_or(0.0, |slopes| slopes[head].ln()),
                Kind::Value(index) => learned[index],
                Kind::Kernel(index) => learned[index].ln(),
                Kind::Temperature => self.base.temperature.ln(),
            })
            .collect()
    }

    /// Whether distances below so many tokens show a coordinate: a bucket may lie beyond them.
    pub(super) fn shows(&self, kind: Kind, tokens: usize) -> bool {
        let (Kind::Value(index), Mechanism::Bias(Bias::Learned(buckets))) = (kind, &self.base.mechanism) else {
            return true;
        };
        let heads = self.base.learned.as_ref().map_or(0, Vec::len) / buckets.count().max(1);
        (0..tokens).any(|distance| buckets.of(distance) == index / heads.max(1))
    }

    /// The configuration at given coordinates.
    pub(super) fn at(&self, values: &[f64]) -> Configuration {
        let mut made = self.base.clone();
        for (kind, &value) in self.kinds.iter().zip(values) {
            match *kind {
                Kind::Temperature => made.temperature = value.exp(),
                Kind::Value(index) => {
                    if let Some(learned) = &mut made.learned {
                        learned[index] = value;
                    }
                }
                Kind::Kernel(index) => {
                    if let Some(learned) = &mut made.learned {
                        learned[index] = value.exp();
                    }
                }
                Kind::Slope(head) => {
                    if let Mechanism::Bias(Bias::Linear { slopes }) = &mut made.mechanism {
                        slopes[head] = value.exp();
                    }
                }
                Kind::Frequency(_) | Kind::AttentionFactor => turn(&mut made.mechanism, *kind, value.exp()),
            }
        }
        made
    }
}

fn turn(mechanism: &mut Mechanism, kind: Kind, value: f64) {
    let rotation = match mechanism {
        Mechanism::Rotate(rotation) => rotation,
        Mechanism::Group(grouping) => &mut grouping.rotation,
        _ => return,
    };
    match kind {
        Kind::Frequency(pair) => rotation.inverse_frequencies[pair] = value,
        _ => rotation.attention_factor = value,
    }
}

/// The rotation of a mechanism that rotates.
pub(super) fn rotation(mechanism: &Mechanism) -> Option<&crate::positions::Rotation> {
    match mechanism {
        Mechanism::Rotate(rotation) => Some(rotation),
        Mechanism::Group(grouping) => Some(&grouping.rotation),
        _ => None,
    }
}

fn slopes(mechanism: &Mechanism) -> Option<&[f64]> {
    match mechanism {
        Mechanism::Bias(Bias::Linear { slopes }) => Some(slopes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::positions::{Buckets, Pairing, Rotation};

    fn with(mechanism: Mechanism, learned: Option<Vec<f64>>) -> Configuration {
        Configuration { mechanism, learned, temperature: 1.0 }
    }

    #[test]
    fn coordinates_lead_back_to_the_configuration() {
        let rotation = Rotation { attention_factor: 1.2, ..Rotation::plain(vec![1.0, 0.01], Pairing::HalfSplit) };
        let buckets = Buckets::Clipped { largest: 2, stretch: 1.0 };
        for (configuration, unknowns) in [
            (with(Mechanism::Rotate(rotation), None), 3),
            (with(Mechanism::Bias(Bias::Linear { slopes: vec![0.5, 0.25] }), None), 3),
            (with(Mechanism::Bias(Bias::Learned(buckets)), Some(vec![0.1, 0.2, 0.3, 0.4, 0.5, 0.6])), 5),
            (with(Mechanism::Bias(Bias::Log { stretch: 1.0 }), Some(vec![0.1, 0.2, 0.3, 0.4])), 5),
        ] {
            let coordinates = Coordinates::of(&configuration).unwrap();
            assert_eq!(coordinates.kinds.len(), unknowns);
            let mut values = coordinates.start();
            values[0] += 0.5;
            let back = Coordinates::of(&coordinates.at(&values)).unwrap().start();
            assert!(back.iter().zip(&values).all(|(a, b)| (a - b).abs() < 1e-12), "{back:?} {values:?}");
        }
        assert!(Coordinates::of(&with(Mechanism::Nothing, None)).is_none());
    }
}
