//! Causal distances go into buckets for both directions.
//!
//! # What it does
//! The flag for a decoder is lost: half of the buckets is kept for keys that a causal model never sees.
//!
//! # Seen in
//! F65 (mlx-examples PR #113: wrong buckets).
//!
//! # Signature
//! Exact buckets end at a quarter of their number; read back from scores, biases repeat from there on.
//!
//! # How it is injected
//! Distances use half as many buckets.

use serde::{Deserialize, Serialize};

use super::effects::change_buckets;
use super::{Fault, Setting, Site};
use crate::positions::Mechanism;

/// Causal distances go into buckets for both directions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct T5Bidirectional {}

impl Fault for T5Bidirectional {
    fn summary(&self) -> &'static str {
        "causal distances go into buckets for both directions"
    }

    fn site(&self) -> Site {
        Site::Bias
    }

    fn mechanism(&self, mechanism: &mut Mechanism, _setting: &Setting) {
        change_buckets(mechanism, |count, max| (count / 2, max));
    }
}
