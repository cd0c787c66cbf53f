//! `config.json`, checked: the shape of a decoder that the replay can run, and the rotation that the file declares.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use super::CheckpointError;
use super::keys::Keys;
use super::rotary::Rotary;
use crate::positions::{AnyMethod, HeadShape, Method, Pairing, Rope, Scheme};
use crate::units::{Stretch, Tokens};

/// The shape of a decoder of the Llama family; counts are at least 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Architecture {
    /// Tokens in the vocabulary (`vocab_size`).
    pub vocabulary: usize,
    /// Width of the residual stream (`hidden_size`).
    pub width: usize,
    /// Decoder layers (`num_hidden_layers`).
    pub layers: usize,
    /// Query heads per layer (`num_attention_heads`).
    pub heads: usize,
    /// Key-value heads per layer; divides [`Architecture::heads`] (`num_key_value_heads`).
    pub kv_heads: usize,
    /// Width of a head; `heads * head_dim` need not be the stream's width.
    pub head_dim: usize,
    /// Width of the gated feed-forward (`intermediate_size`).
    pub feed_forward: usize,
    /// Added to the mean square in RMSNorm (`rms_norm_eps`).
    pub norm_epsilon: f64,
    /// Whether the output projection is the embedding (`tie_word_embeddings`).
    pub tied_embeddings: bool,
    /// Whether the projections of queries, keys, values and outputs have biases.
    pub attention_bias: bool,
    /// Whether the projections of the feed-forward have biases.
    pub mlp_bias: bool,
    /// The longest context that the file allows for (`max_position_embeddings`).
    pub max_positions: Tokens,
    /// How many keys a query sees, its own included (`sliding_window` of a checkpoint of Gyro's); absent: all before it.
    pub window: Option<usize>,
    /// The token that begins a text (`bos_token_id`); absent where the file says null.
    pub beginning_token: Option<u32>,
}

/// A checkpoint's configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The decoder's shape.
    pub architecture: Architecture,
    /// What positional methods need to know; the trained length is `original_max_position_embeddings` where the file
    /// has it, else `max_position_embeddings`.
    pub heads: HeadShape,
    /// The method and factor that the file itself declares; [`AnyMethod::unscaled`] at 1 where it scales nothing.
    pub declared: (AnyMethod, Stretch),
}

/// A family of checkpoints that share the Llama graph; they differ in defaults alone.
#[derive(Clone, Copy, PartialEq)]
enum Family {
    Llama,
    Mistral,
    /// Llama's graph with any positional mechanism, as `gyro train` writes it.
    Gyro,
}

impl Config {
    /// Reads `config.json` in a checkpoint's folder.
    ///
    /// # Errors
    /// [`CheckpointError`] where the file cannot be read, or says what cannot be replayed.
    pub fn read(dir: &Path) -> Result<Self, CheckpointError> {
        let path = dir.join("config.json");
        let text = fs::read_to_string(&path).map_err(|source| CheckpointError::Read { path: path.clone(), source })?;
        Self::parse_file(&path, &text)
    }

    /// Reads the text of a `config.json`.
    ///
    /// # Errors
    /// [`CheckpointError`] where the text is not JSON, or says what cannot be replayed.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        Self::parse_file(Path::new("config.json"), text)
    }

    /// The configuration of the same weights after a training under a method: another mechanism becomes theirs, a scaling of
    /// their own does not.
    #[must_use]
    pub fn with_native(mut self, method: &AnyMethod) -> Self {
        if ![Scheme::Any, self.heads.native.scheme()].contains(&method.scheme()) {
            self.heads.native = method.clone();
        }
        self
    }

    fn parse_file(path: &Path, text: &str) -> Result<Self, CheckpointError> {
        let map: Map<String, Value> =
            serde_json::from_str(text).map_err(|source| CheckpointError::Json { path: path.to_owned(), source })?;
        let top = Keys::top(path, &map);
        let family = family(top)?;
        refuse_other_graphs(top, family)?;
        let architecture = architecture(top, family)?;
        let rotary = Rotary::read(top, architecture.head_dim, architecture.max_positions.0)?;
        let positions = if family == Family::Gyro { Some(own_positions(top)?) } else { None };
        let native = positions.as_ref().map_or(rotary.native, |(method, _)| native(method));
        let heads = HeadShape {
            heads: architecture.heads,
            width: architecture.width,
            head_dim: architecture.head_dim,
            rotary_dim: rotary.rotary_dim,
            theta: rotary.theta,
            trained: rotary.trained,
            pairing: Pairing::HalfSplit,
            native,
        };
        let (method, factor) = positions.unwrap_or(rotary.declared);
        method
            .mechanism(&heads, factor, heads.trained)
            .map_err(|source| CheckpointError::Method { path: path.to_owned(), source })?;
        Ok(Self { architecture, heads, declared: (method, factor) })
    }
}

fn family(top: Keys<'_>) -> Result<Family, CheckpointError> {
    let supported = "llama (LlamaForCausalLM), mistral (MistralForCausalLM) without a sliding window";
    let by_type = match top.text("model_type")? {
        Some("llama") => Some(Family::Llama),
        Some("mistral") => Some(Family::Mistral),
        Some("gyro") => Some(Family::Gyro),
        Some(other) => return Err(top.unsupported("model_type", other, supported)),
        None => None,
    };
    let Some(written) = top.value("architectures") else {
        return by_type.ok_or_else(|| top.missing("model_type"));
    };
    let names: Vec<&str> = written.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let by_name = match names.as_slice() {
        ["LlamaForCausalLM"] => Family::Llama,
        ["MistralForCausalLM"] => Family::Mistral,
        ["GyroForCausalLM"] => Family::Gyro,
        _ => return Err(top.unsupported("architectures", written, supported)),
    };
    match by_type {
        Some(by_type) if by_type != by_name => Err(top.unsupported("architectures", written, "that of `model_type`")),
        _ => Ok(by_name),
    }
}

/// The method and factor in the keys `positions` and `position_factor` of a checkpoint that Gyro wrote.
pub(super) fn own_positions(top: Keys<'_>) -> Result<(AnyMethod, Stretch), CheckpointError> {
    let written = top.value("positions").ok_or_else(|| top.missing("positions"))?;
    let method = serde_json::from_value(written.clone())
        .map_err(|error| top.unsupported("positions", written, error.to_string()))?;
    Ok((method, Stretch(top.number("position_factor")?.unwrap_or(1.0))))
}

/// The mechanism that a declared method belongs to: RoPE for all of its scalings.
fn native(method: &AnyMethod) -> AnyMethod {
    match method.scheme() {
        Scheme::Rotary | Scheme::Any => AnyMethod::Rope(Rope::default()),
        _ => method.clone(),
    }
}

/// Refuses what would silently change the graph that the replay runs.
fn refuse_other_graphs(top: Keys<'_>, family: Family) -> Result<(), CheckpointError> {
    // Mistral's configuration has a window of 4,096 unless it is written as null.
    if family == Family::Mistral && !top.written("sliding_window").is_some_and(Value::is_null) {
        let found = top.value("sliding_window").map_or_else(|| "4096 (the default)".to_owned(), Value::to_string);
        return Err(top.unsupported("sliding_window", found, "null"));
    }
    if let Some(quantized) = top.value("quantization_config") {
        return Err(top.unsupported("quantization_config", quantized, "weights in f32, bf16 or f16"));
    }
    match top.text("hidden_act")? {
        None | Some("silu" | "swish") => Ok(()),
        Some(other) => Err(top.unsupported("hidden_act", other, "silu")),
    }
}

fn architecture(top: Keys<'_>, family: Family) -> Result<Architecture, CheckpointError> {
    let (width, heads) = (top.required_count("hidden_size")?, top.required_count("num_attention_heads")?);
    let kv_heads = match (top.count("num_key_value_heads")?, family) {
        (Some(count), _) => count,
        (None, Family::Mistral) if top.written("num_key_value_heads").is_none() => 8,
        (None, _) => heads,
    };
    if heads % kv_heads != 0 {
        return Err(top.unsupported("num_key_value_heads", kv_heads, format!("a divisor of the {heads} query heads")));
    }
    let head_dim = head_dim(top, width, heads)?;
    let vocabulary = top.required_count("vocab_size")?;
    // Mistral's projections have no biases, whatever the file says.
    let bias = |key| Ok::<_, CheckpointError>(family != Family::Mistral && top.flag(key)?.unwrap_or(false));
    Ok(Architecture {
        vocabulary,
        width,
        layers: top.required_count("num_hidden_layers")?,
        heads,
        kv_heads,
        head_dim,
        feed_forward: top.required_count("intermediate_size")?,
        norm_epsilon: norm_epsilon(top)?,
        tied_embeddings: top.flag("tie_word_embeddings")?.unwrap_or(false),
        attention_bias: bias("attention_bias")?,
        mlp_bias: bias("mlp_bias")?,
        max_positions: Tokens(top.count("max_position_embeddings")?.unwrap_or(match family {
            Family::Llama | Family::Gyro => 2_048,
            Family::Mistral => 131_072,
        })),
        window: if family == Family::Gyro { top.count("sliding_window")? } else { None },
        beginning_token: beginning_token(top, vocabulary)?,
    })
}

/// The width of a head, written or computed.
pub(super) fn head_dim(top: Keys<'_>, width: usize, heads: usize) -> Result<usize, CheckpointError> {
    match top.count("head_dim")? {
        Some(head_dim) => Ok(head_dim),
        None if width.is_multiple_of(heads) => Ok(width / heads),
        None => {
            let supported = format!("a divisor of the hidden size {width}, or an explicit `head_dim`");
            Err(top.unsupported("num_attention_heads", heads, supported))
        }
    }
}

/// The longest context where `max_position_embeddings` is absent, of the families that have a default.
pub(super) fn longest(model_type: Option<&str>) -> Option<usize> {
    match model_type {
        None | Some("llama" | "gyro") => Some(2_048),
        Some("mistral") => Some(131_072),
        Some(_) => None,
    }
}

fn norm_epsilon(top: Keys<'_>) -> Result<f64, CheckpointError> {
    match top.number("rms_norm_eps")? {
        Some(epsilon) if epsilon >= 0.0 => Ok(epsilon),
        Some(epsilon) => Err(top.unsupported("rms_norm_eps", epsilon, "a number of at least 0")),
        None => Ok(1e-6),
    }
}

/// The token that begins a text; 1 where nothing is written, as in transformers.
fn beginning_token(top: Keys<'_>, vocabulary: usize) -> Result<Option<u32>, CheckpointError> {
    match top.written("bos_token_id") {
        None => Ok((vocabulary > 1).then_some(1)),
        Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64().filter(|id| *id < vocabulary as u64).map(u32::try_from) {
            Some(Ok(id)) => Ok(Some(id)),
            _ => Err(top.unsupported("bos_token_id", value, format!("null, or a token below {vocabulary}"))),
        },
    }
}
