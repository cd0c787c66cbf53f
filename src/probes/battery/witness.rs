//! A witness: requests to a fresh process, and the answers that are read.

use crate::subject::{Padding, Request, Route, Row, Subject, SubjectError};

/// What has to be present for a fault to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// Nothing: a request by itself, in one forward.
    Plain,
    /// The cache.
    Cache,
    /// Another row in the batch.
    Batch,
    /// Another request before it.
    Order,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 4] = [Self::Plain, Self::Cache, Self::Batch, Self::Order];

    /// The family of the witness of that name: its check's.
    #[must_use]
    pub fn of(witness: &str) -> Self {
        match witness.split('_').next() {
            Some("cached" | "chunked") => Self::Cache,
            Some("batch") => Self::Batch,
            Some("order") => Self::Order,
            _ => Self::Plain,
        }
    }
}

/// The tokens that witnesses are cut from.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// At least [`Text::needed`] tokens of real text.
    pub tokens: &'a [u32],
    /// The trained length.
    pub trained: usize,
    /// The length to serve.
    pub target: usize,
}

/// Tokens in a short request.
pub(super) const SHORT: usize = 96;

/// Tokens beyond the trained length in the longest requests.
pub(super) const BEYOND: usize = 192;

impl Text<'_> {
    /// How many tokens the witnesses need at a trained length: a request that crosses it, and another text beside it.
    #[must_use]
    pub fn needed(trained: usize) -> usize {
        trained + BEYOND + 2 * SHORT
    }

    pub(super) fn first(&self, count: usize) -> &[u32] {
        self.tokens.get(..count).unwrap_or(self.tokens)
    }

    /// Tokens that no short request begins with.
    pub(super) fn others(&self, count: usize) -> &[u32] {
        let from = (2 * SHORT).min(self.tokens.len());
        self.tokens.get(from..from + count).or_else(|| self.tokens.get(from..)).unwrap_or_default()
    }
}

/// Requests to a fresh process, and which of its answers are read.
#[derive(Clone, Debug, PartialEq)]
pub struct Witness {
    /// The name in rows.
    pub name: &'static str,
    /// What is served, in this order, to a fresh process.
    pub served: Vec<Request>,
    /// The answers that are read: request and row.
    pub read: Vec<(usize, usize)>,
    /// For each answer that is read, a request whose only row a healthy engine answers alike; empty where there is none.
    pub alike: Vec<Request>,
}

impl Witness {
    /// A witness of one request, whose first row is read.
    pub(super) fn of(name: &'static str, request: Request) -> Self {
        Self { name, served: vec![request], read: vec![(0, 0)], alike: Vec::new() }
    }

    /// What a fault needs to show here.
    #[must_use]
    pub fn family(&self) -> Family {
        Family::of(self.name)
    }

    /// The same witness with an equivalent request for each answer.
    pub(super) fn alike(self, alike: Vec<Request>) -> Self {
        Self { alike, ..self }
    }

    /// How many tokens go through the model to serve it; a decoded token counts as several, for it is a forward of its own.
    #[must_use]
    pub fn cost(&self) -> usize {
        self.served.iter().map(cost).sum()
    }
}

/// One forward costs about as much as this many tokens of a longer one.
const FORWARD: usize = 24;

fn cost(request: &Request) -> usize {
    let longest = request.rows.iter().map(|row| row.tokens.len()).max().unwrap_or(0);
    let forwards = match request.route {
        Route::OneShot => 1,
        Route::Chunked(chunk) => longest.div_ceil(chunk.max(1)),
        Route::Decode { prompt } => 1 + longest.saturating_sub(prompt),
    };
    longest * request.rows.len() + FORWARD * forwards
}

/// Rows of unequal length in one batch.
pub(super) fn together(rows: &[&[u32]], padding: Padding) -> Request {
    let rows = rows.iter().map(|tokens| Row { tokens: tokens.to_vec(), first_position: 0 }).collect();
    Request { rows, route: Route::OneShot, padding }
}

/// The log-probabilities of one row, nats.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The position of the query of the first of them.
    pub first: usize,
    /// One for each query.
    pub log_probability: Vec<f32>,
}

/// What a subject answered to a witness.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers {
    /// The answers that are read.
    pub read: Vec<Answer>,
    /// The answers to the equivalent requests.
    pub alike: Vec<Answer>,
}

/// Everything that a subject answered over one text, by witness; absent where it refused the request.
pub type Record = Vec<(Witness, Option<Answers>)>;

/// Witnesses of at most so many tokens are cheap.
pub const CHEAP: usize = 600;

/// Records a subject's answers to every witness, and to the equivalent requests of the cheap ones; [`add_alike`] asks the
/// others. A refusal (learned vectors end, say) is kept as an absence.
///
/// # Errors
/// [`SubjectError::OutOfMemory`] alone: nothing can be said of what does not fit.
pub fn record(subject: &mut dyn Subject, witnesses: &[Witness]) -> Result<Record, SubjectError> {
    witnesses
        .iter()
        .map(|witness| match record_one(subject, witness, witness.cost() <= CHEAP) {
            Ok(answers) => Ok((witness.clone(), Some(answers))),
            Err(SubjectError::Engine(_)) => Ok((witness.clone(), None)),
            Err(error) => Err(error),
        })
        .collect()
}

/// Records a subject's answers to one witness, with or without the equivalent requests.
///
/// # Errors
/// [`SubjectError`] when the subject refuses or fails.
pub fn record_one(subject: &mut dyn Subject, witness: &Witness, alike: bool) -> Result<Answers, SubjectError> {
    subject.restart();
    let mut replies = Vec::with_capacity(witness.served.len());
    for request in &witness.served {
        replies.push(subject.serve(request)?);
    }
    let mut answers = Answers::default();
    for (request, row) in &witness.read {
        let scores = replies.get(*request).and_then(|rows| rows.get(*row)).cloned().unwrap_or_default();
        let first = witness.served.get(*request).and_then(|request| request.rows.get(*row));
        let first = first.map_or(0, |row| row.first_position);
        answers.read.push(Answer { first, log_probability: scores.log_probability });
    }
    if alike {
        ask_alike(subject, witness, &mut answers)?;
    }
    Ok(answers)
}

/// Asks the equivalent requests that a record lacks.
///
/// # Errors
/// [`SubjectError`] when the subject fails.
pub fn add_alike(subject: &mut dyn Subject, record: &mut Record) -> Result<(), SubjectError> {
    for (witness, answers) in record {
        if let Some(answers) = answers.as_mut().filter(|answers| answers.alike.is_empty()) {
            ask_alike(subject, witness, answers)?;
        }
    }
    Ok(())
}

fn ask_alike(subject: &mut dyn Subject, witness: &Witness, answers: &mut Answers) -> Result<(), SubjectError> {
    for (request, answer) in witness.alike.iter().zip(&answers.read) {
        subject.restart();
        let scores = subject.serve(request)?.into_iter().next().unwrap_or_default();
        answers.alike.push(Answer { first: answer.first, log_probability: scores.log_probability });
    }
    Ok(())
}
