//! The rope parameters of `config.json`: the old `rope_scaling` beside `rope_theta`, or the new `rope_parameters`
//! around it, read as transformers 5.23.0 reads them (`RotaryEmbeddingConfigMixin`).

use super::CheckpointError;
use super::keys::Keys;
use crate::positions::{AnyMethod, Linear, Yarn};
use crate::units::{Stretch, Tokens};

/// transformers' `default_theta`.
const DEFAULT_THETA: f64 = 10_000.0;

/// What a checkpoint says about its rotation.
pub(super) struct Rotary {
    pub(super) theta: f64,
    pub(super) rotary_dim: usize,
    pub(super) trained: Tokens,
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
        // transformers gives a top-level value priority over the one inside.
        let original = match top.count("original_max_position_embeddings")? {
            Some(length) => Some(length),
            None => inside.count("original_max_position_embeddings")?,
        };
        let trained = original.unwrap_or(max_positions);
        Ok(Self {
            theta: theta(top, inside)?,
            rotary_dim: rotary_dim(top, inside, head_dim)?,
            trained: Tokens(trained),
            declared: rope.map_or(Ok((AnyMethod::unscaled(), Stretch::ONE)), |rope| {
                declared(rope, max_positions as f64 / trained as f64)
            })?,
        })
    }
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

/// How many of a head's dimensions rotate: `int(head_dim * partial_rotary_factor)`.
fn rotary_dim(top: Keys<'_>, inside: Keys<'_>, head_dim: usize) -> Result<usize, CheckpointError> {
    for keys in [inside, top] {
        if let Some(share) = keys.number("partial_rotary_factor")? {
            // The cast truncates like Python's `int`; a negative share becomes 0 and fails the check.
            let rotated = (head_dim as f64 * share) as usize;
            return if (2..=head_dim).contains(&rotated) && rotated.is_multiple_of(2) {
                Ok(rotated)
            } else {
                let supported = format!("a share that rotates an even number, 2 to {head_dim}, of the dimensions");
                Err(keys.unsupported("partial_rotary_factor", share, supported))
            };
        }
    }
    if head_dim.is_multiple_of(2) { Ok(head_dim) } else { Err(top.unsupported("head_dim", head_dim, "an even number")) }
}

/// The scaling that the file names, with its factor.
fn declared(rope: Keys<'_>, length_ratio: f64) -> Result<(AnyMethod, Stretch), CheckpointError> {
    // `type` is the name before transformers 4.43.
    let (key, rope_type) = match (rope.text("rope_type")?, rope.text("type")?) {
        (Some(name), _) => ("rope_type", name),
        (None, Some(name)) => ("type", name),
        (None, None) => ("rope_type", "default"),
    };
    match rope_type {
        "default" => Ok((AnyMethod::unscaled(), Stretch::ONE)),
        "linear" => {
            let given = rope.number("factor")?.ok_or_else(|| rope.missing("factor"))?;
            Ok((AnyMethod::Linear(Linear {}), Stretch(given)))
        }
        "yarn" => {
            // A factor written as null means the ratio of the lengths; an absent one is an error.
            rope.written("factor").ok_or_else(|| rope.missing("factor"))?;
            let factor = rope.number("factor")?.unwrap_or(length_ratio);
            Ok((AnyMethod::Yarn(yarn(rope)?), Stretch(factor)))
        }
        other => Err(rope.unsupported(key, other, "default, linear, yarn")),
    }
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
