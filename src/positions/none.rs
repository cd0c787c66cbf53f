//! The model as it was trained.
//!
//! # What it does
//! Applies the mechanism that the weights were trained with and no scaling, at every length: for a RoPE checkpoint, the
//! rotation with its own base.
//!
//! # Formula
//! For RoPE `f_i = theta^(-2i/d)`, attention factor 1, whatever the factor; else that of the checkpoint's own method.
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

use super::{AnyMethod, HeadShape, Mechanism, Method, MethodError, Rope, Scheme};
use crate::units::{Stretch, Tokens};

/// The unscaled model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct None {}

impl Method for None {
    fn summary(&self) -> &'static str {
        "the unscaled model, as it was trained"
    }

    fn scheme(&self) -> Scheme {
        Scheme::Any
    }

    fn mechanism(&self, heads: &HeadShape, _factor: Stretch, length: Tokens) -> Result<Mechanism, MethodError> {
        match &heads.native {
            // Weights that are said to be trained with "the model as it was trained" are plain RoPE's.
            AnyMethod::None(_) => Rope::default().mechanism(heads, Stretch::ONE, length),
            native => native.mechanism(heads, Stretch::ONE, length),
        }
    }
}
