//! The rope parameters of `config.json`: the old `rope_scaling` beside `rope_theta`, or the new `rope_parameters`
//! around it, read as transformers 5.23.0 reads them (`RotaryEmbeddingConfigMixin`).

use super::CheckpointError;
use super::keys::Keys;
use crate::positions::{AnyMethod, Dynamic, Linear, Llama3, Longrope, Proportional, Rope, Yarn};
use crate::units::{Stretch, Tokens};

/// transformers' `default_theta`.
const DEFAULT_THETA: f64 = 10_000.0;

/// What a checkpoint says about its rotation.
pub(super) struct Rotary {
    pub(super) theta: f64,
    pub(super) rotary_dim: usize,
    pub(super) trained: Tokens,
    /// The mechanism of the weights at factor 1.
    pub(super) native: AnyMethod,
    pub(super) declared: (AnyMethod, Stretch),
}

impl Rotary {
    /// Reads the rope parameters of a configuration whose head width and longest context are known.
    pub(super) fn read(top: Keys<'_>, head_dim: usize, max_positions: usize) -> Result<Self, CheckpointError> {
        // Where both are written, `rope_scaling` replaces `rope_parameters` whole.
        let rope = match top.object("rope_scaling")? {
            Some(scaling) => Some(scaling),
            None => top.object("rope_parameters")?,
        };
        if let Some((layer, _)) = rope.iter().flat_map(Keys::entries).find(|(_, value)| value.is_object()) {
            let rope = rope.unwrap_or(top);
            return Err(rope.unsupported(layer, "parameters for one type of layer", "the same rotation in all layers"));
        }
        let inside = rope.unwrap_or(top);
        let (key, rope_type) = rope.map_or(Ok(("rope_type", "default")), rope_type)?;
        let trained = trained(top, inside, rope_type, max_positions)?;
        let declared = match rope {
            Some(rope) => declared(top, rope, (key, rope_type), max_positions as f64 / trained as f64)?,
            None => (AnyMethod::unscaled(), Stretch::ONE),
        };
        // Pairs without a position are a property of the weights, not a scaling of them.
        let native = match &declared.0 {
            AnyMethod::Proportional(method) if method.partial_rotary_factor < 1.0 => declared.0.clone(),
            _ => AnyMethod::Rope(Rope::default()),
        };
        Ok(Self {
            theta: theta(top, inside)?,
            rotary_dim: rotary_dim(top, inside, rope_type, head_dim)?,
            trained: Tokens(trained),
            native,
            declared,
        })
    }
}

/// The name of the type, and the key that it stands under: `type` is the form before transformers 4.43.
fn rope_type(rope: Keys<'_>) -> Result<(&'static str, &str), CheckpointError> {
    Ok(match (rope.text("rope_type")?, rope.text("type")?) {
        (Some(name), _) => ("rope_type", name),
        (None, Some(name)) => ("type", name),
        (None, None) => ("rope_type", "default"),
    })
}

fn trained(top: Keys<'_>, inside: Keys<'_>, rope_type: &str, max_positions: usize) -> Result<usize, CheckpointError> {
    // Dynamic scaling starts from the longest context that the file allows for, whatever else is written.
    if rope_type == "dynamic" {
        return Ok(max_positions);
    }
    // transformers gives a top-level value priority over the one inside.
    let original = match top.count("original_max_position_embeddings")? {
        Some(length) => Some(length),
        None => inside.count("original_max_position_embeddings")?,
    };
    Ok(original.unwrap_or(max_positions))
}

fn theta(top: Keys<'_>, inside: Keys<'_>) -> Result<f64, CheckpointError> {
    for keys in [inside, top] {
        match keys.number("rope_theta")? {
            Some(theta) if theta > 1.0 => return Ok(theta),
            Some(theta) => return Err(keys.unsupported("rope_theta", theta, "a number above 1")),
            None => {}
        }
    }
    Ok(DEFAULT_THETA)
}

/// The share of a head that rotates, with the object that holds it.
fn share<'a>(top: Keys<'a>, inside: Keys<'a>) -> Result<Option<(Keys<'a>, f64)>, CheckpointError> {
    for keys in [inside, top] {
        if let Some(share) = keys.number("partial_rotary_factor")? {
            return Ok(Some((keys, share)));
        }
    }
    Ok(None)
}

/// How many of a head's dimensions rotate: `int(head_dim * partial_rotary_factor)`.
///
/// transformers' Llama reads the share in no type but this way in all its frequencies; its own graph then ignores it
/// (`default`) or stops (the others). The share means here what it means in its Phi-3 graph, in vLLM and in llama.cpp.
fn rotary_dim(top: Keys<'_>, inside: Keys<'_>, rope_type: &str, head_dim: usize) -> Result<usize, CheckpointError> {
    let Some((keys, share)) = share(top, inside)?.filter(|_| rope_type != "proportional") else {
        let is_even = head_dim.is_multiple_of(2);
        return if is_even { Ok(head_dim) } else { Err(top.unsupported("head_dim", head_dim, "an even number")) };
    };
    // The cast truncates like Python's `int`; a negative share becomes 0 and fails the check.
    let rotated = (head_dim as f64 * share) as usize;
    if (2..=head_dim).contains(&rotated) && rotated.is_multiple_of(2) {
        return Ok(rotated);
    }
    let supported = format!("a share that rotates an even number, 2 to {head_dim}, of the dimensions");
    Err(keys.unsupported("partial_rotary_factor", share, supported))
}

/// The scaling that the file names, with its factor.
fn declared(
    top: Keys<'_>,
    rope: Keys<'_>,
    (key, rope_type): (&str, &str),
    length_ratio: f64,
) -> Result<(AnyMethod, Stretch), CheckpointError> {
    let factor = || rope.number("factor")?.ok_or_else(|| rope.missing("factor"));
    match rope_type {
        "default" => Ok((AnyMethod::unscaled(), Stretch::ONE)),
        "linear" => Ok((AnyMethod::Linear(Linear {}), Stretch(factor()?))),
        "dynamic" => Ok((AnyMethod::Dynamic(Dynamic {}), Stretch(factor()?))),
        "yarn" => {
            // A factor written as null means the ratio of the lengths; an absent one is an error.
            rope.written("factor").ok_or_else(|| rope.missing("factor"))?;
            let factor = rope.number("factor")?.unwrap_or(length_ratio);
            Ok((AnyMethod::Yarn(yarn(rope)?), Stretch(factor)))
        }
        "longrope" => {
            // Only the attention factor depends on it, and that one is 1 for every factor up to 1.
            let factor = rope.number("factor")?.unwrap_or(length_ratio).max(1.0);
            Ok((AnyMethod::Longrope(longrope(rope)?), Stretch(factor)))
        }
        "llama3" => {
            let required = |key| rope.number(key)?.ok_or_else(|| rope.missing(key));
            let (low_freq_factor, high_freq_factor) = (required("low_freq_factor")?, required("high_freq_factor")?);
            Ok((AnyMethod::Llama3(Llama3 { low_freq_factor, high_freq_factor }), Stretch(factor()?)))
        }
        "proportional" => {
            let partial_rotary_factor = share(top, rope)?.map_or(1.0, |(_, share)| share);
            let factor = Stretch(rope.number("factor")?.unwrap_or(1.0));
            Ok((AnyMethod::Proportional(Proportional { partial_rotary_factor }), factor))
        }
        other => Err(rope.unsupported(key, other, "default, linear, dynamic, yarn, longrope, llama3, proportional")),
    }
}

fn longrope(rope: Keys<'_>) -> Result<Longrope, CheckpointError> {
    let list = |key| {
        let list = rope.numbers(key)?.ok_or_else(|| rope.missing(key))?;
        // An empty list would stand for the method's own defaults, which no file means.
        if list.is_empty() { Err(rope.unsupported(key, "[]", "one number for each rotated pair")) } else { Ok(list) }
    };
    Ok(Longrope {
        short_factor: list("short_factor")?,
        long_factor: list("long_factor")?,
        attention_factor: rope.number("attention_factor")?,
    })
}

fn yarn(rope: Keys<'_>) -> Result<Yarn, CheckpointError> {
    let default = Yarn::default();
    // transformers writes `or 32`: a zero counts as absent.
    let turns = |key| Ok::<_, CheckpointError>(rope.number(key)?.filter(|turns| *turns != 0.0));
    Ok(Yarn {
        beta_fast: turns("beta_fast")?.unwrap_or(default.beta_fast),
        beta_slow: turns("beta_slow")?.unwrap_or(default.beta_slow),
        attention_factor: rope.number("attention_factor")?,
        mscale: rope.number("mscale")?,
        mscale_all_dim: rope.number("mscale_all_dim")?,
        // Absent means true, but null is Python's None and counts as false.
        truncate: if rope.written("truncate").is_some() { rope.flag("truncate")?.unwrap_or(false) } else { true },
    })
}
