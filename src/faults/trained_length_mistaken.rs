//! The target length is taken for the trained one.
//!
//! # What it does
//! `original_max_position_embeddings` is missing, and the engine takes `max_position_embeddings` in its place.
//!
//! # Seen in
//! F11 (HF #38224 and fix #40320); F05 (vllm #52665: served length below the trained one).
//!
//! # Signature
//! The ramp of YaRN and its kin shifts to other pairs, or dynamic scaling begins at the wrong length; a damage that
//! grows with the distance.
//!
//! # How it is injected
//! The trained length that the method goes by is multiplied by the factor.

use serde::{Deserialize, Serialize};

use super::{Fault, Setting, Site};
use crate::units::Tokens;

/// The target length is taken for the trained one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainedLengthMistaken {}

impl Fault for TrainedLengthMistaken {
    fn summary(&self) -> &'static str {
        "the target length is taken for the trained one"
    }

    fn site(&self) -> Site {
        Site::Frequencies
    }

    fn setting(&self, setting: &mut Setting) {
        let target = setting.heads.trained.as_f64() * setting.factor.0;
        setting.heads.trained = Tokens(target as usize);
    }
}
