//! Positions beyond the table's end read zeros.
//!
//! # What it does
//! The table is allocated for the target length and filled up to the trained one.
//!
//! # Seen in
//! F31 (pegainfer #253); F32 (vllm PR #55910).
//!
//! # Signature
//! Nothing before the table's end; from it on queries and keys vanish and attention is uniform: a step at that
//! position.
//!
//! # How it is injected
//! The table has `rows` rows, the trained length unless given; beyond them cosine and sine are 0.

use serde::{Deserialize, Serialize};

use super::effects::{has_table, some_rows};
use super::{Beyond, Execution, Fault, FaultError, Setting, Site};

/// Positions beyond the table's end read zeros.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TableEndsInZeros {
    /// Rows in the table; absent means the trained length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<usize>,
}

impl Fault for TableEndsInZeros {
    fn summary(&self) -> &'static str {
        "positions beyond the table's end read zeros"
    }

    fn site(&self) -> Site {
        Site::Table
    }

    fn is_development(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), FaultError> {
        some_rows("table_ends_in_zeros", "rows", self.rows)
    }

    fn concerns(&self, setting: &Setting) -> bool {
        has_table(setting)
    }

    fn execution(&self, execution: &mut Execution, setting: &Setting) {
        execution.table.rows = Some(self.rows.unwrap_or(setting.heads.trained.0));
        execution.table.beyond = Beyond::Zeros;
    }
}
