//! KERPLE's power kernel.
//!
//! # What it does
//! ALiBi with learned slopes and learned exponents: each head learns how fast its score falls with the distance, and
//! how the fall bends. Nothing is rotated or added to embeddings.
//!
//! # Formula
//! `bias(h, i - j) = -r1_h ((i - j) / s)^r2_h` with `r1 > 0` and `0 < r2 <= 2`, learned for each head and shared by all
//! layers. With a factor `s` distances are divided by it (interpolation).
//!
//! # Parameters
//! None beside the factor; `r1` and `r2` are in the weights. The authors draw `r1` from 0 to 1 and `r2` from 0 to 2.
//!
//! # Where it breaks
//! It needs weights that were trained with it. As with ALiBi, a head with a steep kernel sees nothing far away; where
//! `r2` exceeds 1 the fall steepens beyond the trained length, where nothing held it in check.
//!
//! # Source
//! Chi et al., arXiv 2205.09921, the power variant; the authors' `ParallelKerplePower` for GPT-NeoX.

use serde::{Deserialize, Serialize};

use super::{Bias, HeadShape, Mechanism, Method, MethodError, Scheme};
use crate::units::{Stretch, Tokens};

/// KERPLE, power variant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KerplePower {}

impl Method for KerplePower {
    fn summary(&self) -> &'static str {
        "KERPLE, power: a penalty in a learned power of the distance"
    }

    fn scheme(&self) -> Scheme {
        Scheme::PowerKernel
    }

    fn mechanism(&self, _heads: &HeadShape, factor: Stretch, _length: Tokens) -> Result<Mechanism, MethodError> {
        Ok(Mechanism::Bias(Bias::Power { stretch: factor.0 }))
    }

    fn is_unscaled_at_one(&self) -> bool {
        false
    }
}
