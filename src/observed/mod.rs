//! Observed outputs: the log-probabilities that an engine gave to prompts, one request a line.
//!
//! A request is a JSON object with `tokens` and `logprobs`, and optionally `phase`, `batch` and `dtype`; the lines stand in
//! the order in which the engine served them. [`read`] takes a file only if every number in it can be trusted to
//! belong to its token: what was cut off, shifted or is not a number is an error with its line.

mod error;

use std::fs;
use std::path::Path;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

pub use error::{ObservedError, Problem};

/// How tokens went through an engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// All at once, or in chunks.
    #[default]
    Prefill,
    /// Token by token through the cache.
    Decode,
}

/// One request and what an engine answered: a line of an observed-outputs file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// The tokens of the prompt.
    pub tokens: Vec<u32>,
    /// Log-probability in nats of each token given those before it; null for the first.
    #[serde(default)]
    pub logprobs: Vec<Option<f32>>,
    /// How they went through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The batch that the request was in; requests of one batch follow each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<u64>,
    /// The precision of the computation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dtype: Option<String>,
}

/// The number format that an engine computes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precision {
    /// 24 bits of mantissa.
    Float32,
    /// 11 bits of mantissa.
    Float16,
    /// 8 bits of mantissa.
    Bfloat16,
}

impl Precision {
    /// The format of that name, with or without `torch.` before it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name.trim().trim_start_matches("torch.") {
            "float32" | "fp32" | "f32" | "float" => Some(Self::Float32),
            "float16" | "fp16" | "f16" | "half" => Some(Self::Float16),
            "bfloat16" | "bf16" => Some(Self::Bfloat16),
            _ => None,
        }
    }
}

impl Observation {
    /// How the tokens went through; prefill where the line does not say.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase.unwrap_or_default()
    }

    /// The number format, where the line names one that is known.
    #[must_use]
    pub fn precision(&self) -> Option<Precision> {
        self.dtype.as_deref().and_then(Precision::named)
    }

    /// The log-probability of the token at an index, where there is one.
    #[must_use]
    pub fn at(&self, index: usize) -> Option<f64> {
        self.logprobs.get(index).copied().flatten().map(f64::from)
    }
}

/// A log-probability above 0 by more than this is none: rounding in single precision stays far below.
const ABOVE_ZERO: f32 = 1e-3;

/// Reads a file of observed outputs for a checkpoint with so many tokens in its vocabulary.
///
/// # Errors
/// [`ObservedError`] where the file cannot be read, holds nothing, or a line cannot be trusted.
pub fn read(path: &Path, vocabulary: usize) -> Result<Vec<Observation>, ObservedError> {
    let text = fs::read_to_string(path).map_err(|source| ObservedError::Read { path: path.to_owned(), source })?;
    let name = path.display().to_string();
    let refuse = |line: usize, problem: Problem| ObservedError::Line { path: name.clone(), line, problem };
    let mut observations: Vec<Observation> = Vec::new();
    let last = text.lines().count();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let cut = index + 1 == last && !text.ends_with('\n');
        let observation = parse(line, cut).map_err(|problem| refuse(index + 1, problem))?;
        check(&observation, vocabulary).map_err(|problem| refuse(index + 1, problem))?;
        if let (Some(batch), Some(before)) = (observation.batch, observations.last()) {
            let seen = observations.iter().any(|other| other.batch == Some(batch));
            if seen && before.batch != Some(batch) {
                return Err(refuse(index + 1, Problem::Reordered { batch }));
            }
        }
        observations.push(observation);
    }
    if observations.iter().all(|observation| observation.tokens.len() < 2) {
        return Err(ObservedError::Empty { path: name });
    }
    Ok(observations)
}

fn parse(line: &str, last: bool) -> Result<Observation, Problem> {
    serde_json::from_str(line).map_err(|error| {
        let beyond = error.to_string().contains("out of range");
        if beyond || line.contains("NaN") || line.contains("Infinity") {
            Problem::NotFinite { at: None }
        } else if error.is_eof() && last {
            Problem::CutOff
        } else {
            Problem::NoRequest(error.to_string())
        }
    })
}

fn check(observation: &Observation, vocabulary: usize) -> Result<(), Problem> {
    let (tokens, logprobs) = (&observation.tokens, &observation.logprobs);
    if tokens.is_empty() {
        return Err(Problem::NoTokens);
    }
    if let Some((at, &token)) = tokens.iter().enumerate().find(|(_, token)| **token as usize >= vocabulary) {
        return Err(Problem::Foreign { at, token, vocabulary });
    }
    if tokens.len() != logprobs.len() {
        return Err(Problem::Length { tokens: tokens.len(), logprobs: logprobs.len() });
    }
    if logprobs.first().is_some_and(Option::is_some) {
        return Err(Problem::Shifted);
    }
    for (at, value) in logprobs.iter().enumerate().skip(1) {
        match value {
            None => return Err(Problem::Missing { at }),
            Some(value) if !value.is_finite() => return Err(Problem::NotFinite { at: Some(at) }),
            Some(value) if *value > ABOVE_ZERO => return Err(Problem::Positive { at, value: *value }),
            Some(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
