//! The model as it was trained.
//!
//! # What it does
//! Rotates queries and keys with the checkpoint's own base and no scaling, at every length.
//!
//! # Formula
//! `f_i = theta^(-2i/d)`, attention factor 1, whatever the factor.
//!
//! # Parameters
//! None; theta is the checkpoint's `rope_theta`.
//!
//! # Where it breaks
//! Beyond the trained length: slow pairs reach angles that training never showed.
//!
//! # Source
//! RoFormer, arXiv 2104.09864, equation 15; transformers 5.23.0 `rope_type: default`.

use serde::{Deserialize, Serialize};

use super::{HeadShape, Mechanism, Method, MethodError, Rope};
use crate::units::{Stretch, Tokens};

/// The unscaled model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct None {}

impl Method for None {
    fn summary(&self) -> &'static str {
        "the unscaled model, as it was trained"
    }

    fn mechanism(&self, heads: &HeadShape, factor: Stretch, length: Tokens) -> Result<Mechanism, MethodError> {
        Rope::default().mechanism(heads, factor, length)
    }
}
