//! Slopes are a plain geometric series for any number of heads.
//!
//! # What it does
//! The formula for powers of two is used for other head counts, too.
//!
//! # Seen in
//! F51 (ml-explore/mlx #343 and PR #3071: wrong heads for n = 12).
//!
//! # Signature
//! Slopes of most heads are slightly off; constant damage. Nothing for 2, 4, 8, 16 heads.
//!
//! # How it is injected
//! Slopes become 2^(-8h/n).

use serde::{Deserialize, Serialize};

use super::effects::change_slopes;
use super::{Fault, Setting, Site};
use crate::positions::Mechanism;

/// Slopes are a plain geometric series for any number of heads.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlibiSlopesNaive {}

impl Fault for AlibiSlopesNaive {
    fn summary(&self) -> &'static str {
        "slopes are a plain geometric series for any number of heads"
    }

    fn site(&self) -> Site {
        Site::Bias
    }

    fn mechanism(&self, mechanism: &mut Mechanism, _setting: &Setting) {
        change_slopes(mechanism, |slopes| {
            let heads = slopes.len();
            (1..=heads).map(|h| (-8.0 * h as f64 / heads as f64).exp2()).collect()
        });
    }
}
