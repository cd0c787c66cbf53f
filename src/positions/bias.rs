//! Biases that are added to attention scores, by head and distance; no length x length table is ever needed.

/// A bias for each head and each distance from a query back to a key.
#[derive(Clone, Debug, PartialEq)]
pub enum Bias {
    /// `-slope * distance`, one slope a head (ALiBi).
    Linear {
        /// `[heads]`.
        slopes: Vec<f64>,
    },
    /// One learned value a head and bucket, `[buckets, heads]` in the weights.
    Learned(Buckets),
    /// `-r1 * distance^r2` with `r1`, `r2` learned for each head, `[2, heads]` in the weights (KERPLE, power).
    Power {
        /// Distances are divided by this.
        stretch: f64,
    },
    /// `-r1 * ln(1 + r2 * distance)` with `r1`, `r2` learned for each head, `[2, heads]` in the weights (KERPLE, log).
    Log {
        /// Distances are divided by this.
        stretch: f64,
    },
}

impl Bias {
    /// The value of a kernel at a distance from a query back to a key, for one head's learned `r1` and `r2`.
    ///
    /// Nothing for the biases that have no such pair.
    #[must_use]
    pub fn kernel(&self, [r1, r2]: [f64; 2], distance: f64) -> Option<f64> {
        match self {
            Self::Power { stretch } => Some(-r1 * (distance / stretch).powf(r2)),
            Self::Log { stretch } => Some(-r1 * (r2 * distance / stretch).ln_1p()),
            Self::Linear { .. } | Self::Learned(_) => None,
        }
    }
}

/// How distances share learned values.
#[derive(Clone, Debug, PartialEq)]
pub enum Buckets {
    /// T5: exact up to half of the buckets, then logarithmic up to a largest distance, then one for all beyond.
    Logarithmic {
        /// How many buckets, at least 2.
        count: usize,
        /// The distance from which on all share the last bucket.
        max_distance: usize,
        /// Distances are divided by this first.
        stretch: f64,
    },
    /// One value for each distance, and the last for all farther ones.
    Clipped {
        /// The largest distance with a value of its own.
        largest: usize,
        /// Distances are divided by this first.
        stretch: f64,
    },
}

impl Buckets {
    /// How many values a head has.
    #[must_use]
    pub fn count(&self) -> usize {
        match *self {
            Self::Logarithmic { count, .. } => count,
            Self::Clipped { largest, .. } => largest + 1,
        }
    }

    /// The bucket of a distance from a query back to a key.
    ///
    /// T5's formula in the causal form (arXiv 1910.10683, section 2.1; transformers 5.23.0 `_relative_position_bucket`).
    #[must_use]
    pub fn of(&self, distance: usize) -> usize {
        match *self {
            Self::Logarithmic { count, max_distance, stretch } => {
                logarithmic((distance as f64 / stretch).floor() as usize, count, max_distance)
            }
            Self::Clipped { largest, stretch } => ((distance as f64 / stretch).floor() as usize).min(largest),
        }
    }

    /// T5's bucket in the bidirectional form: half of the buckets for keys before the query (`offset <= 0`), the other
    /// half for those after it; `offset` is key minus query.
    #[must_use]
    pub fn bidirectional(offset: i64, count: usize, max_distance: usize) -> usize {
        let half = count / 2;
        let side = if offset > 0 { half } else { 0 };
        side + logarithmic(offset.unsigned_abs() as usize, half, max_distance)
    }
}

fn logarithmic(distance: usize, count: usize, max_distance: usize) -> usize {
    let exact = count / 2;
    if distance < exact {
        return distance;
    }
    let (n, e, m) = (distance as f64, exact as f64, max_distance as f64);
    let step = (n / e).ln() / (m / e).ln() * (count - exact) as f64;
    (exact + step as usize).min(count - 1)
}
