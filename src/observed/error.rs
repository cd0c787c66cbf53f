//! Why observed outputs cannot be used.

use std::path::PathBuf;

/// Why a file of observed outputs cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ObservedError {
    /// The file cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// No line has a token with another before it.
    #[error("`{path}` holds no log-probability\nhint: record prompts of at least 2 tokens, 8 or more of them")]
    Empty {
        /// The file.
        path: String,
    },
    /// A line cannot be trusted.
    #[error("{path}:{line}: {problem}")]
    Line {
        /// The file.
        path: String,
        /// The line's number, from 1.
        line: usize,
        /// What is wrong with it.
        problem: Problem,
    },
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    /// The last line ends in the middle.
    #[error("the line ends in the middle\nhint: the file was cut off; copy or record it again")]
    CutOff,
    /// It is no JSON, or not that of a request.
    #[error("not a request: {0}\nhint: expected a line such as {{\"tokens\": [1, 523], \"logprobs\": [null, -2.31]}}")]
    NoRequest(String),
    /// It has no tokens.
    #[error("`tokens` is empty\nhint: a request needs at least 2 tokens")]
    NoTokens,
    /// There are more tokens than values, or the other way round.
    #[error(
        "{tokens} tokens but {logprobs} log-probabilities\nhint: `logprobs` has one value a token, null for the first; \
         was the line cut, or the prompt?"
    )]
    Length {
        /// How many tokens.
        tokens: usize,
        /// How many values.
        logprobs: usize,
    },
    /// The first token has a value, which no engine can give.
    #[error(
        "the first token has a log-probability\nhint: `logprobs[i]` belongs to `tokens[i]`, and nothing stands before the \
         first; are the values shifted by one?"
    )]
    Shifted,
    /// A token behind the first has no value.
    #[error("token {at} has no log-probability\nhint: only the first one may be null")]
    Missing {
        /// Its index.
        at: usize,
    },
    /// A value is no number.
    #[error("a log-probability is not a finite number{}\nhint: the engine's output is broken there; leave the request out",
        at.map(|at| format!(" at token {at}")).unwrap_or_default())]
    NotFinite {
        /// Its index, where the line can be read that far.
        at: Option<usize>,
    },
    /// A value is above 0.
    #[error(
        "the log-probability of token {at} is {value}, above 0\nhint: natural logarithms of probabilities are needed"
    )]
    Positive {
        /// Its index.
        at: usize,
        /// The value.
        value: f32,
    },
    /// A token is not in the vocabulary.
    #[error(
        "token {token} at {at} is outside of the vocabulary of {vocabulary}\nhint: another tokenizer made these tokens, or \
         the engine serves another checkpoint"
    )]
    Foreign {
        /// Its index.
        at: usize,
        /// The token.
        token: u32,
        /// Size of the vocabulary.
        vocabulary: usize,
    },
    /// A batch goes on after another one has begun.
    #[error(
        "batch {batch} goes on after another has begun\nhint: the file was reordered; its lines must stand as the engine \
         served them"
    )]
    Reordered {
        /// The batch's number.
        batch: u64,
    },
}
