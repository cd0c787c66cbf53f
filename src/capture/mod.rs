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

pub use dialect::Dialect;
pub use error::CaptureError;
pub use http::Endpoint;
pub use prompts::{Sent, plan};
pub use snippet::{Engine, snippet};

use crate::observed::Observation;
use crate::units::Seconds;

/// How a server is asked.
#[derive(Clone, Debug)]
pub struct Manner {
    /// The model's name in requests; absent: the first that the server lists.
    pub model: Option<String>,
    /// How long one answer may take.
    pub timeout: Seconds,
    /// How often a request is sent again after a failure that may pass.
    pub retries: usize,
    /// At most so many requests a second; absent: one after the other without a pause.
    pub rate: Option<f64>,
    /// The precision of the computation, as the user knows it.
    pub dtype: Option<String>,
}

/// A server under questioning.
pub struct Server<'a> {
    endpoint: &'a Endpoint,
    manner: &'a Manner,
    model: String,
    dialect: Dialect,
    last: Option<Instant>,
}

impl<'a> Server<'a> {
    /// Finds out the model's name and how the server gives log-probabilities of prompts.
    ///
    /// # Errors
    /// [`CaptureError`] where the server does not answer, or gives none.
    pub fn meet(endpoint: &'a Endpoint, manner: &'a Manner, probe: &[u32]) -> Result<Self, CaptureError> {
        let timeout = Duration::from_secs_f64(manner.timeout.0);
        let model = match &manner.model {
            Some(name) => name.clone(),
            None => match http::get(endpoint, "/v1/models", timeout) {
                Ok(listed) => dialect::first_model(&listed),
                Err(error @ CaptureError::Connection { .. }) => return Err(error),
                // Servers of a single model need no name.
                Err(_) => None,
            }
            .unwrap_or_else(|| "default".to_owned()),
        };
        let mut server = Self { endpoint, manner, model, dialect: Dialect::Vllm, last: None };
        let mut refusals = Vec::new();
        for dialect in Dialect::ALL {
            server.dialect = dialect;
            match server.ask(&[probe]) {
                Ok(_) => return Ok(server),
                Err(error @ CaptureError::Connection { .. }) => return Err(error),
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

    /// Sends prompts in their order and records the answers; a prompt that the server refuses is told to `note`.
    ///
    /// # Errors
    /// [`CaptureError`] where the server stops answering, or refuses every prompt.
    pub fn record(&mut self, sent: &[Sent], mut note: impl FnMut(&str)) -> Result<Vec<Observation>, CaptureError> {
        let mut recorded = Vec::new();
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
                Err(error @ CaptureError::Refused { .. }) => {
                    let longest = prompts.iter().map(|prompt| prompt.len()).max().unwrap_or_default();
                    note(&format!("a prompt of {longest} tokens is left out: {error}"));
                }
                Err(error) => return Err(error),
            }
        }
        if recorded.is_empty() { Err(CaptureError::NothingRecorded) } else { Ok(recorded) }
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

    /// One request, sent again where the failure may pass.
    fn ask(&mut self, prompts: &[&[u32]]) -> Result<Vec<Vec<Option<f32>>>, CaptureError> {
        let timeout = Duration::from_secs_f64(self.manner.timeout.0);
        let (dialect, model, endpoint) = (self.dialect, self.model.clone(), self.endpoint);
        let retries = self.manner.retries;
        let mut post = |path: &str, body: &serde_json::Value| -> Result<serde_json::Value, CaptureError> {
            let mut wait = Duration::from_millis(250);
            let mut tried = 0;
            loop {
                self.keep_pace();
                match http::post(endpoint, path, body, timeout) {
                    Err(error) if error.may_pass() && tried < retries => {
                        thread::sleep(wait);
                        wait *= 2;
                        tried += 1;
                    }
                    answer => return answer,
                }
            }
        };
        dialect.ask(&model, prompts, &mut post)
    }

    /// Waits until the next request may be sent.
    fn keep_pace(&mut self) {
        if let (Some(rate), Some(last)) = (self.manner.rate.filter(|rate| *rate > 0.0), self.last) {
            thread::sleep(Duration::from_secs_f64(1.0 / rate).saturating_sub(last.elapsed()));
        }
        self.last = Some(Instant::now());
    }
}
