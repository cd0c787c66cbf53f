//! Positions beyond the table's end all take its last row.
//!
//! # What it does
//! The table was made for the trained length, and an index beyond it is clamped to the last row.
//!
//! # Seen in
//! F32 (llm-awq PR #332, vllm-ascend PR #1266, vllm PR #55910: a table of 2,048 rows, or not multiplied by the
//! factor).
//!
//! # Signature
//! Nothing before the table's end; from it on all tokens share one angle, a step at exactly that position.
//!
//! # How it is injected
//! The table has `rows` rows, the trained length unless given; positions beyond take the last one.

use serde::{Deserialize, Serialize};

use super::effects::{has_table, some_rows};
use super::{Beyond, Execution, Fault, FaultError, Setting, Site};

/// Positions beyond the table's end all take its last row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TableClamps {
    /// Rows in the table; absent means the trained length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<usize>,
}

impl Fault for TableClamps {
    fn summary(&self) -> &'static str {
        "positions beyond the table's end all take its last row"
    }

    fn site(&self) -> Site {
        Site::Table
    }

    fn check(&self) -> Result<(), FaultError> {
        some_rows("table_clamps", "rows", self.rows)
    }

    fn concerns(&self, setting: &Setting) -> bool {
        has_table(setting)
    }

    fn execution(&self, execution: &mut Execution, setting: &Setting) {
        execution.table.rows = Some(self.rows.unwrap_or(setting.heads.trained.0));
        execution.table.beyond = Beyond::Clamp;
    }
}
