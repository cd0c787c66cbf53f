//! Latency: prefill and decode of the deployed model against the reference, interleaved, with controls.
//!
//! Every block times the arms at every length: deployed, reference, the reference once more, and the reference's weights
//! without any positional work. Blocks rotate the arms' order and every other one runs it backwards, so a machine that
//! warms up or slows down does so for all. The second reference arm must tie with the first; where it does not, the machine
//! is too noisy to judge. How noisy it is by itself is timed first, with one fixed piece of work, and again in every block.

use crate::measurement::{Place, Quantity, Reading, arms};
use crate::scenario::Sizes;
use crate::subject::{Stopwatch, Subject, SubjectError};
use crate::units::{Seconds, Tokens};

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

/// How often the fixed piece of work is timed before anything else.
const KERNEL_TIMINGS: u32 = 24;

/// Tokens decoded with a clock on each part.
const PART_TOKENS: usize = 8;

/// The order of the arms; a suspicion is measured again the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Deployed first.
    Forward,
    /// Deployed last.
    Reversed,
}

/// What is timed against each other.
pub struct Arms<'a> {
    /// The deployed model.
    pub deployed: &'a mut dyn Subject,
    /// The unscaled model.
    pub reference: &'a mut dyn Subject,
    /// The unscaled model's weights without positional work, where the engine has them.
    pub without_positions: Option<&'a mut dyn Subject>,
    /// What the machine is watched by, where the engine has it.
    pub stopwatch: Option<&'a dyn Stopwatch>,
}

/// Times the arms at every length; `progress` hears of every length of every block.
///
/// The repeat of a reading is its arm ([`arms`]), its document the block. `tokens` must hold at least the largest length.
///
/// # Errors
/// [`SubjectError`] when a subject fails.
pub fn measure(
    arms: &mut Arms<'_>,
    tokens: &[u32],
    sizes: &Sizes,
    order: Order,
    mut progress: impl FnMut(),
) -> Result<Vec<Reading>, SubjectError> {
    let mut timing = Timing { arms, sizes, readings: Vec::new() };
    timing.watch(0);
    for turn in 0..KERNEL_TIMINGS {
        timing.fixed_kernel(turn)?;
    }
    // The first block warms caches and allocator up and gives no times.
    for block in 0..=sizes.latency_blocks as u32 {
        for &length in &sizes.latency_lengths {
            for arm in timing.turns(block, order) {
                timing.arm(arm, block, length, tokens)?;
            }
            progress();
        }
        if block > 0 {
            timing.fixed_kernel(KERNEL_TIMINGS + block - 1)?;
            timing.watch(block);
        }
    }
    Ok(timing.readings)
}

struct Timing<'a, 'b> {
    arms: &'a mut Arms<'b>,
    sizes: &'a Sizes,
    readings: Vec<Reading>,
}

impl Timing<'_, '_> {
    /// The arms of a block in their order: each takes every place equally often.
    fn turns(&self, block: u32, order: Order) -> Vec<u32> {
        let mut turns = vec![arms::DEPLOYED, arms::REFERENCE, arms::CONTROL];
        if self.arms.without_positions.is_some() {
            turns.push(arms::NO_POSITIONS);
        }
        // Two blocks share a rotation, one of them backwards.
        let first = block as usize / 2 % turns.len();
        turns.rotate_left(first);
        if (order == Order::Reversed) != (block % 2 == 1) {
            turns.reverse();
        }
        turns
    }

    fn arm(&mut self, arm: u32, block: u32, length: Tokens, tokens: &[u32]) -> Result<(), SubjectError> {
        let prompt = tokens.get(..length.0).unwrap_or(tokens);
        let next = tokens.get(..self.sizes.decode_tokens).unwrap_or(tokens);
        let few = next.get(..PART_TOKENS).unwrap_or(next);
        let stopwatch = self.arms.stopwatch;
        let subject = match (arm, self.arms.without_positions.as_deref_mut()) {
            (arms::DEPLOYED, _) => &mut *self.arms.deployed,
            (arms::NO_POSITIONS, Some(bare)) => bare,
            _ => &mut *self.arms.reference,
        };
        let pages = || stopwatch.and_then(Stopwatch::fresh_pages);
        if block == 0 {
            // Starts the count of the largest memory.
            let _ = stopwatch.and_then(Stopwatch::peak_memory);
        }
        let pages_before = pages();
        let prefill = subject.prefill(prompt)?;
        let fresh = pages().zip(pages_before).map(|(after, before)| after - before);
        if block == 0 {
            let peak = stopwatch.and_then(Stopwatch::peak_memory);
            let (_, _) = (subject.decode(next)?, subject.parts(few)?);
            if let Some(peak) = peak {
                self.note(Quantity::PeakMemory, 0, arm, Some(length), (peak, 1));
            }
            return Ok(());
        }
        let (decode, parts) = (subject.decode(next)?, subject.parts(few)?);
        self.note(Quantity::Prefill, block - 1, arm, Some(length), (prefill.0, 1));
        self.note(Quantity::Decode, block - 1, arm, Some(length), (decode.0, next.len() as u32));
        for (part, Seconds(seconds)) in parts {
            self.note(part, block - 1, arm, Some(length), (seconds, few.len() as u32));
        }
        if let Some(fresh) = fresh {
            self.note(Quantity::FreshPages, block - 1, arm, Some(length), (fresh, 1));
        }
        Ok(())
    }

    fn fixed_kernel(&mut self, turn: u32) -> Result<(), SubjectError> {
        if let Some(stopwatch) = self.arms.stopwatch {
            let Seconds(seconds) = stopwatch.fixed_kernel()?;
            self.note(Quantity::FixedKernel, turn, arms::MACHINE, None, (seconds, 1));
        }
        Ok(())
    }

    /// Notes the clock, and how often the device was held back since the last time.
    fn watch(&mut self, turn: u32) {
        let Some(stopwatch) = self.arms.stopwatch else { return };
        let (held_back, clock) = (stopwatch.held_back(), stopwatch.clock());
        if let (Some(events), 1..) = (held_back, turn) {
            self.note(Quantity::Throttling, turn, arms::MACHINE, None, (events, 1));
        }
        if let Some(megahertz) = clock {
            self.note(Quantity::Clock, turn, arms::MACHINE, None, (megahertz, 1));
        }
    }

    fn note(&mut self, quantity: Quantity, block: u32, arm: u32, length: Option<Tokens>, (value, count): (f64, u32)) {
        self.readings.push(Reading {
            quantity,
            probe: "latency".to_owned(),
            protocol: format!("latency/2 interleaved median decode={}", self.sizes.decode_tokens),
            document: block,
            repeat: arm,
            at: Place { length: length.map(|length| length.0 as u32), ..Place::default() },
            value,
            count,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::{LayerAttention, Look, Scores, Window};

    /// Does nothing, at once.
    struct Idle;

    impl Subject for Idle {
        fn score(&mut self, _: &[Window<'_>]) -> Result<Vec<Scores>, SubjectError> {
            Ok(Vec::new())
        }

        fn attention(&mut self, _: &[u32], _: &Look) -> Result<Vec<LayerAttention>, SubjectError> {
            Ok(Vec::new())
        }

        fn prefill(&mut self, _: &[u32]) -> Result<Seconds, SubjectError> {
            Ok(Seconds(1.0))
        }

        fn decode(&mut self, _: &[u32]) -> Result<Seconds, SubjectError> {
            Ok(Seconds(1.0))
        }
    }

    /// Every arm comes equally often at every place, and in the reversed order at the opposite one.
    #[test]
    fn no_arm_is_favoured_by_its_place() {
        let sizes = Sizes {
            documents: 2,
            short_windows: 1,
            attention_documents: 0,
            attention_every: 16,
            latency_lengths: vec![Tokens(8)],
            latency_blocks: 8,
            decode_tokens: 1,
            latency_candidates: 0,
        };
        let (mut a, mut b, mut c) = (Idle, Idle, Idle);
        let mut all = Arms { deployed: &mut a, reference: &mut b, without_positions: Some(&mut c), stopwatch: None };
        let timing = Timing { arms: &mut all, sizes: &sizes, readings: Vec::new() };
        let mut places = [[0; 4]; 4];
        for block in 1..=8 {
            let forward = timing.turns(block, Order::Forward);
            let mut backward = timing.turns(block, Order::Reversed);
            for (place, arm) in forward.iter().enumerate() {
                places[*arm as usize][place] += 1;
            }
            backward.reverse();
            assert_eq!(forward, backward);
        }
        assert_eq!(places, [[2; 4]; 4]);
    }
}
