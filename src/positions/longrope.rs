//! `LongRoPE`: a stretch of its own for each pair.
//!
//! # What it does
//! Divides each pair's frequency by a number that a search found, from one list up to the trained length and from another
//! beyond it, and sharpens attention at every length.
//!
//! # Formula
//! `f_i' = f_i / e_i` with `e` the long list if `length > L`, else the short one; attention factor
//! `sqrt(1 + ln s / ln L)`, 1 where `s = 1`. `L` is the trained length.
//!
//! # Parameters
//! * `short_factor`, `long_factor`: lists of numbers above 0, one a pair. An empty one (the default) stands for 1 in
//!   `short_factor`, and in `long_factor` for `s^(2i/(d-2))`, the stretch of `ntk`, since no search was made;
//! * `attention_factor` (above 0): replaces the formula's.
//!
//! # Where it breaks
//! At the token that passes `L` all frequencies change, while the keys in a cache keep the short ones: text that began
//! below `L` and goes on beyond it reads its own past at wrong angles. The attention factor is on below `L` too.
//!
//! # Source
//! Ding et al., arXiv 2402.13753; transformers 5.23.0 `modeling_rope_utils.py`, `longrope`.

use serde::{Deserialize, Serialize};

use super::rope::inverse_frequencies;
use super::{HeadShape, Mechanism, Method, MethodError, Rotation, above};
use crate::units::{Stretch, Tokens};

/// `LongRoPE` with its lists.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Longrope {
    /// What each frequency is divided by up to the trained length, `[rotary_dim / 2]`; empty means 1.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub short_factor: Vec<f64>,
    /// What each frequency is divided by beyond it, `[rotary_dim / 2]`; empty means NTK's stretch.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub long_factor: Vec<f64>,
    /// Replaces `sqrt(1 + ln s / ln L)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attention_factor: Option<f64>,
}

impl Longrope {
    /// The stretch of each pair, `[rotary_dim / 2]`.
    fn stretches(&self, heads: &HeadShape, factor: Stretch, length: Tokens) -> Vec<f64> {
        let (pairs, last) = (heads.rotary_dim / 2, (heads.rotary_dim as f64 - 2.0).max(1.0));
        let is_long = length > heads.trained;
        match if is_long { &self.long_factor } else { &self.short_factor } {
            written if !written.is_empty() => written.clone(),
            _ if is_long => (0..pairs).map(|i| factor.0.powf(2.0 * i as f64 / last)).collect(),
            _ => vec![1.0; pairs],
        }
    }

    fn attention_factor(&self, factor: Stretch, trained: Tokens) -> f64 {
        self.attention_factor.unwrap_or_else(|| {
            // transformers takes 1 for factors up to 1; a trained length of 1 has no logarithm to divide by.
            if factor.0 <= 1.0 || trained.0 <= 1 { 1.0 } else { (1.0 + factor.0.ln() / trained.as_f64().ln()).sqrt() }
        })
    }
}

impl Method for Longrope {
    fn summary(&self) -> &'static str {
        "LongRoPE: a stretch of its own for each pair, one list below and one beyond the trained length"
    }

    fn check(&self) -> Result<(), MethodError> {
        for (name, list) in [("short_factor", &self.short_factor), ("long_factor", &self.long_factor)] {
            list.iter().try_for_each(|stretch| above("longrope", name, *stretch, 0.0))?;
        }
        self.attention_factor.map_or(Ok(()), |value| above("longrope", "attention_factor", value, 0.0))
    }

    fn mechanism(&self, heads: &HeadShape, factor: Stretch, length: Tokens) -> Result<Mechanism, MethodError> {
        // Both lists are checked at every length, so that a mistake shows before a text is long.
        for (name, list) in [("short_factor", &self.short_factor), ("long_factor", &self.long_factor)] {
            if !list.is_empty() && list.len() != heads.rotary_dim / 2 {
                let expected = "one number for each rotated pair";
                return Err(MethodError::Parameter { method: "longrope", name, expected, got: list.len() as f64 });
            }
        }
        let frequencies = inverse_frequencies(heads.theta, heads.rotary_dim)
            .into_iter()
            .zip(self.stretches(heads, factor, length))
            .map(|(f, stretch)| f / stretch)
            .collect();
        let attention_factor = self.attention_factor(factor, heads.trained);
        Ok(Mechanism::Rotate(Rotation { attention_factor, ..Rotation::plain(frequencies, heads.pairing) }))
    }

    fn is_unscaled_at_one(&self) -> bool {
        self.short_factor.is_empty()
            && self.long_factor.is_empty()
            && self.attention_factor.is_none_or(|factor| factor == 1.0)
    }
}
