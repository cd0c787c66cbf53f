//! The ways in which servers give the log-probabilities of a prompt's own tokens.

use serde_json::{Value, json};

use super::{CaptureError, llama_cpp};
use crate::observed::Phase;

/// A way to ask for the log-probabilities of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// vLLM's `prompt_logprobs`.
    Vllm,
    /// `echo` with `logprobs` and nothing generated, as OpenAI's completions had it.
    Echo,
    /// llama.cpp's `/completion` with `n_probs`, made to generate the prompt.
    LlamaCpp,
}

/// Log-probabilities of one prompt, null for its first token.
pub(super) type Logprobs = Vec<Option<f32>>;
/// Sends a body to a path.
pub(super) type Post<'a> = &'a mut dyn FnMut(&str, &Value) -> Result<Value, CaptureError>;

impl Dialect {
    /// All, the cheapest first.
    pub const ALL: [Self; 3] = [Self::Vllm, Self::Echo, Self::LlamaCpp];

    /// For people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Vllm => "prompt_logprobs",
            Self::Echo => "echo",
            Self::LlamaCpp => "n_probs",
        }
    }

    /// How the tokens of a prompt go through the engine.
    #[must_use]
    pub fn phase(self, prompt: &[u32]) -> Phase {
        match self {
            Self::Vllm | Self::Echo => Phase::Prefill,
            Self::LlamaCpp => llama_cpp::phase(prompt),
        }
    }

    /// Whether one request may hold several prompts.
    #[must_use]
    pub fn takes_batches(self) -> bool {
        self != Self::LlamaCpp
    }

    /// Asks for prompts, one answer each.
    pub(super) fn ask(self, model: &str, prompts: &[&[u32]], post: Post<'_>) -> Result<Vec<Logprobs>, CaptureError> {
        match self {
            Self::Vllm => {
                let body = json!({
                    "model": model, "prompt": together(prompts), "max_tokens": 1, "temperature": 0.0, "prompt_logprobs": 0,
                });
                choices(&post("/v1/completions", &body)?, prompts, of_prompt)
            }
            Self::Echo => {
                let body = json!({
                    "model": model, "prompt": together(prompts), "max_tokens": 1, "temperature": 0.0, "echo": true,
                    "logprobs": 1,
                });
                choices(&post("/v1/completions", &body)?, prompts, of_echo)
            }
            Self::LlamaCpp => prompts.iter().map(|prompt| llama_cpp::ask(prompt, post)).collect(),
        }
    }
}

/// The name of the first model that a server lists.
pub(super) fn first_model(listed: &Value) -> Option<String> {
    listed.pointer("/data/0/id")?.as_str().map(str::to_owned)
}

/// One prompt as it is, several as a list.
fn together(prompts: &[&[u32]]) -> Value {
    if let [one] = prompts { json!(one) } else { json!(prompts) }
}

pub(super) fn missing(what: &str) -> CaptureError {
    CaptureError::Answer { what: what.to_owned() }
}

fn choices(
    answer: &Value,
    prompts: &[&[u32]],
    read: fn(&Value, &[u32]) -> Result<Logprobs, CaptureError>,
) -> Result<Vec<Logprobs>, CaptureError> {
    let choices = answer.get("choices").and_then(Value::as_array).ok_or_else(|| missing("`choices`"))?;
    prompts
        .iter()
        .enumerate()
        .map(|(index, prompt)| {
            // Servers may answer in any order; each choice says whose it is.
            let own = |choice: &&Value| choice.get("index").and_then(Value::as_u64) == Some(index as u64);
            let choice = choices.iter().find(own).or_else(|| choices.get(index));
            read(choice.ok_or_else(|| missing("choice for each prompt"))?, prompt)
        })
        .collect()
}

/// vLLM: for each token a map from token to its log-probability, the prompt's own among them; null for the first.
fn of_prompt(choice: &Value, prompt: &[u32]) -> Result<Logprobs, CaptureError> {
    let listed = choice.get("prompt_logprobs").and_then(Value::as_array);
    let listed = listed.ok_or_else(|| missing("`prompt_logprobs`"))?;
    if listed.len() != prompt.len() {
        return Err(missing("`prompt_logprobs` for every token"));
    }
    let own = |(at, entry): (usize, &Value)| -> Result<Option<f32>, CaptureError> {
        if at == 0 {
            return Ok(None);
        }
        let value = entry.get(prompt[at].to_string()).ok_or_else(|| missing("prompt's own token"))?;
        let value = value.get("logprob").unwrap_or(value).as_f64();
        value.map(|value| Some(value as f32)).ok_or_else(|| missing("number as a log-probability"))
    };
    listed.iter().enumerate().map(own).collect()
}

/// OpenAI's completions: the prompt's values come before those of what was generated.
fn of_echo(choice: &Value, prompt: &[u32]) -> Result<Logprobs, CaptureError> {
    let listed = choice.pointer("/logprobs/token_logprobs").and_then(Value::as_array);
    let listed = listed.ok_or_else(|| missing("`logprobs.token_logprobs`"))?;
    if listed.len() < prompt.len() || listed.len() > prompt.len() + 1 {
        return Err(missing("value for each token of the prompt; does the server add a token to it?"));
    }
    let own = |(at, value): (usize, &Value)| match (at, value.as_f64()) {
        (0, _) => Ok(None),
        (_, Some(value)) => Ok(Some(value as f32)),
        (_, None) => Err(missing("number as a log-probability")),
    };
    listed.iter().take(prompt.len()).enumerate().map(own).collect()
}
