//! `gyro logprobs`: the same tokens through any checkpoint and method, one JSON line a request.

use std::io::{BufRead, Write};
use std::path::Path;

use anyhow::{Context, bail};

use crate::observed::{Observation, Phase};
use crate::replay::{self, Replay};

/// Completes every line of `input` with the replay's log-probabilities.
///
/// `phase` wins over a line's own; without both it is prefill. `chunk` cuts a prefill.
///
/// # Errors
/// A line that is no request, with its number; or the replay's failure.
pub fn complete(
    replay: &Replay,
    input: impl BufRead,
    from: &Path,
    phase: Option<Phase>,
    chunk: Option<usize>,
    mut output: impl Write,
) -> anyhow::Result<()> {
    for (number, line) in input.lines().enumerate() {
        let line = line.with_context(|| format!("cannot read {}", from.display()))?;
        if line.trim().is_empty() {
            continue;
        }
        let place = || format!("{}:{}", from.display(), number + 1);
        let mut request: Observation = serde_json::from_str(&line).with_context(|| {
            format!("{}: not a request\n  hint: expected a line such as {{\"tokens\": [1, 523, 9]}}", place())
        })?;
        if request.tokens.is_empty() {
            bail!("{}: `tokens` is empty", place());
        }
        let phase = phase.or(request.phase).unwrap_or_default();
        let route = match phase {
            Phase::Prefill => replay::Phase::Prefill(chunk),
            Phase::Decode => replay::Phase::Decode,
        };
        let scores = replay.score_phase(&request.tokens, route).with_context(place)?;
        request.logprobs = std::iter::once(None).chain(scores.log_probability.into_iter().map(Some)).collect();
        request.phase = Some(phase);
        request.dtype = Some("float32".to_owned());
        let line = serde_json::to_string(&request)?;
        writeln!(output, "{line}").context("cannot write to stdout")?;
    }
    Ok(())
}
