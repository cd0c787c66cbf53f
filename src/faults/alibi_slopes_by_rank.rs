//! Each rank computes slopes for its own share of the heads.
//!
//! # What it does
//! Heads are split over devices, and each device computes slopes for as many heads as it holds.
//!
//! # Seen in
//! F51 (ml-explore/mlx #343 and PR #3071: slopes for the wrong number of heads).
//!
//! # Signature
//! Slopes repeat and are too far apart; half of the heads see much less, or much more, than they were trained to.
//!
//! # How it is injected
//! Slopes are computed for the heads of one of `ranks` ranks, 2 unless given, and repeated.

use serde::{Deserialize, Serialize};

use super::effects::{at_least_one, change_slopes};
use super::{Fault, FaultError, Setting, Site};
use crate::positions::{Mechanism, slopes};

/// Each rank computes slopes for its own share of the heads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlibiSlopesByRank {
    /// Devices that share the heads, at least 1.
    pub ranks: usize,
}

impl Default for AlibiSlopesByRank {
    fn default() -> Self {
        Self { ranks: 2 }
    }
}

impl Fault for AlibiSlopesByRank {
    fn summary(&self) -> &'static str {
        "each rank computes slopes for its own share of the heads"
    }

    fn site(&self) -> Site {
        Site::Bias
    }

    fn is_development(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), FaultError> {
        at_least_one("alibi_slopes_by_rank", "ranks", self.ranks)
    }

    fn mechanism(&self, mechanism: &mut Mechanism, _setting: &Setting) {
        let ranks = self.ranks;
        change_slopes(mechanism, |old| {
            let own = (old.len() / ranks).max(1);
            slopes(own).into_iter().cycle().take(old.len()).collect()
        });
    }
}
