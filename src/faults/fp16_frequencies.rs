//! Inverse frequencies are held in half precision.
//!
//! # What it does
//! Loading the model in half precision casts the buffer of inverse frequencies.
//!
//! # Seen in
//! F34 (EleutherAI/gpt-neox #1003: cosines off by up to 0.78 at 2,048); F35 (HF PR #29285).
//!
//! # Signature
//! A phase error that grows with the position, an eighth of bfloat16's for most pairs.
//!
//! # How it is injected
//! Inverse frequencies are rounded to half precision.

use serde::{Deserialize, Serialize};

use super::effects::rotates;
use super::{Execution, Fault, Format, Setting, Site};

/// Inverse frequencies are held in half precision.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fp16Frequencies {}

impl Fault for Fp16Frequencies {
    fn summary(&self) -> &'static str {
        "inverse frequencies are held in half precision"
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
        execution.formats.frequencies = Format::Half;
    }
}
