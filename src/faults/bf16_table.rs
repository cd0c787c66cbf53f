//! Cosines and sines are held in bfloat16.
//!
//! # What it does
//! The table of cosines and sines is cast to the model's format after it was computed well.
//!
//! # Seen in
//! F34 (EleutherAI/gpt-neox #1003); F37 (Modalities PR #462).
//!
//! # Signature
//! An error of up to 0.004 in every number, the same at every position: a small constant damage.
//!
//! # How it is injected
//! Cosines and sines are rounded to bfloat16.

use serde::{Deserialize, Serialize};

use super::effects::rotates;
use super::{Execution, Fault, Format, Setting, Site};

/// Cosines and sines are held in bfloat16.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bf16Table {}

impl Fault for Bf16Table {
    fn summary(&self) -> &'static str {
        "cosines and sines are held in bfloat16"
    }

    fn site(&self) -> Site {
        Site::Precision
    }

    fn is_development(&self) -> bool {
        false
    }

    fn concerns(&self, setting: &Setting) -> bool {
        rotates(setting)
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.formats.table = Format::Brain;
    }
}
