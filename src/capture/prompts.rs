//! The prompts that tell most: many short ones, a few long ones, repeats, and a batch of unequal lengths.

use crate::stats::random::Random;
use crate::units::Tokens;

/// Prompts of one request, served together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The tokens of each.
    pub prompts: Vec<Vec<u32>>,
}

/// Lengths and how many prompts of each: short ones decide almost everything, longer ones sharpen the slow pairs.
const LENGTHS: [(usize, usize); 5] = [(8, 40), (16, 12), (64, 6), (256, 3), (1_024, 1)];
/// Lengths of the prompts that share a batch.
const BATCH: [usize; 4] = [8, 40, 16, 100];

/// The requests in the order in which they are sent: short, long, the first short one again, across the trained length, the
/// first one again, and a batch.
///
/// Tokens are random, from a seed: their log-probabilities hang on every earlier token alike.
#[must_use]
pub fn plan(vocabulary: usize, trained: Tokens, longest: Tokens, seed: u64) -> Vec<Sent> {
    let mut random = Random::new(seed);
    let mut draw = |length: usize| -> Vec<u32> { (0..length).map(|_| random.below(vocabulary) as u32).collect() };
    let alone = |prompt: Vec<u32>| Sent { prompts: vec![prompt] };
    let mut sent: Vec<Sent> = Vec::new();
    for (length, count) in LENGTHS.into_iter().filter(|(length, _)| *length <= longest.0) {
        sent.extend((0..count).map(|_| alone(draw(length))));
    }
    let first = sent.first().cloned();
    sent.extend(first.clone());
    let across = (trained.0 + trained.0 / 2).min(longest.0);
    if across > trained.0 {
        sent.push(alone(draw(across)));
        sent.extend(first);
    }
    sent.push(Sent { prompts: BATCH.into_iter().filter(|length| *length <= longest.0).map(draw).collect() });
    sent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_crosses_the_trained_length_repeats_and_batches() {
        let sent = plan(100, Tokens(512), Tokens(2_048), 3);
        let lengths: Vec<usize> = sent.iter().flat_map(|sent| sent.prompts.iter().map(Vec::len)).collect();
        assert!(lengths.contains(&768) && lengths.iter().filter(|length| **length == 8).count() == 43);
        let repeats = sent.iter().filter(|request| request.prompts == sent[0].prompts).count();
        assert_eq!(repeats, 3);
        assert_eq!(sent.last().map(|request| request.prompts.len()), Some(4));
        assert!(sent.iter().flat_map(|request| request.prompts.concat()).all(|token| token < 100));
        // A server of the trained length is asked for no more.
        let short = plan(100, Tokens(512), Tokens(512), 3);
        assert!(short.iter().all(|request| request.prompts.iter().all(|prompt| prompt.len() <= 512)));
        assert_eq!(plan(100, Tokens(512), Tokens(512), 3), short);
    }
}
