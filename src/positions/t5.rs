//! T5's relative bias in buckets of distances.
//!
//! # What it does
//! Adds a learned value to each score. Near distances have a value each, farther ones share logarithmic buckets, and
//! all beyond a largest distance share the last: any length has a bias, though not one that was trained at it.
//!
//! # Formula
//! With `e = buckets / 2` and `n = floor((i - j) / s)`: bucket `n` below `e`, else
//! `min(e + floor(ln(n / e) / ln(max_distance / e) (buckets - e)), buckets - 1)`; the bias is the table's value for
//! bucket and head. All layers share the table, and the scores keep their `1 / sqrt(head_dim)` (T5 itself has none).
//!
//! # Parameters
//! * `buckets` (at least 2, default 32) and `max_distance` (above `buckets / 2`, default 128): T5's own.
//!
//! # Where it breaks
//! It needs weights that were trained with it. Beyond the trained length the last bucket holds far more keys than it
//! ever did, and their sum drowns the near ones. With a factor, near distances share buckets that training kept apart.
//!
//! # Source
//! Raffel et al., arXiv 1910.10683, section 2.1; transformers 5.23.0 `T5Attention._relative_position_bucket`.

use serde::{Deserialize, Serialize};

use super::{Bias, Buckets, HeadShape, Mechanism, Method, MethodError, Scheme};
use crate::units::{Stretch, Tokens};

/// T5's buckets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct T5 {
    /// Learned values a head.
    pub buckets: usize,
    /// The distance from which on all share the last bucket.
    pub max_distance: usize,
}

impl Default for T5 {
    fn default() -> Self {
        Self { buckets: 32, max_distance: 128 }
    }
}

impl Method for T5 {
    fn summary(&self) -> &'static str {
        "T5: learned biases in logarithmic buckets of distances"
    }

    fn scheme(&self) -> Scheme {
        Scheme::Buckets
    }

    fn check(&self) -> Result<(), MethodError> {
        let wrong =
            |name, expected, got: usize| Err(MethodError::Parameter { method: "t5", name, expected, got: got as f64 });
        if self.buckets < 2 {
            return wrong("buckets", "at least 2", self.buckets);
        }
        if self.max_distance <= self.buckets / 2 {
            return wrong("max_distance", "above half of `buckets`", self.max_distance);
        }
        Ok(())
    }

    fn mechanism(&self, _heads: &HeadShape, factor: Stretch, _length: Tokens) -> Result<Mechanism, MethodError> {
        Ok(Mechanism::Bias(Bias::Learned(Buckets::Logarithmic {
            count: self.buckets,
            max_distance: self.max_distance,
            stretch: factor.0,
        })))
    }

    fn is_unscaled_at_one(&self) -> bool {
        false
    }
}
