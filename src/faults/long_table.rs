//! The table is longer than any request.
//!
//! # What it does
//! More rows than are ever asked for.
//!
//! # Seen in
//! F32 (vllm PR #55910: the fix makes the table longer than needed).
//!
//! # Signature
//! None: healthy.
//!
//! # How it is injected
//! The table has four times the rows of the served length.

use serde::{Deserialize, Serialize};

use super::effects::{has_table, served};
use super::{Execution, Fault, Setting, Site};

/// The table is longer than any request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LongTable {}

impl Fault for LongTable {
    fn summary(&self) -> &'static str {
        "the table is longer than any request"
    }

    fn site(&self) -> Site {
        Site::Table
    }

    fn is_control(&self) -> bool {
        true
    }

    fn is_development(&self) -> bool {
        false
    }

    fn concerns(&self, setting: &Setting) -> bool {
        has_table(setting)
    }

    fn execution(&self, execution: &mut Execution, setting: &Setting) {
        execution.table.rows = Some(4 * served(setting));
    }
}
