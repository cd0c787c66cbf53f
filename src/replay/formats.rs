//! Numbers rounded to the formats that engines hold them in.

use tch::{Kind, Tensor};

use super::ReplayError;
use crate::faults::Format;

const LAST: i64 = -1;

/// The same numbers after a stay in a format; the kind is the one they had.
pub(super) fn rounded(numbers: Tensor, format: Format) -> Result<Tensor, ReplayError> {
    let through =
        |kind: Kind| -> Result<Tensor, ReplayError> { Ok(numbers.f_to_kind(kind)?.f_to_kind(numbers.kind())?) };
    match format {
        Format::Exact => Ok(numbers),
        Format::Single => through(Kind::Float),
        Format::Half => through(Kind::Half),
        Format::Brain => through(Kind::BFloat16),
        Format::Integers(bits) => {
            let largest = f64::from((1_u32 << (bits - 1)) - 1);
            // A vector of zeros has no scale of its own; any will do.
            let scale = numbers.f_abs()?.f_amax([LAST].as_slice(), true)?.f_div_scalar(largest)?.f_clamp_min(1e-30)?;
            Ok(numbers.f_div(&scale)?.f_round()?.f_mul(&scale)?)
        }
    }
}
