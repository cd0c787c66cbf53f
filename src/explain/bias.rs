//! What a bias does: where weights have fallen, which distances share a value, and what training never showed.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Setting;
use crate::positions::{Bias, Buckets};

/// ALiBi's heads.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Slopes {
    /// Every head.
    pub heads: Vec<Fall>,
}

/// How a head's weights fall with the distance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Fall {
    /// The head, from 1 as in the paper.
    pub head: usize,
    /// Its slope in the weights as trained, nats a token.
    pub slope_trained: f64,
    /// Its slope under the method.
    pub slope: f64,
    /// The distance at which a weight has fallen by e: `1 / slope`.
    pub falls_by_e_at: f64,
    /// The bias at the trained length, unscaled, in nats.
    pub bias_at_trained: f64,
    /// The bias at the target length under the method, in nats.
    pub bias_at_target: f64,
}

/// A KERPLE kernel at initial parameters; trained ones are in the weights and differ by head.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Kernel {
    /// `power` or `log`.
    pub variant: &'static str,
    /// What `r1` is drawn from at the start of training: 0 to this; it is explained at the mean.
    pub r1_below: f64,
    /// What `r2` is drawn from.
    pub r2_below: f64,
    /// The mean of `r1`.
    pub r1: f64,
    /// The mean of `r2`.
    pub r2: f64,
    /// The distance at which a weight has fallen by e, unscaled.
    pub falls_by_e_at_trained: f64,
    /// The same under the method.
    pub falls_by_e_at: f64,
    /// The bias at the trained length, unscaled, in nats.
    pub bias_at_trained: f64,
    /// The bias at the target length under the method, in nats.
    pub bias_at_target: f64,
    /// Distances are divided by this.
    pub stretch: f64,
}

/// Learned values that distances share.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shared {
    /// Whether values are shared in logarithmic buckets (`logarithmic`) or beyond a largest distance (`clipped`).
    pub sharing: &'static str,
    /// Values that a head has.
    pub count: usize,
    /// Every value that occurs within the trained or the target length.
    pub buckets: Vec<Bucket>,
    /// The distance from which on all share the last value, unscaled; absent where the target length ends before.
    pub saturates_at_trained: Option<usize>,
    /// The same under the method.
    pub saturates_at: Option<usize>,
    /// Values that are used at the target length and that training never used.
    pub unseen: Vec<usize>,
    /// Values that serve more keys of one query at the target length than any query of training had for them.
    pub crowded: Vec<usize>,
}

/// A learned value and the distances that share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bucket {
    /// Its index.
    pub index: usize,
    /// The nearest distance under the method; absent where none within the target length has it.
    pub first: Option<usize>,
    /// The farthest one within the target length.
    pub last: Option<usize>,
    /// How many keys of the last query share it at the trained length, unscaled.
    pub keys_trained: usize,
    /// How many keys of the last query share it at the target length under the method.
    pub keys_target: usize,
}

pub(super) fn slopes(setting: &Setting, from: &[f64], to: &[f64]) -> Slopes {
    let fall = |(i, (from, to)): (usize, (&f64, &f64))| Fall {
        head: i + 1,
        slope_trained: *from,
        slope: *to,
        falls_by_e_at: to.recip(),
        bias_at_trained: -from * setting.trained.as_f64(),
        bias_at_target: -to * setting.target.as_f64(),
    };
    Slopes { heads: from.iter().zip(to).enumerate().map(fall).collect() }
}

/// The kernel at the means of the parameters that the authors begin training with; nothing for other biases.
///
/// `ParallelKerpleLog` draws `r1` from 0 to 2 and `r2` from 0 to 1, `ParallelKerplePower` `r1` from 0 to 1 and `r2` from 0
/// to 2, all evenly (the authors' GPT-NeoX fork of arXiv 2205.09921).
pub(super) fn kernel(setting: &Setting, from: &Bias, to: &Bias) -> Option<Kernel> {
    let (variant, r1_below, r2_below, stretch): (_, f64, f64, f64) = match to {
        Bias::Power { stretch } => ("power", 1.0, 2.0, *stretch),
        Bias::Log { stretch } => ("log", 2.0, 1.0, *stretch),
        Bias::Linear { .. } | Bias::Learned(_) => return None,
    };
    let (r1, r2) = (r1_below / 2.0, r2_below / 2.0);
    // Where the kernel is -1: r1 d^r2 = 1, or r1 ln(1 + r2 d) = 1.
    let unstretched = if variant == "power" { r1.recip().powf(r2.recip()) } else { r1.recip().exp_m1() / r2 };
    Some(Kernel {
        variant,
        r1_below,
        r2_below,
        r1,
        r2,
        falls_by_e_at_trained: unstretched,
        falls_by_e_at: unstretched * stretch,
        bias_at_trained: from.kernel([r1, r2], setting.trained.as_f64())?,
        bias_at_target: to.kernel([r1, r2], setting.target.as_f64())?,
        stretch,
    })
}

pub(super) fn shared(setting: &Setting, from: &Buckets, to: &Buckets) -> Shared {
    let mut buckets: BTreeMap<usize, Bucket> = BTreeMap::new();
    let empty = |index| Bucket { index, first: None, last: None, keys_trained: 0, keys_target: 0 };
    for distance in 0..setting.trained.0 {
        let index = from.of(distance);
        buckets.entry(index).or_insert_with(|| empty(index)).keys_trained += 1;
    }
    for distance in 0..setting.target.0 {
        let index = to.of(distance);
        let bucket = buckets.entry(index).or_insert_with(|| empty(index));
        bucket.keys_target += 1;
        bucket.first = bucket.first.or(Some(distance));
        bucket.last = Some(distance);
    }
    let buckets: Vec<Bucket> = buckets.into_values().collect();
    let last = to.count() - 1;
    let chosen = |choose: fn(&Bucket) -> bool| buckets.iter().filter(|b| choose(b)).map(|b| b.index).collect();
    Shared {
        sharing: if matches!(to, Buckets::Logarithmic { .. }) { "logarithmic" } else { "clipped" },
        count: to.count(),
        saturates_at_trained: (0..setting.target.0).find(|distance| from.of(*distance) == last),
        saturates_at: buckets.iter().find(|bucket| bucket.index == last).and_then(|bucket| bucket.first),
        unseen: chosen(|bucket| bucket.keys_trained == 0 && bucket.keys_target > 0),
        crowded: chosen(|bucket| bucket.keys_trained > 0 && bucket.keys_target > bucket.keys_trained),
        buckets,
    }
}
