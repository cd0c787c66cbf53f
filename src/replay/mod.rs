//! The only place that knows libtorch: checkpoints, the decoder, attention, the cache, training and the clock.
//!
//! Tensors carry a suffix with their axes: b batch, t query time, s key time, h heads, g key-value heads, d head
//! width, m model width, v vocabulary; so `q_bhtd` is `[batch, heads, time, head_dim]`.
//!
//! # Memory
//! Nothing of length x length or length x vocabulary is ever whole. Beside the weights, a forward over `t` tokens holds
//! a few activations of `t x m` and `t x feed_forward`; attention is fused, or masked in blocks of queries; the loss
//! and the attention statistics work in blocks of [`BLOCK_ELEMENTS`] elements.

mod alone;
mod attention;
mod burden;
mod cache;
mod checkpoint;
mod decoder;
mod device;
mod engine;
mod fleet;
mod formats;
mod kernel;
mod loss;
mod oracle;
mod parts;
mod positions;
mod readback;
mod rotation;
mod sensitivity;
mod serve;
mod statistics;
mod stopwatch;
mod subject;
mod tables;
pub mod training;
mod view;

pub use alone::Alone;
pub use cache::Cache;
pub use checkpoint::Checkpoint;
pub use device::{device_name, device_named, prepare_threads, versions};
pub use fleet::Fleet;
pub use kernel::Kernel;
pub use oracle::Examined;
pub use subject::{Phase, Replay};

/// Elements of the largest temporary in blockwise work: 8 Mi elements, 32 MiB in single precision.
pub const BLOCK_ELEMENTS: usize = 8 * 1024 * 1024;

/// Why a checkpoint could not be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The configuration does not fit.
    #[error(transparent)]
    Config(#[from] crate::checkpoint::CheckpointError),
    /// A positional method does not fit.
    #[error(transparent)]
    Method(#[from] crate::positions::MethodError),
    /// A method or a fault does not fit.
    #[error(transparent)]
    Fault(#[from] crate::faults::FaultError),
    /// A tensor that the architecture needs is not in the files.
    #[error("tensor `{name}` is missing in `{file}`\nhint: the checkpoint is incomplete, or of another architecture")]
    MissingTensor {
        /// Its name.
        name: String,
        /// Where it was looked for.
        file: String,
    },
    /// A tensor has another shape than the configuration says.
    #[error("tensor `{name}` has shape {found:?}, `config.json` says {expected:?}")]
    Shape {
        /// Its name.
        name: String,
        /// In the file.
        found: Vec<i64>,
        /// By the configuration.
        expected: Vec<i64>,
    },
    /// A tensor has a type that holds no weights.
    #[error("tensor `{name}` has type {found}, expected float32, bfloat16 or float16")]
    Kind {
        /// Its name.
        name: String,
        /// In the file.
        found: String,
    },
    /// A token is not in the vocabulary.
    #[error("token {token} is outside of the vocabulary of {vocabulary}\nhint: is this the checkpoint's tokenizer?")]
    Token {
        /// The token.
        token: u32,
        /// Size of the vocabulary.
        vocabulary: usize,
    },
    /// The device is not there.
    #[error("device `{name}` cannot be used: {reason}")]
    Device {
        /// As the user named it.
        name: String,
        /// Why not.
        reason: String,
    },
    /// A file could not be read or written.
    #[error("cannot {action} `{path}`: {reason}")]
    File {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: String,
        /// The system's reason.
        reason: String,
    },
    /// The request makes no sense.
    #[error("{0}")]
    Request(String),
    /// libtorch failed.
    #[error("{}", first_line(.0))]
    Torch(#[from] tch::TchError),
}

/// libtorch appends a C++ stack to its messages; people need the first line.
fn first_line(error: &tch::TchError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

impl From<ReplayError> for crate::subject::SubjectError {
    fn from(error: ReplayError) -> Self {
        let message = error.to_string();
        let lower = message.to_lowercase();
        if lower.contains("out of memory")
            || lower.contains("can't allocate memory")
            || lower.contains("not enough memory")
        {
            Self::OutOfMemory(message)
        } else {
            Self::Engine(message)
        }
    }
}
