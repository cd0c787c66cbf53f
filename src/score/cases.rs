//! Which faults are injected into which deployments: a fixed sample.

use crate::faults::{AnyFault, Fault, Site};
use crate::positions::AnyMethod;
use crate::stats::random::Random;
use crate::units::Stretch;

use super::Kind;

/// Seed of the sample of pairs; fixed, so that every gyro is scored on the same ones.
const SEED: u64 = 2048;

/// A deployment that faults are injected into: a reference checkpoint with a declared method and factor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Declared {
    /// The folder of the checkpoint.
    pub checkpoint: &'static str,
    /// The method's name.
    pub method: &'static str,
    /// Its factor.
    pub factor: f64,
}

impl Declared {
    /// The method with its default parameters.
    #[must_use]
    pub fn method(&self) -> Option<AnyMethod> {
        AnyMethod::named(self.method)
    }

    /// The factor.
    #[must_use]
    pub fn factor(&self) -> Stretch {
        Stretch(self.factor)
    }

    /// In words: `yarn x4 on rope-2k`.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{} x{} on {}", self.method, self.factor, self.checkpoint)
    }
}

/// The deployments; a fault is injected into the first one that it can matter in.
///
/// Together they reach every formula that a fault can bite: an attention factor, a base that follows the length, a switch of
/// factors, a part of the head that is not rotated, slopes, buckets.
pub const DEPLOYMENTS: [Declared; 8] = [
    Declared { checkpoint: "rope-2k", method: "yarn", factor: 4.0 },
    Declared { checkpoint: "rope-2k", method: "dynamic", factor: 4.0 },
    Declared { checkpoint: "rope-2k", method: "longrope", factor: 4.0 },
    Declared { checkpoint: "rope-2k", method: "ntk", factor: 4.0 },
    Declared { checkpoint: "rope-2k", method: "partial", factor: 1.0 },
    Declared { checkpoint: "alibi-2k", method: "alibi", factor: 1.0 },
    Declared { checkpoint: "t5-2k", method: "t5", factor: 1.0 },
    Declared { checkpoint: "rope-2k", method: "none", factor: 1.0 },
];

/// A deployment to be made and diagnosed.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Why it is in the sample.
    pub kind: Kind,
    /// Which deployment, by its place in the list.
    pub deployment: usize,
    /// What is injected.
    pub faults: Vec<AnyFault>,
    /// Which of several healthy pairs, from 0.
    pub repeat: usize,
}

impl Case {
    /// What the case is called in files: the faults' names joined by ` + `, or `healthy 17`.
    #[must_use]
    pub fn name(&self) -> String {
        if self.faults.is_empty() {
            return format!("healthy {}", self.repeat);
        }
        self.faults.iter().map(AnyFault::label).collect::<Vec<_>>().join(" + ")
    }
}

/// How many cases of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Faults and controls; absent: all.
    pub faults: Option<usize>,
    /// Pairs of faults.
    pub pairs: usize,
    /// Healthy pairs.
    pub healthy: usize,
    /// Whether every fault is also diagnosed by a catalogue without it.
    pub unseen: bool,
}

impl Plan {
    /// Everything.
    #[must_use]
    pub fn full(unseen: bool) -> Self {
        Self { faults: None, pairs: 40, healthy: 200, unseen }
    }

    /// Every fault, a few pairs and healthy deployments.
    #[must_use]
    pub fn quick(unseen: bool) -> Self {
        Self { faults: None, pairs: 8, healthy: 10, unseen }
    }

    /// So many of each kind.
    #[must_use]
    pub fn sample(count: usize, unseen: bool) -> Self {
        Self { faults: Some(count), pairs: count, healthy: count, unseen }
    }
}

/// So many items of a list, evenly spread over it.
#[must_use]
pub fn spread<T: Clone>(all: &[T], count: usize) -> Vec<T> {
    let count = count.min(all.len());
    (0..count).filter_map(|index| all.get(index * all.len() / count.max(1))).cloned().collect()
}

/// A fixed sample of pairs among the faults of each deployment, by deployment; `faults` holds the able ones of each.
///
/// Both faults act in the same deployment. Two that are both a matter of time are left out: one ratio of times cannot be
/// shared out between them. The pairs are spread over the deployments by the number of pairs that each one has.
#[must_use]
pub fn pairs(faults: &[Vec<AnyFault>], count: usize) -> Vec<Case> {
    let mut random = Random::new(SEED);
    let mut all: Vec<Case> = Vec::new();
    for (deployment, able) in faults.iter().enumerate() {
        for (i, first) in able.iter().enumerate() {
            for second in able.iter().skip(i + 1) {
                let timed = [first, second].iter().filter(|fault| fault.site() == Site::Latency).count();
                if timed < 2 {
                    let faults = vec![first.clone(), second.clone()];
                    all.push(Case { kind: Kind::Pair, deployment, faults, repeat: 0 });
                }
            }
        }
    }
    random.shuffle(&mut all);
    all.truncate(count);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_of_pairs_is_fixed_and_without_repeats() {
        let able: Vec<AnyFault> = AnyFault::all().filter(|fault| !fault.is_control()).take(8).collect();
        let able = [able];
        let sample = pairs(&able, 10);
        assert_eq!(sample, pairs(&able, 10));
        let mut names: Vec<String> = sample.iter().map(Case::name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 10);
    }

    #[test]
    fn a_spread_holds_the_first_and_no_repeats() {
        assert_eq!(spread(&[1, 2, 3, 4, 5, 6], 3), [1, 3, 5]);
        assert_eq!(spread(&[1, 2], 5), [1, 2]);
    }
}
