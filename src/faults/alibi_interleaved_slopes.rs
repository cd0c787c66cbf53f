//! Slopes that do not fall from head to head.
//!
//! # What it does
//! For a head count that is no power of two the published slopes are those of the lower power, followed by every
//! other one of the higher: not sorted, by design.
//!
//! # Seen in
//! F53 (HF PR #28380, TensorRT-LLM PR #1611, Baichuan2 #225, CROMA #12: disputes about a convention).
//!
//! # Signature
//! None: healthy. It is the reference itself.
//!
//! # How it is injected
//! Slopes are those of the authors' `get_slopes`, divided by the factor like any.

use serde::{Deserialize, Serialize};

use super::effects::change_slopes;
use super::{Fault, Setting, Site};
use crate::positions::{AnyMethod, Mechanism, slopes};

/// Slopes that do not fall from head to head.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlibiInterleavedSlopes {}

impl Fault for AlibiInterleavedSlopes {
    fn summary(&self) -> &'static str {
        "slopes that do not fall from head to head"
    }

    fn site(&self) -> Site {
        Site::Bias
    }

    fn is_control(&self) -> bool {
        true
    }

    fn mechanism(&self, mechanism: &mut Mechanism, setting: &Setting) {
        let factor = setting.factor.0;
        if let AnyMethod::Alibi(alibi) = &setting.method {
            change_slopes(mechanism, |old| {
                slopes(old.len()).into_iter().map(|m| m * (alibi.slope_scale / factor)).collect()
            });
        }
    }
}
