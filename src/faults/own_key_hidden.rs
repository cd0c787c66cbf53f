//! The causal mask is off by one.
//!
//! # What it does
//! The mask is built for keys strictly before the query.
//!
//! # Seen in
//! F68 (HF #29623, mlx-lm PR #390: masks that are off by one).
//!
//! # Signature
//! Perturbing a token does not move its own output through attention; damage at all positions, most at the first.
//!
//! # How it is injected
//! A query does not see its own key, unless it is the only one.

use serde::{Deserialize, Serialize};

use super::{Execution, Fault, Setting, Site};

/// The causal mask is off by one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnKeyHidden {}

impl Fault for OwnKeyHidden {
    fn summary(&self) -> &'static str {
        "the causal mask is off by one"
    }

    fn site(&self) -> Site {
        Site::Mask
    }

    fn is_development(&self) -> bool {
        false
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.mask.hidden_near = 1;
    }
}
