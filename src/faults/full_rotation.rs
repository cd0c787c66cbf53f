//! The whole head is rotated, although its configuration says a part.
//!
//! # What it does
//! `partial_rotary_factor` is not read, and dimensions that never carried a position are rotated.
//!
//! # Seen in
//! F23 (HF PR #48652 for #48630).
//!
//! # Signature
//! Pairs turn that should stand still; damage from the first tokens on. Nothing where the whole head rotates anyway.
//!
//! # How it is injected
//! The rotated width becomes the head's width; a method of partial rotation gets a share of 1.

use serde::{Deserialize, Serialize};

use super::{Fault, Setting, Site};
use crate::positions::AnyMethod;

/// The whole head is rotated, although its configuration says a part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FullRotation {}

impl Fault for FullRotation {
    fn summary(&self) -> &'static str {
        "the whole head is rotated, although its configuration says a part"
    }

    fn site(&self) -> Site {
        Site::Frequencies
    }

    fn setting(&self, setting: &mut Setting) {
        setting.heads.rotary_dim = setting.heads.head_dim;
        if let AnyMethod::Partial(partial) = &mut setting.method {
            partial.share = 1.0;
        }
    }
}
