//! How an engine executes a mechanism: plain data, healthy by default, that the replay honours.
//!
//! Faults edit it, so several of them compose. Positions here are those of a row's tokens, from 0; a *slot* is a place in
//! the batch, padding included.

use crate::positions::Pairing;

/// How an engine executes a mechanism.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Execution {
    /// The table of cosines and sines, or of added vectors.
    pub table: Table,
    /// The formats in which intermediate numbers are held.
    pub formats: Formats,
    /// How queries are rotated.
    pub queries: Hand,
    /// How keys are rotated.
    pub keys: Hand,
    /// What scores are multiplied by.
    pub temperature: Temperature,
    /// Which numbers positions get.
    pub offsets: Offsets,
    /// The length that a method which follows it goes by.
    pub length: Length,
    /// What becomes of keys and values between steps and requests.
    pub cache: Caching,
    /// How rows of unequal length share a batch.
    pub padding: Padding,
    /// How a bias reaches the scores.
    pub bias: Biasing,
    /// Which keys a query sees.
    pub mask: Mask,
    /// Whether the first token of every request is replaced by token 0.
    pub first_token_lost: bool,
    /// Work that changes no result.
    pub burden: Burden,
}

impl Execution {
    /// Whether nothing is done otherwise than a healthy engine does it.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        *self == Self::default()
    }
}

/// The precomputed rows, one a position.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// How many rows there are; absent: as many as are needed.
    pub rows: Option<usize>,
    /// What happens at positions without a row.
    pub beyond: Beyond,
    /// Rows before this one are those of the unscaled model.
    pub scaled_from: usize,
}

/// What a table answers beyond its last row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Beyond {
    /// The last row.
    #[default]
    Clamp,
    /// The row of the position modulo the number of rows.
    Wrap,
    /// No rotation: cosine 1, sine 0.
    Unrotated,
    /// Zeros: cosine and sine 0.
    Zeros,
    /// The whole table is made again, without the scaling, and stays so.
    RegrowUnscaled,
}

/// A format that numbers are rounded to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// As precise as the healthy engine.
    #[default]
    Exact,
    /// IEEE single precision.
    Single,
    /// IEEE half precision.
    Half,
    /// bfloat16.
    Brain,
    /// Signed integers of so many bits, one scale for each head and token.
    Integers(u8),
}

/// The formats in which intermediate numbers are held.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Formats {
    /// Inverse frequencies.
    pub frequencies: Format,
    /// Position numbers.
    pub positions: Format,
    /// Products of the two.
    pub phases: Format,
    /// Cosines and sines.
    pub table: Format,
    /// Values of a bias.
    pub bias: Format,
    /// Cached keys and values.
    pub cached: Format,
}

/// How one of queries and keys is rotated.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fault of its own, and any may go with any other")]
pub struct Hand {
    /// Which dimensions rotate together; absent: those of the weights.
    pub pairing: Option<Pairing>,
    /// The projections' rows were put into the order of that pairing when they were loaded.
    pub permuted: bool,
    /// The second number of each pair is left as it was.
    pub half: bool,
    /// The angle is negated.
    pub backwards: bool,
    /// The rotation leaves the attention factor out.
    pub without_factor: bool,
}

/// What scores are multiplied by, beside `1 / sqrt(head_dim)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Temperature {
    /// A number; 1 is healthy.
    pub scale: f64,
    /// The rotation has no attention factor, and its square is here instead.
    pub holds_factor: bool,
}

impl Default for Temperature {
    fn default() -> Self {
        Self { scale: 1.0, holds_factor: false }
    }
}

/// Which numbers positions get.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Offsets {
    /// Added to every position.
    pub all: usize,
    /// Added to positions of decoded tokens.
    pub decode: usize,
    /// Decoded tokens all stand at position 0.
    pub decode_ignored: bool,
    /// How the place of a chunk behind the first enters.
    pub chunks: Chunks,
}

/// How the place of a chunk, or of decoded tokens, enters their positions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Chunks {
    /// Once.
    #[default]
    Once,
    /// Twice.
    Twice,
    /// Not at all.
    Ignored,
}

/// The length that a method which follows it goes by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Length {
    /// The row's own, up to now.
    #[default]
    Current,
    /// The longest since the engine was started.
    LongestEver,
    /// That of the longest row in the batch.
    LongestRow,
    /// The trained length, always.
    Trained,
    /// One token more than there are.
    OneMore,
}

/// What becomes of keys and values between steps and requests.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Caching {
    /// What a rotation that changes with the length does to keys that are cached.
    pub keys: CachedKeys,
    /// So many of the last tokens of the request before stay visible.
    pub left_over: usize,
    /// While cached, the first so many tokens are no longer seen by tokens from a position on.
    pub evicted: Option<Evicted>,
}

/// Which tokens are evicted, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evicted {
    /// The first so many tokens.
    pub count: usize,
    /// Tokens at this position and later no longer see them.
    pub from: usize,
}

/// What a rotation that changes with the length does to cached keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CachedKeys {
    /// All keys rotate as the present length says.
    #[default]
    Current,
    /// Keys keep the rotation that they came in with, as in transformers.
    AsTheyCame,
    /// All keys are cached unrotated and rotated whenever they are read, whatever the method.
    RotatedOnRead,
}

/// How rows of unequal length share a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Padding {
    /// Decoded tokens count padding as positions.
    pub counts_in_decode: bool,
    /// Padding is seen by the tokens behind it.
    pub is_seen: bool,
}

/// How a bias reaches the scores.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Biasing {
    /// It is missing where several tokens are read at once.
    pub missing_in_prompts: bool,
    /// It is missing behind a cache.
    pub missing_behind_cache: bool,
    /// It is computed as slope times the key's position, which differs by a constant for each query.
    pub by_key: bool,
    /// Head `h` gets the bias of head `h +` this.
    pub heads_moved: usize,
}

/// Which keys a query sees.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mask {
    /// At most so many keys, its own included.
    pub window: Option<usize>,
    /// A query does not see its own key, nor this many before it minus one; 0 is healthy.
    pub hidden_near: usize,
}

/// Work that changes no result; every entry is done once a step unless it says otherwise.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fault of its own, and any may go with any other")]
pub struct Burden {
    /// All scores of a layer are made in full before the softmax.
    pub dense_scores: bool,
    /// A table of so many rows is made.
    pub table_rows: usize,
    /// It is made in every layer.
    pub table_in_every_layer: bool,
    /// The table is made again, with one row more, from this position on.
    pub regrown_from: Option<usize>,
    /// Rows are gathered from the whole table by position numbers in every layer.
    pub gathered_rows: usize,
    /// Every layer waits so many microseconds for the host.
    pub stall: u64,
    /// All cached keys are rotated again in every layer.
    pub rotates_cache: bool,
    /// All cached keys and values are copied in every layer.
    pub copies_cache: bool,
    /// All cached keys and values are turned from integers into reals in every layer.
    pub dequantises_cache: bool,
}
