//! Why a server's log-probabilities could not be recorded.

/// Why a server's log-probabilities could not be recorded.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The address is none that can be asked.
    #[error(
        "cannot use the endpoint `{url}`: {reason}\nhint: expected http://HOST:PORT; for https \
             let a tunnel speak it, as `ssh -L 8000:localhost:8000 HOST` or `socat TCP-LISTEN:8000,fork OPENSSL:HOST:443`, and ask \
             http://localhost:8000"
    )]
    Endpoint {
        /// As it was given.
        url: String,
        /// Why not.
        reason: String,
    },
    /// The server cannot be reached, or stopped answering.
    #[error("no answer from {address}: {reason}\nhint: is the server up? a longer --timeout gives it more time")]
    Connection {
        /// Host and port.
        address: String,
        /// The system's reason.
        reason: String,
    },
    /// The server answered with an error.
    #[error("the server refused with status {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The beginning of its words.
        message: String,
    },
    /// The answer is not what the dialect says.
    #[error("the answer has no {what}")]
    Answer {
        /// What is missing.
        what: String,
    },
    /// The server gives no log-probabilities of prompts in any known way.
    #[error(
        "the server gives no log-probabilities of a prompt's tokens ({refusals})\nhint: vLLM gives them by `prompt_logprobs`, \
         llama.cpp by `n_probs`, others by `echo` with `logprobs`; without any, `gyro capture --snippet` prints a script that \
         makes the file without a server"
    )]
    NoLogprobs {
        /// What each way of asking met.
        refusals: String,
    },
    /// Every prompt was refused.
    #[error("the server refused every prompt\nhint: is this the server of the checkpoint's model?")]
    NothingRecorded,
}

impl CaptureError {
    /// Whether the same request may succeed later: a busy server, a broken connection.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Connection { .. } => true,
            // What llama.cpp says of a grammar it will say again.
            Self::Refused { status, message } => *status == 429 || *status >= 500 && !message.contains("grammar"),
            _ => false,
        }
    }
}
