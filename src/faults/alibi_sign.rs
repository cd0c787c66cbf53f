//! The bias is added with the wrong sign.
//!
//! # What it does
//! Distances are computed as key minus query and multiplied by a negative slope.
//!
//! # Seen in
//! F53 (HF PR #28380, TensorRT-LLM PR #1611: disputes about the form of the bias).
//!
//! # Signature
//! Far keys are preferred over near ones: damage that grows with the length.
//!
//! # How it is injected
//! Slopes are negated.

use serde::{Deserialize, Serialize};

use super::effects::change_slopes;
use super::{Fault, Setting, Site};
use crate::positions::Mechanism;

/// The bias is added with the wrong sign.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlibiSign {}

impl Fault for AlibiSign {
    fn summary(&self) -> &'static str {
        "the bias is added with the wrong sign"
    }

    fn site(&self) -> Site {
        Site::Bias
    }

    fn mechanism(&self, mechanism: &mut Mechanism, _setting: &Setting) {
        change_slopes(mechanism, |slopes| slopes.iter().map(|m| -m).collect());
    }
}
