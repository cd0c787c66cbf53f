//! Positions beyond the table's end begin again at its first row.
//!
//! # What it does
//! The table's index is taken modulo its length.
//!
//! # Seen in
//! F31 (pegainfer #220 and #253: a table of 4,096 rows without a check of bounds).
//!
//! # Signature
//! Nothing before the table's end; a step at exactly that position, and far tokens take near ones' angles.
//!
//! # How it is injected
//! The table has `rows` rows, the trained length unless given; positions beyond are taken modulo that number.

use serde::{Deserialize, Serialize};

use super::effects::{has_table, some_rows};
use super::{Beyond, Execution, Fault, FaultError, Setting, Site};

/// Positions beyond the table's end begin again at its first row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TableWraps {
    /// Rows in the table; absent means the trained length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<usize>,
}

impl Fault for TableWraps {
    fn summary(&self) -> &'static str {
        "positions beyond the table's end begin again at its first row"
    }

    fn site(&self) -> Site {
        Site::Table
    }

    fn is_development(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), FaultError> {
        some_rows("table_wraps", "rows", self.rows)
    }

    fn concerns(&self, setting: &Setting) -> bool {
        has_table(setting)
    }

    fn execution(&self, execution: &mut Execution, setting: &Setting) {
        execution.table.rows = Some(self.rows.unwrap_or(setting.heads.trained.0));
        execution.table.beyond = Beyond::Wrap;
    }
}
