//! Latency: prefill and decode of the deployed model against the reference, interleaved, with a null control.
//!
//! Every block times three arms: deployed, reference, and the reference once more. Blocks alternate their order, so a
//! machine that warms up or slows down does so for all. The second reference arm must tie with the first; where it does
//! not, the machine is too noisy to judge.

use crate::measurement::{CellId, Measurement, Place, Quantity, Reading};
use crate::scenario::Sizes;
use crate::subject::{Subject, SubjectError};

/// One arm: a subject, and the cell that its rows belong to.
pub struct Arm<'a> {
    /// The cell of the rows.
    pub cell: CellId,
    /// The subject to time.
    pub subject: &'a mut dyn Subject,
}

/// Times both arms at every length and returns the rows; `progress` hears of every finished block.
///
/// `tokens` must hold at least the largest length.
///
/// # Errors
/// [`SubjectError`] when a subject fails.
pub fn measure<'a>(
    deployed: &mut Arm<'a>,
    reference: &mut Arm<'a>,
    tokens: &[u32],
    sizes: &Sizes,
    mut progress: impl FnMut(),
) -> Result<Vec<Measurement>, SubjectError> {
    let mut rows = Vec::new();
    for &length in &sizes.latency_lengths {
        let prompt = tokens.get(..length.0).unwrap_or(tokens);
        let next = tokens.get(..sizes.decode_tokens).unwrap_or(tokens);
        // The first block warms caches and allocator up and is thrown away.
        for block in 0..=sizes.latency_blocks {
            let mut order = [(true, 0), (false, 0), (false, 1)];
            if block % 2 == 1 {
                order.reverse();
            }
            for (is_deployed, repeat) in order {
                let arm = if is_deployed { &mut *deployed } else { &mut *reference };
                let prefill = arm.subject.prefill(prompt)?;
                let decode = arm.subject.decode(next)?;
                if block > 0 {
                    for (quantity, seconds) in [(Quantity::Prefill, prefill), (Quantity::Decode, decode)] {
                        let reading = Reading {
                            quantity,
                            probe: "latency".to_owned(),
                            protocol: format!("latency/1 interleaved decode={}", next.len()),
                            document: block as u32 - 1,
                            repeat,
                            at: Place { length: Some(length.0 as u32), ..Place::default() },
                            value: seconds.0,
                            count: if quantity == Quantity::Decode { next.len() as u32 } else { 1 },
                        };
                        rows.push(Measurement { cell: arm.cell.clone(), reading });
                    }
                }
            }
            progress();
        }
    }
    Ok(rows)
}
