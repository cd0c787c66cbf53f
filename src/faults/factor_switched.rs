//! Positions from the trained length on are scaled, those before it are not.
//!
//! # What it does
//! Two tables, one without and one with the scaling, are laid end to end, and each token picks its row by its
//! position.
//!
//! # Seen in
//! F41 (vllm #27414, PR #27431: random tokens mid-sequence); F40 (HF PR #33129, onnxruntime-genai PR #1161).
//!
//! # Signature
//! Nothing before the trained length but the unscaled model's numbers; beyond it queries and keys of the two kinds do
//! not fit together: a step at exactly that position.
//!
//! # How it is injected
//! Rows before the trained length come from the unscaled table.

use serde::{Deserialize, Serialize};

use super::effects::{is_scaled, rotates};
use super::{Execution, Fault, Setting, Site};

/// Positions from the trained length on are scaled, those before it are not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactorSwitched {}

impl Fault for FactorSwitched {
    fn summary(&self) -> &'static str {
        "positions from the trained length on are scaled, those before it are not"
    }

    fn site(&self) -> Site {
        Site::Table
    }

    fn is_development(&self) -> bool {
        false
    }

    fn concerns(&self, setting: &Setting) -> bool {
        rotates(setting) && is_scaled(setting)
    }

    fn execution(&self, execution: &mut Execution, setting: &Setting) {
        execution.table.scaled_from = setting.heads.trained.0;
    }
}
