//! The whole cache is dequantised in every step.
//!
//! # What it does
//! A quantised cache is turned back into reals as a whole for each decoded token.
//!
//! # Seen in
//! F80 (rMLX #408: slower than bfloat16).
//!
//! # Signature
//! The same numbers; decoding slows down in proportion to the context.
//!
//! # How it is injected
//! Each layer turns as many integers into reals as the cache holds keys and values.

use serde::{Deserialize, Serialize};

use super::{Execution, Fault, Setting, Site};

/// The whole cache is dequantised in every step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheDequantisedEveryStep {}

impl Fault for CacheDequantisedEveryStep {
    fn summary(&self) -> &'static str {
        "the whole cache is dequantised in every step"
    }

    fn site(&self) -> Site {
        Site::Latency
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.burden.dequantises_cache = true;
    }
}
