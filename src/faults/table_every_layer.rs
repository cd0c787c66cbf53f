//! The table is made again in every layer.
//!
//! # What it does
//! Each layer owns a rotary module, and each computes its table in each call.
//!
//! # Seen in
//! F75 (gpt-oss PR #43: recomputed by layer and step).
//!
//! # Signature
//! The same numbers; a constant added to every decoded token, once for each layer.
//!
//! # How it is injected
//! As with a table in every step, in every layer.

use serde::{Deserialize, Serialize};

use super::effects::served;
use super::{Execution, Fault, Setting, Site};

/// The table is made again in every layer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableEveryLayer {}

impl Fault for TableEveryLayer {
    fn summary(&self) -> &'static str {
        "the table is made again in every layer"
    }

    fn site(&self) -> Site {
        Site::Latency
    }

    fn execution(&self, execution: &mut Execution, setting: &Setting) {
        execution.burden.table_rows = served(setting);
        execution.burden.table_in_every_layer = true;
    }
}
