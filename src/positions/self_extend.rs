//! Self-Extend.
//!
//! # What it does
//! Rotates near keys as trained, and far ones by positions that a group of tokens shares, so that no distance is larger
//! than a trained one. Frequencies stay as they are.
//!
//! # Formula
//! Within `W` tokens, position `t` itself; beyond, keys rotate by `floor(t / G)` and queries by
//! `floor(t / G) + W - floor(W / G)`. Distances stay trained up to `(L - W) G + W` tokens, `L` the trained length.
//!
//! # Parameters
//! * `group` `G` (at least 1): how many tokens share a position; default: the smallest that reaches `s L`, that is
//!   `ceil((s L - W) / (L - W))`, the authors' rule (5 for 4,096 to 16,384 with `W` 1,024);
//! * `window` `W` (at least 1, below the trained length): tokens with exact positions; default: `floor(L / 4)`, the
//!   authors' 1,024 for Llama 2's 4,096. The factor sets the group alone.
//!
//! # Where it breaks
//! The order of far tokens within a group is lost: facts that hang on exact distant order suffer first. Attention is
//! computed twice and merged, at about twice the cost. Beyond `(L - W) G + W` it fails as the unscaled model does.
//!
//! # Source
//! Jin et al., arXiv 2401.01325, section 3; `datamllab/LongLM`, README, "How to choose the `group_size` and
//! `neighbor_window`".

use serde::{Deserialize, Serialize};

use super::rope::inverse_frequencies;
use super::{Grouping, HeadShape, Mechanism, Method, MethodError, Rotation};
use crate::units::{Stretch, Tokens};

/// Self-Extend with its two sizes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SelfExtend {
    /// How many tokens share a position; absent means what the factor needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<usize>,
    /// Tokens with exact positions; absent means a quarter of the trained length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<usize>,
}

fn wrong(name: &'static str, expected: &'static str, got: usize) -> MethodError {
    MethodError::Parameter { method: "self_extend", name, expected, got: got as f64 }
}

impl Method for SelfExtend {
    fn summary(&self) -> &'static str {
        "Self-Extend: near positions exact, far ones shared by groups of tokens"
    }

    fn check(&self) -> Result<(), MethodError> {
        for (name, size) in [("group", self.group), ("window", self.window)] {
            if size == Some(0) {
                return Err(wrong(name, "at least 1", 0));
            }
        }
        Ok(())
    }

    fn mechanism(&self, heads: &HeadShape, factor: Stretch, _length: Tokens) -> Result<Mechanism, MethodError> {
        let trained = heads.trained.0;
        let window = self.window.unwrap_or(trained / 4);
        if window >= trained {
            return Err(wrong("window", "below the trained length", window));
        }
        let group = self.group.unwrap_or_else(|| {
            let (l, w) = (trained as f64, window as f64);
            ((factor.0 * l - w) / (l - w)).ceil() as usize
        });
        let rotation = Rotation::plain(inverse_frequencies(heads.theta, heads.rotary_dim), heads.pairing);
        // Groups of one token are exact positions.
        Ok(if group == 1 {
            Mechanism::Rotate(rotation)
        } else {
            Mechanism::Group(Grouping { rotation, group, window })
        })
    }

    fn is_unscaled_at_one(&self) -> bool {
        self.group.is_none_or(|group| group == 1)
    }
}
