//! Each head gets its neighbour's bias.
//!
//! # What it does
//! The bias is indexed by another order of heads, or by the wrong element of a tuple.
//!
//! # Seen in
//! F64 (HF PR #8518 for #6285, PR #4499: a wrong index, which slow tests did not see).
//!
//! # Signature
//! Read back from scores, biases are those of the next head; damage at all positions.
//!
//! # How it is injected
//! Head h gets the bias of head h + 1, the last one that of the first.

use serde::{Deserialize, Serialize};

use super::effects::has_bias;
use super::{Execution, Fault, Setting, Site};

/// Each head gets its neighbour's bias.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BiasOfOtherHeads {}

impl Fault for BiasOfOtherHeads {
    fn summary(&self) -> &'static str {
        "each head gets its neighbour's bias"
    }

    fn site(&self) -> Site {
        Site::Bias
    }

    fn is_development(&self) -> bool {
        false
    }

    fn concerns(&self, setting: &Setting) -> bool {
        has_bias(setting)
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.bias.heads_moved = 1;
    }
}
