//! Which tokens of which requests are looked at: short beginnings first, then longer ones.
//!
//! In a causal model the beginning of a long request answers like a short one, so every file has short prompts. Requests
//! that went through plainly (prefill, alone in their batch) come first.

use std::collections::HashSet;

use super::oracle::{Hypothesis, Oracle, Prompt};
use crate::observed::{Observation, Phase};
use crate::subject::SubjectError;

/// Length of the first beginnings; each stage doubles it.
const SHORTEST: usize = 8;
/// At most so many requests are looked at in one stage.
const MOST_REQUESTS: usize = 48;
/// A stage adds at most about so many tokens.
const STAGE_TOKENS: usize = 2_048;

/// Requests of a taste.
const TASTE: usize = 6;
/// Requests of a taste where a replay is dear.
const TASTE_OF_DEAR: usize = 2;

/// The beginning of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Beginning {
    /// The request's index in the file.
    pub(super) request: usize,
    /// How many of its tokens.
    pub(super) upto: usize,
}

/// Beginnings that are looked at together.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    /// The longest beginning in it.
    pub(super) length: usize,
    /// Each request once.
    pub(super) beginnings: Vec<Beginning>,
}

impl Stage {
    /// How many log-probabilities it holds.
    pub(super) fn values(&self) -> usize {
        self.beginnings.iter().map(|beginning| beginning.upto - 1).sum()
    }
}

/// Whether a request shares its batch with others.
pub(super) fn shared(observations: &[Observation], index: usize) -> bool {
    let Some(batch) = observations.get(index).and_then(|observation| observation.batch) else { return false };
    observations.iter().filter(|other| other.batch == Some(batch)).count() > 1
}

/// The requests in the order in which they are preferred: plain ones first, then as served.
fn preferred(observations: &[Observation]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..observations.len()).filter(|&i| observations[i].tokens.len() > 1).collect();
    order.sort_by_key(|&i| (shared(observations, i), observations[i].phase() == Phase::Decode));
    order
}

/// The stages of a file, each holding the ones before it, up to a longest beginning.
pub(super) fn stages(observations: &[Observation], longest: usize) -> Vec<Stage> {
    let order = preferred(observations);
    let mut upto = vec![0_usize; observations.len()];
    let mut stages: Vec<Stage> = Vec::new();
    let mut length = SHORTEST;
    loop {
        let most = (STAGE_TOKENS / length).clamp(1, MOST_REQUESTS);
        let mut seen: HashSet<&[u32]> = HashSet::new();
        let mut added = 0;
        for &i in &order {
            let tokens = &observations[i].tokens;
            // In the first stage shorter requests serve too; later ones ask for the length.
            let wanted = tokens.len().min(length).min(longest);
            let fits = tokens.len() >= length.min(longest) || stages.is_empty();
            if added == most || !fits || wanted <= upto[i] || !seen.insert(&tokens[..wanted]) {
                continue;
            }
            upto[i] = wanted;
            added += 1;
        }
        if added > 0 {
            let beginnings = (0..upto.len()).filter(|&i| upto[i] > 1).map(|i| Beginning { request: i, upto: upto[i] });
            stages.push(Stage { length, beginnings: beginnings.collect() });
        }
        if length >= longest || order.iter().all(|&i| observations[i].tokens.len() <= length) {
            return stages;
        }
        length *= 2;
    }
}

/// A taste of a stage: few requests, enough to exclude what is far off; fewer where a replay is dear.
pub(super) fn taste(stage: &Stage, dear: bool) -> Stage {
    let most = if dear { TASTE_OF_DEAR } else { TASTE };
    Stage { length: stage.length, beginnings: stage.beginnings.iter().take(most).copied().collect() }
}

/// The longest beginnings of a stage, as many as hold so many values.
pub(super) fn thinned(stage: &Stage, values: usize) -> Stage {
    let mut beginnings = stage.beginnings.clone();
    beginnings.sort_by_key(|beginning| std::cmp::Reverse(beginning.upto));
    let mut held = 0;
    beginnings.retain(|beginning| {
        let wanted = held < values;
        held += if wanted { beginning.upto - 1 } else { 0 };
        wanted
    });
    Stage { length: stage.length, beginnings }
}

/// The prompts of beginnings; whole requests in the batches that they were served in, beginnings one by one.
pub(super) fn prompts<'a>(observations: &'a [Observation], beginnings: &[Beginning]) -> Vec<Prompt<'a>> {
    let whole = beginnings.iter().all(|beginning| beginning.upto == observations[beginning.request].tokens.len());
    beginnings
        .iter()
        .map(|&Beginning { request, upto }| {
            let observation = &observations[request];
            let batch = observation.batch.filter(|_| whole);
            Prompt { tokens: &observation.tokens, upto, phase: observation.phase(), batch }
        })
        .collect()
}

/// The shortest request that was decoded alone.
pub(super) fn shortest_decoded(observations: &[Observation]) -> Option<Stage> {
    let decoded = |&i: &usize| observations[i].phase() == Phase::Decode && !shared(observations, i);
    let request = (0..observations.len()).filter(decoded).min_by_key(|&i| observations[i].tokens.len())?;
    let length = observations[request].tokens.len();
    Some(Stage { length, beginnings: vec![Beginning { request, upto: length }] })
}

/// Every request as a whole.
pub(super) fn whole(observations: &[Observation]) -> Stage {
    let beginnings: Vec<Beginning> = observations
        .iter()
        .enumerate()
        .filter(|(_, observation)| observation.tokens.len() > 1)
        .map(|(request, observation)| Beginning { request, upto: observation.tokens.len() })
        .collect();
    Stage { length: beginnings.iter().map(|beginning| beginning.upto).max().unwrap_or_default(), beginnings }
}

/// Replayed minus observed log-probability of every value, in nats, beginning by beginning.
pub(super) fn residuals(
    oracle: &mut dyn Oracle,
    hypothesis: Hypothesis<'_>,
    observations: &[Observation],
    beginnings: &[Beginning],
) -> Result<Vec<Vec<f64>>, SubjectError> {
    let mut answers = oracle.score(hypothesis, &prompts(observations, beginnings))?;
    for (answer, beginning) in answers.iter_mut().zip(beginnings) {
        let observation = &observations[beginning.request];
        for (index, value) in answer.iter_mut().enumerate() {
            *value -= observation.at(index + 1).unwrap_or(f64::NAN);
        }
    }
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(first: u32, length: usize, phase: Phase, batch: Option<u64>) -> Observation {
        let tokens: Vec<u32> = (0..length as u32).map(|i| first + i).collect();
        Observation { logprobs: vec![None; length], tokens, phase: Some(phase), batch, dtype: None }
    }

    #[test]
    fn beginnings_grow_and_each_request_stands_once() {
        let mut file: Vec<_> = (0..60).map(|i| request(i * 100, 8, Phase::Prefill, None)).collect();
        file.extend((0..3).map(|i| request(10_000 + i * 100, 50, Phase::Prefill, None)));
        let stages = stages(&file, 2_048);
        assert_eq!(stages.iter().map(|stage| stage.length).collect::<Vec<_>>(), [8, 16, 32]);
        assert_eq!(stages[0].beginnings.len(), 48);
        assert_eq!(stages[2].beginnings.iter().filter(|b| b.upto == 32).count(), 3);
        assert_eq!(stages[2].beginnings.len(), 51);
        assert_eq!(stages[0].values(), 48 * 7);
    }

    #[test]
    fn a_thinned_stage_keeps_its_longest_beginnings() {
        let stage = Stage {
            length: 16,
            beginnings: [8, 16, 8, 16]
                .into_iter()
                .enumerate()
                .map(|(request, upto)| Beginning { request, upto })
                .collect(),
        };
        let kept = |values| thinned(&stage, values).beginnings.iter().map(|b| b.request).collect::<Vec<_>>();
        assert_eq!((kept(10), kept(16), kept(31), kept(1_000)), (vec![1], vec![1, 3], vec![1, 3, 0], vec![1, 3, 0, 2]));
        assert_eq!(taste(&stage, true).beginnings.len(), 2);
    }

    #[test]
    fn a_file_of_one_long_request_still_begins_short() {
        let stages = stages(&[request(0, 100, Phase::Prefill, None)], 2_048);
        assert_eq!(stages.iter().map(|stage| stage.beginnings[0].upto).collect::<Vec<_>>(), [8, 16, 32, 64]);
    }

    #[test]
    fn plain_requests_come_first_and_repeats_add_nothing() {
        let mut file = vec![request(0, 8, Phase::Decode, None), request(50, 8, Phase::Prefill, Some(1))];
        file.push(request(100, 8, Phase::Prefill, Some(1)));
        file.extend(vec![request(150, 8, Phase::Prefill, None); 3]);
        assert_eq!(preferred(&file), [3, 4, 5, 0, 1, 2]);
        let first = &stages(&file, 2_048)[0].beginnings;
        assert_eq!(first.iter().map(|b| b.request).collect::<Vec<_>>(), [0, 1, 2, 3]);
    }
}
