//! What lies before a chunk counts twice.
//!
//! # What it does
//! Both the caller and the rotation add the number of cached tokens.
//!
//! # Seen in
//! F46 (skyzh/tiny-llm PR #46: 6 becomes 12).
//!
//! # Signature
//! The first chunk scores well; from the second on, and for decoded tokens, a gap as long as the prompt opens.
//!
//! # How it is injected
//! The positions of later chunks and of decoded tokens begin at twice what they should.

use serde::{Deserialize, Serialize};

use super::effects::uses_positions;
use super::{Chunks, Execution, Fault, Setting, Site};

/// What lies before a chunk counts twice.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChunkOffsetTwice {}

impl Fault for ChunkOffsetTwice {
    fn summary(&self) -> &'static str {
        "what lies before a chunk counts twice"
    }

    fn site(&self) -> Site {
        Site::Cache
    }

    fn is_development(&self) -> bool {
        false
    }

    fn concerns(&self, setting: &Setting) -> bool {
        uses_positions(setting)
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.offsets.chunks = Chunks::Twice;
    }
}
