//! One learned bias for each distance.
//!
//! # What it does
//! Adds to each score a value learned for its head and distance; all beyond a largest distance share the last value.
//! T5's buckets improve upon it: they spend as few values on far distances as these can tell apart.
//!
//! # Formula
//! `bias(h, i - j) = b[h, min(floor((i - j) / s), largest)]`: the clipped relative positions of Shaw et al. as a number
//! added to the score, where they learn a vector added to the key. All layers share the table.
//!
//! # Parameters
//! * `largest` (at least 1, default 128): the largest distance with a value of its own.
//!
//! # Where it breaks
//! It needs weights that were trained with it. Beyond `largest` it tells no distance from another, so order is lost there,
//! and the last value serves ever more keys. Values of distances that training seldom showed are hardly learned.
//!
//! # Source
//! Shaw et al., arXiv 1803.02155, section 3.2 (clipping), in the scalar form of Raffel et al., arXiv 1910.10683, section 2.1.

use serde::{Deserialize, Serialize};

use super::{Bias, Buckets, HeadShape, Mechanism, Method, MethodError, Scheme};
use crate::units::{Stretch, Tokens};

/// Clipped offsets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Offsets {
    /// The largest distance with a value of its own.
    pub largest: usize,
}

impl Default for Offsets {
    fn default() -> Self {
        Self { largest: 128 }
    }
}

impl Offsets {
    fn buckets(&self, factor: Stretch) -> Buckets {
        Buckets::Clipped { largest: self.largest, stretch: factor.0 }
    }
}

impl Method for Offsets {
    fn summary(&self) -> &'static str {
        "one learned bias for each distance up to a largest one"
    }

    fn scheme(&self) -> Scheme {
        Scheme::Offsets
    }

    fn check(&self) -> Result<(), MethodError> {
        if self.largest == 0 {
            return Err(MethodError::Parameter {
                method: "offsets",
                name: "largest",
                expected: "at least 1",
                got: self.largest as f64,
            });
        }
        Ok(())
    }

    fn mechanism(&self, _heads: &HeadShape, factor: Stretch, _length: Tokens) -> Result<Mechanism, MethodError> {
        Ok(Mechanism::Bias(Bias::Learned(self.buckets(factor))))
    }

    fn is_unscaled_at_one(&self) -> bool {
        false
    }
}
