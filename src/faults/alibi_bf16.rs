//! The bias is computed in bfloat16 from absolute positions.
//!
//! # What it does
//! Slope times key position is rounded to bfloat16: at 4,096 positions the spacing is 32 steps.
//!
//! # Seen in
//! F59 (TensorRT-Model-Connect #667; HF Falcon `build_alibi_tensor` multiplies in bfloat16); F57 (HabanaAI/vllm-fork
//! PR #503).
//!
//! # Signature
//! Nothing below 256; then neighbouring keys get equal biases, in coarser steps at each power of two.
//!
//! # How it is injected
//! The bias is slope times the key's position, rounded to bfloat16.

use serde::{Deserialize, Serialize};

use super::effects::has_slopes;
use super::{Execution, Fault, Format, Setting, Site};

/// The bias is computed in bfloat16 from absolute positions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlibiBf16 {}

impl Fault for AlibiBf16 {
    fn summary(&self) -> &'static str {
        "the bias is computed in bfloat16 from absolute positions"
    }

    fn site(&self) -> Site {
        Site::Precision
    }

    fn is_development(&self) -> bool {
        false
    }

    fn concerns(&self, setting: &Setting) -> bool {
        has_slopes(setting)
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.bias.by_key = true;
        execution.formats.bias = Format::Brain;
    }
}
