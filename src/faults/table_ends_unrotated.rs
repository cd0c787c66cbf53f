//! Positions beyond the table's end are not rotated.
//!
//! # What it does
//! Beyond the table's end the kernel returns without doing anything.
//!
//! # Seen in
//! F31 (pegainfer #220 and #253: silent garbage after position 4,096).
//!
//! # Signature
//! Nothing before the table's end; from it on all tokens stand at position 0, a step at exactly that position.
//!
//! # How it is injected
//! The table has `rows` rows, the trained length unless given; beyond them cosine is 1 and sine 0.

use serde::{Deserialize, Serialize};

use super::effects::{has_table, some_rows};
use super::{Beyond, Execution, Fault, FaultError, Setting, Site};

/// Positions beyond the table's end are not rotated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TableEndsUnrotated {
    /// Rows in the table; absent means the trained length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<usize>,
}

impl Fault for TableEndsUnrotated {
    fn summary(&self) -> &'static str {
        "positions beyond the table's end are not rotated"
    }

    fn site(&self) -> Site {
        Site::Table
    }

    fn check(&self) -> Result<(), FaultError> {
        some_rows("table_ends_unrotated", "rows", self.rows)
    }

    fn concerns(&self, setting: &Setting) -> bool {
        has_table(setting)
    }

    fn execution(&self, execution: &mut Execution, setting: &Setting) {
        execution.table.rows = Some(self.rows.unwrap_or(setting.heads.trained.0));
        execution.table.beyond = Beyond::Unrotated;
    }
}
