//! YaRN, as every implementation ships it.
//!
//! # What it does
//! Leaves fast pairs alone, interpolates slow pairs by the factor, ramps between them over the pair's index, and
//! sharpens attention by a temperature that depends on the factor.
//!
//! # Formula
//! `corr(n) = d ln(L / (2 pi n)) / (2 ln theta)`; `low = max(floor corr(beta_fast), 0)`,
//! `high = min(ceil corr(beta_slow), d - 1)` (no rounding without `truncate`);
//! `ramp_i = clip((i - low) / (high - low), 0, 1)`; `f_i' = (f_i / s) ramp_i + f_i (1 - ramp_i)`;
//! attention factor `0.1 ln s + 1` on cosine and sine, so logits scale by its square. `L` is the trained length.
//!
//! # Parameters
//! * `beta_fast` (turns within `L`, default 32) and `beta_slow` (default 1), from the paper for Llama;
//! * `attention_factor` (above 0): replaces `0.1 ln s + 1`;
//! * `mscale`, `mscale_all_dim` (DeepSeek): the factor becomes `g(mscale) / g(mscale_all_dim)`, `g(m) = 0.1 m ln s + 1`;
//! * `truncate` (default true): round the ramp's ends outwards.
//!
//! # Where it breaks
//! With the target length mistaken for the trained one the ramp shifts; an attention factor applied twice or not at all
//! shifts every logit, at every position. The paper's ramp over turns (equations 17 to 20) differs by up to 44 %: no
//! engine ships it, and here it is a method of its own, `yarn_paper`.
//!
//! # Source
//! Peng et al., arXiv 2309.00071; transformers 5.23.0 `modeling_rope_utils.py`, `yarn`.

use serde::{Deserialize, Serialize};

use super::rope::inverse_frequencies;
use super::{HeadShape, Mechanism, Method, MethodError, Rotation};
use crate::units::{Stretch, Tokens};

/// YaRN with its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Yarn {
    /// Turns within the trained length above which a pair is left alone.
    pub beta_fast: f64,
    /// Turns within the trained length below which a pair is fully interpolated.
    pub beta_slow: f64,
    /// Replaces the attention factor `0.1 ln s + 1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attention_factor: Option<f64>,
    /// DeepSeek's numerator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mscale: Option<f64>,
    /// DeepSeek's denominator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mscale_all_dim: Option<f64>,
    /// Whether the ramp's ends are rounded outwards.
    pub truncate: bool,
}

impl Default for Yarn {
    fn default() -> Self {
        Self {
            beta_fast: 32.0,
            beta_slow: 1.0,
            attention_factor: None,
            mscale: None,
            mscale_all_dim: None,
            truncate: true,
        }
    }
}

/// The temperature of YaRN, equation 22: 1 without stretch, else `0.1 m ln s + 1`.
pub(super) fn temperature(factor: Stretch, m: f64) -> f64 {
    if factor.0 <= 1.0 { 1.0 } else { 0.1 * m * factor.0.ln() + 1.0 }
}

impl Yarn {
    /// The ramp's ends as pair indices.
    fn ramp_ends(&self, heads: &HeadShape) -> (f64, f64) {
        let d = heads.rotary_dim as f64;
        let correction = |turns: f64| {
            d * (heads.trained.as_f64() / (turns * 2.0 * std::f64::consts::PI)).ln() / (2.0 * heads.theta.ln())
        };
        let (mut low, mut high) = (correction(self.beta_fast), correction(self.beta_slow));
        if self.truncate {
            (low, high) = (low.floor(), high.ceil());
        }
        (low, high) = (low.max(0.0), high.min(d - 1.0));
        // transformers keeps the ramp finite where both ends meet.
        if low == high {
            high += 0.001;
        }
        (low, high)
    }

    fn attention_factor(&self, factor: Stretch) -> f64 {
        match (self.attention_factor, self.mscale, self.mscale_all_dim) {
            (Some(given), _, _) => given,
            // transformers takes the ratio only where both are given and not zero.
            (None, Some(m), Some(all)) if m != 0.0 && all != 0.0 => temperature(factor, m) / temperature(factor, all),
            _ => temperature(factor, 1.0),
        }
    }
}

impl Method for Yarn {
    fn summary(&self) -> &'static str {
        "YaRN: slow pairs interpolated, fast pairs kept, attention sharpened"
    }

    fn check(&self) -> Result<(), MethodError> {
        let positive = |name, value: f64| {
            if value.is_finite() && value > 0.0 {
                Ok(())
            } else {
                Err(MethodError::Parameter { method: "yarn", name, expected: "a number above 0", got: value })
            }
        };
        positive("beta_fast", self.beta_fast)?;
        positive("beta_slow", self.beta_slow)?;
        if self.beta_fast < self.beta_slow {
            return Err(MethodError::Parameter {
                method: "yarn",
                name: "beta_fast",
                expected: "at least beta_slow",
                got: self.beta_fast,
            });
        }
        for (name, value) in [("mscale", self.mscale), ("mscale_all_dim", self.mscale_all_dim)] {
            // Below 0 the temperature would fall through 0; 0 itself counts as absent, as in transformers.
            if let Some(got) = value.filter(|value| !(value.is_finite() && *value >= 0.0)) {
                return Err(MethodError::Parameter { method: "yarn", name, expected: "a number of at least 0", got });
            }
        }
        self.attention_factor.map_or(Ok(()), |value| positive("attention_factor", value))
    }

    fn mechanism(&self, heads: &HeadShape, factor: Stretch, _length: Tokens) -> Result<Mechanism, MethodError> {
        let (low, high) = self.ramp_ends(heads);
        let frequencies = inverse_frequencies(heads.theta, heads.rotary_dim)
            .into_iter()
            .enumerate()
            .map(|(i, f)| {
                let ramp = ((i as f64 - low) / (high - low)).clamp(0.0, 1.0);
                f / factor.0 * ramp + f * (1.0 - ramp)
            })
            .collect();
        Ok(Mechanism::Rotate(Rotation {
            inverse_frequencies: frequencies,
            attention_factor: self.attention_factor(factor),
            pairing: heads.pairing,
            decay: None,
        }))
    }

    /// With an attention factor of its own the method changes attention even at factor 1.
    fn is_unscaled_at_one(&self) -> bool {
        self.attention_factor.is_none_or(|factor| factor == 1.0)
    }
}
