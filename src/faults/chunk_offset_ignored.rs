//! Every chunk begins at position 0.
//!
//! # What it does
//! The table's cache is keyed by length alone, so a chunk gets the rows of the first one.
//!
//! # Seen in
//! F44 (lucidrains/rotary-embedding-torch #11: the cache's key leaves the offset out).
//!
//! # Signature
//! One shot scores well; from the second chunk on, and for decoded tokens, positions are those of the first.
//!
//! # How it is injected
//! The positions of later chunks, and of decoded tokens, begin at 0.

use serde::{Deserialize, Serialize};

use super::effects::uses_positions;
use super::{Chunks, Execution, Fault, Setting, Site};

/// Every chunk begins at position 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChunkOffsetIgnored {}

impl Fault for ChunkOffsetIgnored {
    fn summary(&self) -> &'static str {
        "every chunk begins at position 0"
    }

    fn site(&self) -> Site {
        Site::Cache
    }

    fn concerns(&self, setting: &Setting) -> bool {
        uses_positions(setting)
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.offsets.chunks = Chunks::Ignored;
    }
}
