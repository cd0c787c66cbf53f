//! The first token of every request is lost.
//!
//! # What it does
//! The token that begins a text is not sent, or another stands in its place.
//!
//! # Seen in
//! F72 (llama.cpp PR #1303, HF PR #40524: a window without its beginning); not positional.
//!
//! # Signature
//! Perturbing the first token moves no output; the first few tokens suffer, and all of them where weights rest on it.
//!
//! # How it is injected
//! The first token is replaced by token 0 before the model sees it.

use serde::{Deserialize, Serialize};

use super::{Execution, Fault, Setting, Site};

/// The first token of every request is lost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MissingBos {}

impl Fault for MissingBos {
    fn summary(&self) -> &'static str {
        "the first token of every request is lost"
    }

    fn site(&self) -> Site {
        Site::Mask
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.first_token_lost = true;
    }
}
