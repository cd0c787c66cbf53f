//! KERPLE's logarithmic kernel.
//!
//! # What it does
//! Adds a penalty to each score that grows with the logarithm of the distance; each head learns its weight and its scale.
//!
//! # Formula
//! `bias(h, i - j) = -r1_h ln(1 + r2_h (i - j) / s)` with `r1, r2 > 0`, learned for each head and shared by all layers:
//! the weight of a key falls as `(1 + r2 distance)^-r1`. With a factor `s` distances are divided by it (interpolation).
//!
//! # Parameters
//! None beside the factor; `r1` and `r2` are in the weights. The authors draw `r1` from 0 to 2 and `r2` from 0 to 1.
//!
//! # Where it breaks
//! It needs weights that were trained with it. A head with `r1` below 1 gives far keys together ever more weight as
//! their number grows; one above it forgets them.
//!
//! # Source
//! Chi et al., arXiv 2205.09921, the logarithmic variant; the authors' `ParallelKerpleLog` for GPT-NeoX.

use serde::{Deserialize, Serialize};

use super::{Bias, HeadShape, Mechanism, Method, MethodError, Scheme};
use crate::units::{Stretch, Tokens};

/// KERPLE, logarithmic variant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KerpleLog {}

impl Method for KerpleLog {
    fn summary(&self) -> &'static str {
        "KERPLE, logarithmic: a penalty in the logarithm of the distance, learned for each head"
    }

    fn scheme(&self) -> Scheme {
        Scheme::LogKernel
    }

    fn mechanism(&self, _heads: &HeadShape, factor: Stretch, _length: Tokens) -> Result<Mechanism, MethodError> {
        Ok(Mechanism::Bias(Bias::Log { stretch: factor.0 }))
    }

    fn is_unscaled_at_one(&self) -> bool {
        false
    }
}
