//! Latency: prefill and decode of the deployed model against the reference, interleaved, with a null control.
//!
//! Every block times three arms: deployed, reference, and the reference once more. Blocks rotate their order, so a
//! machine that warms up or slows down does so for all. The second reference arm must tie with the first; where it does
//! not, the machine is too noisy to judge.

use crate::measurement::{Place, Quantity, Reading};
use crate::scenario::Sizes;
use crate::subject::{Subject, SubjectError};

/// Two rounds of both at every length, without a control: enough to see whether more is worth its time.
///
/// Repeat 0 of a reading is the deployed model's, repeat 1 the reference's.
///
/// # Errors
/// [`SubjectError`] when a subject fails.
pub fn glance(
    deployed: &mut dyn Subject,
    reference: &mut dyn Subject,
    tokens: &[u32],
    sizes: &Sizes,
) -> Result<Vec<Reading>, SubjectError> {
    let mut readings = Vec::new();
    for &length in &sizes.latency_lengths {
        let prompt = tokens.get(..length.0).unwrap_or(tokens);
        let next = tokens.get(..sizes.decode_tokens).unwrap_or(tokens);
        for block in 0..2 {
            for repeat in 0..2 {
                let times = if repeat == 0 {
                    [(Quantity::Prefill, deployed.prefill(prompt)?), (Quantity::Decode, deployed.decode(next)?)]
                } else {
                    [(Quantity::Prefill, reference.prefill(prompt)?), (Quantity::Decode, reference.decode(next)?)]
                };
                readings.extend(times.map(|(quantity, seconds)| Reading {
                    quantity,
                    probe: "latency".to_owned(),
                    protocol: format!("latency-glance/1 decode={}", next.len()),
                    document: block,
                    repeat,
                    at: Place { length: Some(length.0 as u32), ..Place::default() },
                    value: seconds.0,
                    count: if quantity == Quantity::Decode { next.len() as u32 } else { 1 },
                }));
            }
        }
    }
    Ok(readings)
}

/// Times both at every length; `progress` hears of every finished block.
///
/// Repeat 0 of a reading is the deployed model's, repeats 1 and 2 the reference's.
///
/// `tokens` must hold at least the largest length.
///
/// # Errors
/// [`SubjectError`] when a subject fails.
pub fn measure(
    deployed: &mut dyn Subject,
    reference: &mut dyn Subject,
    tokens: &[u32],
    sizes: &Sizes,
    mut progress: impl FnMut(),
) -> Result<Vec<Reading>, SubjectError> {
    let mut readings = Vec::new();
    for &length in &sizes.latency_lengths {
        let prompt = tokens.get(..length.0).unwrap_or(tokens);
        let next = tokens.get(..sizes.decode_tokens).unwrap_or(tokens);
        // The first block warms caches and allocator up and is thrown away.
        for block in 0..=sizes.latency_blocks {
            // Rotating the order gives each arm every place equally often.
            for place in 0..3 {
                let repeat = (place + block as u32) % 3;
                let (prefill, decode) = if repeat == 0 {
                    (deployed.prefill(prompt)?, deployed.decode(next)?)
                } else {
                    (reference.prefill(prompt)?, reference.decode(next)?)
                };
                if block > 0 {
                    for (quantity, seconds) in [(Quantity::Prefill, prefill), (Quantity::Decode, decode)] {
                        readings.push(Reading {
                            quantity,
                            probe: "latency".to_owned(),
                            protocol: format!("latency/1 interleaved decode={}", next.len()),
                            document: block as u32 - 1,
                            repeat,
                            at: Place { length: Some(length.0 as u32), ..Place::default() },
                            value: seconds.0,
                            count: if quantity == Quantity::Decode { next.len() as u32 } else { 1 },
                        });
                    }
                }
            }
            progress();
        }
    }
    Ok(readings)
}
