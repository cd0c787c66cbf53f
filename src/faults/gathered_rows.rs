//! Every layer gathers its rows from the whole table.
//!
//! # What it does
//! Cosines and sines are indexed by position numbers in each layer, after the table was converted as a whole.
//!
//! # Seen in
//! F74 (HF #22683: slower generation after a correctness fix).
//!
//! # Signature
//! The same numbers; a constant added to every decoded token.
//!
//! # How it is injected
//! Each layer converts a table of twice the trained length times the factor and gathers the step's rows from it.

use serde::{Deserialize, Serialize};

use super::effects::served;
use super::{Execution, Fault, Setting, Site};

/// Every layer gathers its rows from the whole table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatheredRows {}

impl Fault for GatheredRows {
    fn summary(&self) -> &'static str {
        "every layer gathers its rows from the whole table"
    }

    fn site(&self) -> Site {
        Site::Latency
    }

    fn is_development(&self) -> bool {
        false
    }

    fn execution(&self, execution: &mut Execution, setting: &Setting) {
        execution.burden.gathered_rows = served(setting);
    }
}
