//! Beyond its end the table grows by one row a step.
//!
//! # What it does
//! The table is made again whenever a position lies beyond it, for one row more.
//!
//! # Seen in
//! F76 (CTranslate2 #1204: 8 tokens a second beyond 2,048).
//!
//! # Signature
//! The same numbers; decoding slows down in a step at the trained length, and further with the length.
//!
//! # How it is injected
//! From the trained length on, each step makes a table as long as the context, in every layer.

use serde::{Deserialize, Serialize};

use super::{Execution, Fault, Setting, Site};

/// Beyond its end the table grows by one row a step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableGrowsByOne {}

impl Fault for TableGrowsByOne {
    fn summary(&self) -> &'static str {
        "beyond its end the table grows by one row a step"
    }

    fn site(&self) -> Site {
        Site::Latency
    }

    fn is_development(&self) -> bool {
        false
    }

    fn execution(&self, execution: &mut Execution, setting: &Setting) {
        execution.burden.regrown_from = Some(setting.heads.trained.0);
    }
}
