//! A long request makes the table again, and the scaling is forgotten.
//!
//! # What it does
//! When a position lies beyond the table it is made anew by code that does not know the scaling; short requests
//! inherit it.
//!
//! # Seen in
//! F08 (exllamav2 #704: alpha no longer carried after a refactor); F02 (HF #25306: the table of a long request
//! stays).
//!
//! # Signature
//! Requests within the table score well until a longer one was served; then they, too, score as the unscaled model
//! does.
//!
//! # How it is injected
//! The table has `rows` rows, the trained length unless given; once a position lies beyond, all rows are made again
//! without the scaling, until a restart.

use serde::{Deserialize, Serialize};

use super::effects::{is_scaled, rotates, some_rows};
use super::{Beyond, Execution, Fault, FaultError, Setting, Site};

/// A long request makes the table again, and the scaling is forgotten.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TableRegrownUnscaled {
    /// Rows in the table; absent means the trained length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<usize>,
}

impl Fault for TableRegrownUnscaled {
    fn summary(&self) -> &'static str {
        "a long request makes the table again, and the scaling is forgotten"
    }

    fn site(&self) -> Site {
        Site::State
    }

    fn check(&self) -> Result<(), FaultError> {
        some_rows("table_regrown_unscaled", "rows", self.rows)
    }

    fn concerns(&self, setting: &Setting) -> bool {
        rotates(setting) && is_scaled(setting)
    }

    fn execution(&self, execution: &mut Execution, setting: &Setting) {
        execution.table.rows = Some(self.rows.unwrap_or(setting.heads.trained.0));
        execution.table.beyond = Beyond::RegrowUnscaled;
    }
}
