//! A decoder of one attention layer in plain float64, as an oracle and as an engine: what it answers is known to the last
//! digit, and two hundred identifications take seconds.

use gyro::identify::{Configuration, Hypothesis, Oracle, Prompt};
use gyro::observed::{Observation, Phase};
use gyro::positions::{AnyMethod, Bias, HeadShape, Mechanism, Pairing};
use gyro::stats::random::Random;
use gyro::subject::SubjectError;
use gyro::units::Tokens;

pub(crate) const VOCABULARY: usize = 24;
const HEADS: usize = 2;
const HEAD_DIM: usize = 8;
const WIDTH: usize = HEADS * HEAD_DIM;
/// Queries and keys are so large that attention is far from uniform.
const SHARPNESS: f64 = 1.2;

type Vectors = Vec<[f64; WIDTH]>;

/// The weights: what each token gives, since the first layer sees nothing but tokens.
#[derive(Clone)]
pub(crate) struct Toy {
    heads: HeadShape,
    queries: Vectors,
    keys: Vectors,
    values: Vectors,
    embedding: Vectors,
    learned: Option<Vec<f64>>,
}

impl Toy {
    pub(crate) fn new(seed: u64, native: &str, learned: Option<Vec<f64>>) -> Self {
        let mut random = Random::new(seed);
        let mut vectors = |scale: f64| -> Vectors {
            (0..VOCABULARY).map(|_| std::array::from_fn(|_| scale * random.normal())).collect()
        };
        let heads = HeadShape {
            heads: HEADS,
            width: WIDTH,
            head_dim: HEAD_DIM,
            rotary_dim: HEAD_DIM,
            theta: 10_000.0,
            trained: Tokens(64),
            pairing: Pairing::HalfSplit,
            native: AnyMethod::named(native).unwrap(),
        };
        let (queries, keys) = (vectors(SHARPNESS), vectors(SHARPNESS));
        Self { heads, queries, keys, values: vectors(1.0), embedding: vectors(0.6), learned }
    }

    /// The same weights, each number off by a random part of itself.
    pub(crate) fn disturbed(&self, part: f64, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut toy = self.clone();
        for vectors in [&mut toy.queries, &mut toy.keys, &mut toy.values, &mut toy.embedding] {
            vectors.iter_mut().flatten().for_each(|number| *number *= 1.0 + part * random.normal());
        }
        toy
    }

    /// Scores of one head by distance, for a query token and a key token.
    fn score(
        &self,
        configuration: &Configuration,
        turns: &[Vec<(f64, f64)>],
        head: usize,
        q: usize,
        k: usize,
        d: usize,
    ) -> f64 {
        let (query, key) =
            (&self.queries[q][head * HEAD_DIM..][..HEAD_DIM], &self.keys[k][head * HEAD_DIM..][..HEAD_DIM]);
        let scale = configuration.temperature / (HEAD_DIM as f64).sqrt();
        let dot: f64 = query.iter().zip(key).map(|(q, k)| q * k).sum();
        match &configuration.mechanism {
            Mechanism::Rotate(rotation) => {
                let half = HEAD_DIM / 2;
                let turned: f64 = (0..half)
                    .map(|pair| {
                        let (a, b) = match rotation.pairing {
                            Pairing::HalfSplit => (pair, pair + half),
                            Pairing::Interleaved => (2 * pair, 2 * pair + 1),
                        };
                        let (cos, sin) = turns[d].get(pair).copied().unwrap_or((1.0, 0.0));
                        (query[a] * key[a] + query[b] * key[b]) * cos + (query[a] * key[b] - query[b] * key[a]) * sin
                    })
                    .sum();
                scale * turned * rotation.attention_factor.powi(2)
            }
            Mechanism::Bias(Bias::Linear { slopes }) => scale * dot - slopes[head] * d as f64,
            Mechanism::Bias(Bias::Learned(buckets)) => {
                let learned = configuration.learned.as_deref().or(self.learned.as_deref()).unwrap();
                scale * dot + learned[buckets.of(d) * HEADS + head]
            }
            _ => scale * dot,
        }
    }

    /// Log-probabilities of tokens 1 to the last.
    pub(crate) fn answer(&self, configuration: &Configuration, tokens: &[u32]) -> Vec<f64> {
        let turns: Vec<Vec<(f64, f64)>> = (0..tokens.len())
            .map(|d| match &configuration.mechanism {
                Mechanism::Rotate(rotation) => rotation
                    .inverse_frequencies
                    .iter()
                    .map(|frequency| (d as f64 * frequency).sin_cos())
                    .map(|(sin, cos)| (cos, sin))
                    .collect(),
                _ => Vec::new(),
            })
            .collect();
        (0..tokens.len() - 1)
            .map(|i| {
                let own = tokens[i] as usize;
                let mut state = self.embedding[own];
                for head in 0..HEADS {
                    let scores: Vec<f64> = (0..=i)
                        .map(|j| self.score(configuration, &turns, head, own, tokens[j] as usize, i - j))
                        .collect();
                    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    let weights: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
                    let sum: f64 = weights.iter().sum();
                    for (weight, &token) in weights.iter().zip(tokens) {
                        let dims = head * HEAD_DIM..(head + 1) * HEAD_DIM;
                        for (sum_so_far, value) in
                            state[dims.clone()].iter_mut().zip(&self.values[token as usize][dims])
                        {
                            *sum_so_far += weight / sum * value;
                        }
                    }
                }
                let logits: Vec<f64> =
                    self.embedding.iter().map(|row| row.iter().zip(&state).map(|(a, b)| a * b).sum()).collect();
                let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = logits.iter().map(|logit| (logit - most).exp()).sum();
                logits[tokens[i + 1] as usize] - most - sum.ln()
            })
            .collect()
    }

    /// What an engine with this configuration answers, with noise.
    pub(crate) fn observe(
        &self,
        of: &dyn Fn(usize) -> Configuration,
        prompts: &[Vec<u32>],
        noise: f64,
        dtype: &str,
        seed: u64,
    ) -> Vec<Observation> {
        let mut random = Random::new(seed);
        prompts
            .iter()
            .map(|tokens| Observation {
                tokens: tokens.clone(),
                logprobs: std::iter::once(None)
                    .chain(
                        self.answer(&of(tokens.len()), tokens)
                            .into_iter()
                            .map(|value| Some((value + noise * random.normal()) as f32)),
                    )
                    .collect(),
                phase: Some(Phase::Prefill),
                batch: None,
                dtype: Some(dtype.to_owned()),
            })
            .collect()
    }
}

/// Random prompts: many short ones, few that cross the trained length of 64.
pub(crate) fn prompts(seed: u64) -> Vec<Vec<u32>> {
    let mut random = Random::new(seed);
    [(8, 40), (16, 16), (40, 8), (100, 3), (256, 1)]
        .into_iter()
        .flat_map(|(length, count)| vec![length; count])
        .map(|length: usize| (0..length).map(|_| random.below(VOCABULARY) as u32).collect())
        .collect()
}

impl Oracle for Toy {
    fn heads(&self) -> &HeadShape {
        &self.heads
    }

    fn learned(&self) -> Option<Vec<f64>> {
        self.learned.clone()
    }

    fn resolution(&self) -> f64 {
        0.0
    }

    fn score(&mut self, hypothesis: Hypothesis<'_>, prompts: &[Prompt<'_>]) -> Result<Vec<Vec<f64>>, SubjectError> {
        let at = |length: usize| match hypothesis {
            Hypothesis::Numbers(configuration) => Ok(configuration.clone()),
            Hypothesis::Named(candidate) => {
                let injected =
                    candidate.injected(&self.heads).map_err(|error| SubjectError::Engine(error.to_string()))?;
                if !injected.execution().is_healthy() {
                    return Err(SubjectError::Engine("the toy has no execution".to_owned()));
                }
                let mechanism =
                    injected.mechanism(Tokens(length)).map_err(|error| SubjectError::Engine(error.to_string()))?;
                Ok(Configuration { mechanism, learned: None, temperature: 1.0 })
            }
        };
        prompts.iter().map(|prompt| Ok(self.answer(&at(prompt.tokens.len())?, &prompt.tokens[..prompt.upto]))).collect()
    }
}
