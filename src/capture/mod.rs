//! Capture: prompts are sent to a server that speaks the OpenAI completions API, and its log-probabilities of the prompts'
//! own tokens are recorded as observed outputs.

mod dialect;
mod error;
mod http;
mod llama_cpp;
mod prompts;
mod snippet;

use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

pub use dialect::Dialect;
pub use error::CaptureError;
pub use http::Endpoint;
pub use prompts::{Sent, plan};
pub use snippet::{Engine, snippet};

use crate::observed::Observation;
use crate::units::Seconds;

/// The longest that one answer may take, and the longest from one request to the next that anybody means.
const DAY: Duration = Duration::from_secs(86_400);
/// The pause before a request is sent again the first time; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// No pause before a request is sent again is longer, whatever the server asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How a server is asked.
#[derive(Clone, Debug)]
pub struct Manner {
    /// The model's name in requests; absent: the first that the server lists.
    pub model: Option<String>,
    /// How long one answer may take, from the connection to its last byte; more than a day counts as a day.
    pub timeout: Seconds,
    /// How often a request is sent again after a failure that may pass.
    pub retries: usize,
    /// At most so many requests a second; absent: one after the other without a pause.
    pub rate: Option<f64>,
    /// The precision of the computation, as the user knows it.
    pub dtype: Option<String>,
}

impl Manner {
    /// How long one answer may take.
    fn patience(&self) -> Result<Duration, CaptureError> {
        // Not a number stays none in `clamp`, and is refused below.
        match Duration::try_from_secs_f64(self.timeout.0.clamp(0.0, DAY.as_secs_f64())) {
            Ok(patience) if !patience.is_zero() => Ok(patience),
            _ => Err(CaptureError::Setting {
                option: "--timeout",
                value: self.timeout.0,
                expected: "a number of seconds above 0",
            }),
        }
    }

    /// The time from one request to the next.
    fn spacing(&self) -> Result<Duration, CaptureError> {
        let Some(rate) = self.rate else { return Ok(Duration::ZERO) };
        match Duration::try_from_secs_f64(1.0 / rate) {
            Ok(spacing) if spacing <= DAY => Ok(spacing),
            _ => Err(CaptureError::Setting {
                option: "--rate",
                value: rate,
                expected: "a number of requests a second, at least one a day (0.0000116)",
            }),
        }
    }
}

/// A server under questioning.
pub struct Server<'a> {
    endpoint: &'a Endpoint,
    manner: &'a Manner,
    patience: Duration,
    spacing: Duration,
    model: String,
    dialect: Dialect,
    last: Option<Instant>,
}

impl<'a> Server<'a> {
    /// Finds out the model's name and how the server gives log-probabilities of prompts.
    ///
    /// # Errors
    /// [`CaptureError`] where the server does not answer or stays busy beyond the retries, where it gives none, and where the
    /// manner's numbers cannot be used.
    pub fn meet(endpoint: &'a Endpoint, manner: &'a Manner, probe: &[u32]) -> Result<Self, CaptureError> {
        let (patience, spacing) = (manner.patience()?, manner.spacing()?);
        let model = manner.model.clone().unwrap_or_default();
        let mut server = Self { endpoint, manner, patience, spacing, model, dialect: Dialect::Vllm, last: None };
        if manner.model.is_none() {
            let listed = match server.again(|| http::get(endpoint, "/v1/models", patience)) {
                Ok(listed) => dialect::first_model(&listed),
                // A name that is only guessed would make a server of several models refuse everything that follows.
                Err(error) if error.may_pass() => return Err(error),
                // Servers of a single model need no name.
                Err(_) => None,
            };
            server.model = listed.unwrap_or_else(|| "default".to_owned());
        }
        let mut refusals = Vec::new();
        for dialect in Dialect::ALL {
            server.dialect = dialect;
            match server.ask(&[probe]) {
                Ok(_) => return Ok(server),
                Err(error) if error.is_of_any_request() => return Err(error),
                // An error of the server's own (500) may come of a way of asking that it does not know.
                Err(error) => refusals.push(format!("{}: {error}", dialect.name())),
            }
        }
        Err(CaptureError::NoLogprobs { refusals: refusals.join("; ") })
    }

    /// How the server gives log-probabilities.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Sends prompts in their order and adds the answers to `recorded`; a prompt that the server refuses is told to `note`.
    ///
    /// # Errors
    /// [`CaptureError`] where the server stops answering, stays busy or broken beyond the retries, or refuses every prompt;
    /// what came before stays in `recorded`.
    pub fn record(
        &mut self,
        sent: &[Sent],
        recorded: &mut Vec<Observation>,
        mut note: impl FnMut(&str),
    ) -> Result<(), CaptureError> {
        let before = recorded.len();
        for (number, sent) in sent.iter().enumerate() {
            if sent.prompts.len() > 1 && !self.dialect.takes_batches() {
                note(&format!(
                    "{} takes no batches: one of {} prompts is left out",
                    self.dialect.name(),
                    sent.prompts.len()
                ));
                continue;
            }
            let prompts: Vec<&[u32]> = sent.prompts.iter().map(Vec::as_slice).collect();
            match self.ask(&prompts) {
                Ok(answers) => {
                    let rows = sent.prompts.iter().zip(answers);
                    recorded.extend(rows.map(|(tokens, logprobs)| self.row(number, tokens, logprobs)));
                }
                // A prompt that was never judged must not look like one that the server does not take.
                Err(error @ CaptureError::Refused { .. }) if !error.may_pass() => {
                    let longest = prompts.iter().map(|prompt| prompt.len()).max().unwrap_or_default();
                    note(&format!("a prompt of {longest} tokens is left out: {error}"));
                }
                Err(error) => return Err(error),
            }
        }
        if recorded.len() == before { Err(CaptureError::NothingRecorded) } else { Ok(()) }
    }

    fn row(&self, batch: usize, tokens: &[u32], logprobs: Vec<Option<f32>>) -> Observation {
        Observation {
            tokens: tokens.to_vec(),
            logprobs,
            phase: Some(self.dialect.phase(tokens)),
            batch: Some(batch as u64),
            dtype: self.manner.dtype.clone(),
        }
    }

    fn ask(&mut self, prompts: &[&[u32]]) -> Result<Vec<Vec<Option<f32>>>, CaptureError> {
        let (dialect, model) = (self.dialect, self.model.clone());
        let (endpoint, patience) = (self.endpoint, self.patience);
        let mut post = |path: &str, body: &Value| -> Result<Value, CaptureError> {
            self.again(|| http::post(endpoint, path, body, patience))
        };
        dialect.ask(&model, prompts, &mut post)
    }

    /// One request, sent again where the failure may pass.
    fn again(&mut self, request: impl Fn() -> Result<Value, CaptureError>) -> Result<Value, CaptureError> {
        let mut pause = FIRST_PAUSE;
        for _ in 0..self.manner.retries {
            self.keep_pace();
            match request() {
                Err(error) if error.may_pass() => thread::sleep(error.pause(pause, LONGEST_PAUSE)),
                answer => return answer,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        self.keep_pace();
        request()
    }

    /// Waits until the next request may be sent.
    fn keep_pace(&mut self) {
        if let Some(last) = self.last {
            thread::sleep(self.spacing.saturating_sub(last.elapsed()));
        }
        self.last = Some(Instant::now());
    }
}
