//! llama.cpp's server: it tells of tokens that it generates, not of those of a prompt, so it is made to generate the prompt.
//!
//! A bias on one token, or a grammar of token ids, leaves it one choice at every step, and the log-probability that it tells
//! of the token is that of before. A grammar lets no token through that ends a text or is no whole characters: then a prompt
//! is halved until such a token stands alone. A token that comes back without its log-probability even so is looked up
//! among all candidates.

use serde_json::{Value, json};

use super::CaptureError;
use super::dialect::{Logprobs, Post, missing};
use crate::observed::Phase;

const PATH: &str = "/completion";
/// It lists at most so many candidates of a next token.
const CANDIDATES: u32 = 1 << 20;
/// Prompts up to so long are read anew for each of their tokens, so that they are no decoding; it costs their square.
const READ_ANEW: usize = 16;
/// Added to a token's logit, no other one is chosen.
const SURELY: f64 = 1e6;
/// Any text that is whole characters.
const ANY_TEXT: &str = "root ::= [ -~]+";

/// How the tokens of a prompt go through the engine.
pub(super) fn phase(prompt: &[u32]) -> Phase {
    if prompt.len() <= READ_ANEW { Phase::Prefill } else { Phase::Decode }
}

/// Asks for one prompt.
pub(super) fn ask(prompt: &[u32], post: Post<'_>) -> Result<Logprobs, CaptureError> {
    let mut found = vec![None];
    if phase(prompt) == Phase::Prefill {
        for end in 1..prompt.len() {
            let (prefix, token) = (&prompt[..end], prompt[end]);
            let value = forced(prefix, &[token], false, post)?;
            let value = value.and_then(|values| values.first().copied());
            found.push(Some(value.map_or_else(|| candidate(prefix, token, false, post), Ok)?));
        }
    } else {
        // The longest prefix first: a prompt beyond the context is refused at once.
        let last = prompt.len() - 1;
        forced(&prompt[..last], &prompt[last..], true, post)?;
        found.extend(decoded(prompt, 1..prompt.len(), post)?.into_iter().map(Some));
    }
    Ok(found)
}

/// The log-probabilities of the tokens of a part of a prompt, decoded one by one.
fn decoded(prompt: &[u32], part: std::ops::Range<usize>, post: Post<'_>) -> Result<Vec<f32>, CaptureError> {
    if part.is_empty() {
        return Ok(Vec::new());
    }
    if let Some(values) = forced(&prompt[..part.start], &prompt[part.clone()], true, post)? {
        return Ok(values);
    }
    if part.len() == 1 {
        return Ok(vec![candidate(&prompt[..part.start], prompt[part.start], true, post)?]);
    }
    let middle = part.start + part.len() / 2;
    let mut values = decoded(prompt, part.start..middle, post)?;
    values.extend(decoded(prompt, middle..part.end, post)?);
    Ok(values)
}

/// Has tokens generated; nothing where not each of them comes back with its log-probability.
fn forced(prefix: &[u32], tokens: &[u32], cached: bool, post: Post<'_>) -> Result<Option<Vec<f32>>, CaptureError> {
    let mut body = body(prefix, tokens.len(), 1, cached);
    if let [one] = tokens {
        // Allows more tokens than a grammar does.
        body["logit_bias"] = json!([[one, SURELY]]);
    } else {
        let choices: Vec<String> = tokens.iter().map(|token| format!("<[{token}]>")).collect();
        body["grammar"] = json!(format!("root ::= {}", choices.join(" ")));
    }
    let answer = match post(PATH, &body) {
        Ok(answer) => answer,
        // A grammar that the server does not read, or a token that its grammars do not let through.
        Err(CaptureError::Refused { message, .. }) if message.contains("grammar") => return Ok(None),
        Err(error) => return Err(error),
    };
    let listed = answer.get("completion_probabilities").and_then(Value::as_array);
    let Some(listed) = listed.filter(|listed| listed.len() == tokens.len()) else { return Ok(None) };
    let own = |(entry, &token): (&Value, &u32)| {
        let id = entry.get("id").and_then(Value::as_u64);
        entry.get("logprob").and_then(Value::as_f64).filter(|_| id == Some(u64::from(token))).map(|value| value as f32)
    };
    Ok(listed.iter().zip(tokens).map(own).collect())
}

/// The log-probability of a token among all that may come next.
fn candidate(prefix: &[u32], token: u32, cached: bool, post: Post<'_>) -> Result<f32, CaptureError> {
    let mut body = body(prefix, 1, CANDIDATES, cached);
    body["grammar"] = json!(ANY_TEXT);
    let answer = post(PATH, &body)?;
    let listed = answer.pointer("/completion_probabilities/0/top_logprobs").and_then(Value::as_array);
    let listed = listed.ok_or_else(|| missing("`completion_probabilities`"))?;
    let own = |entry: &&Value| entry.get("id").and_then(Value::as_u64) == Some(u64::from(token));
    let value = listed.iter().find(own).and_then(|entry| entry.get("logprob")).and_then(Value::as_f64);
    value.map(|value| value as f32).ok_or_else(|| missing("prompt's own token among the candidates"))
}

fn body(prefix: &[u32], count: usize, candidates: u32, cached: bool) -> Value {
    json!({
        "prompt": prefix, "n_predict": count, "n_probs": candidates, "temperature": -1.0, "samplers": [],
        "post_sampling_probs": false, "cache_prompt": cached,
    })
}
