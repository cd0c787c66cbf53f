//! Why a server's log-probabilities could not be recorded.

use std::time::Duration;

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
    /// A setting is no number that can be used.
    #[error("cannot use {option} `{value}`\nhint: expected {expected}")]
    Setting {
        /// As users write it.
        option: &'static str,
        /// As it was given.
        value: f64,
        /// What it must be.
        expected: &'static str,
    },
    /// The server has no time for any request now: it is still loading, it serves others, or it is not up behind its gateway.
    #[error(
        "the server is busy, status {status}: {message}\nhint: is it still loading, or does it serve others? more --retries \
         or a lower --rate give it time"
    )]
    Busy {
        /// The HTTP status.
        status: u16,
        /// The beginning of its words.
        message: String,
        /// How long it asks to be left alone.
        after: Option<Duration>,
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
            Self::Connection { .. } | Self::Busy { .. } => true,
            // What llama.cpp says of a grammar it will say again; 501 means that the server cannot do it at all.
            Self::Refused { status, message } => *status >= 500 && *status != 501 && !message.contains("grammar"),
            _ => false,
        }
    }

    /// Whether it says nothing about the request: any other one would have met it too.
    pub(super) fn is_of_any_request(&self) -> bool {
        matches!(self, Self::Connection { .. } | Self::Busy { .. })
    }

    /// How long to wait before the request is sent again: as long as the server asks, but at least `wait` and at most `longest`.
    pub(super) fn pause(&self, wait: Duration, longest: Duration) -> Duration {
        let asked = if let Self::Busy { after: Some(after), .. } = self { *after } else { Duration::ZERO };
        asked.max(wait).min(longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_asks_for_time_gets_it_up_to_a_limit() {
        let busy = |after: Option<u64>| CaptureError::Busy {
            status: 429,
            message: String::new(),
            after: after.map(Duration::from_secs),
        };
        let pause = |error: CaptureError| error.pause(Duration::from_secs(2), Duration::from_secs(60)).as_secs();
        assert_eq!([None, Some(0), Some(7), Some(3_600)].map(|after| pause(busy(after))), [2, 2, 7, 60]);
        assert_eq!(pause(CaptureError::Refused { status: 500, message: String::new() }), 2);
    }

    #[test]
    fn what_a_server_will_say_again_does_not_pass() {
        let refused = |status: u16, message: &str| CaptureError::Refused { status, message: message.to_owned() };
        let passes = |status: u16, message: &str| refused(status, message).may_pass();
        assert!(passes(500, "out of memory") && !passes(500, "bad grammar"));
        assert!(!passes(400, "too long") && !passes(404, "") && !passes(501, ""));
    }
}
