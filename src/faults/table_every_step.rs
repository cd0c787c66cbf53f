//! The table is made again in every step.
//!
//! # What it does
//! The table of cosines and sines is computed in each call for all positions that there can be.
//!
//! # Seen in
//! F75 (Megatron-LM #1646 for verl #2009, gpt-oss PR #43).
//!
//! # Signature
//! The same numbers; a constant added to every decoded token, and to every prefill once.
//!
//! # How it is injected
//! A table of twice the trained length times the factor is made in each step.

use serde::{Deserialize, Serialize};

use super::effects::served;
use super::{Execution, Fault, Setting, Site};

/// The table is made again in every step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableEveryStep {}

impl Fault for TableEveryStep {
    fn summary(&self) -> &'static str {
        "the table is made again in every step"
    }

    fn site(&self) -> Site {
        Site::Latency
    }

    fn is_development(&self) -> bool {
        false
    }

    fn execution(&self, execution: &mut Execution, setting: &Setting) {
        execution.burden.table_rows = served(setting);
    }
}
