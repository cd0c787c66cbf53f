//! Positional methods: plain arithmetic in double precision, no libtorch.
//!
//! Methods are many, mechanisms are few: a [`Method`] turns its parameters and a [`HeadShape`] into a [`Mechanism`],
//! and only the mechanism reaches attention. A new method is one file here and one line in `one_of_methods!` below.

mod absolute;
mod alibi;
mod bias;
mod by_parts;
mod dynamic;
mod dynamic_paper;
mod dynamic_step;
mod dynamic_vllm;
mod fingerprint;
mod half_split;
mod interleaved;
mod kerple_log;
mod kerple_power;
mod linear;
mod llama3;
mod longrope;
mod mechanism;
mod none;
mod nope;
mod ntk;
mod partial;
mod proportional;
mod offsets;
mod rope;
mod self_extend;
mod sinusoidal;
mod t5;
mod xpos;
mod yarn;
mod yarn_paper;

use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::units::{Stretch, Tokens};

pub use absolute::Absolute;
pub use alibi::{Alibi, slopes};
pub use bias::{Bias, Buckets};
pub use by_parts::ByParts;
pub use dynamic::Dynamic;
pub use dynamic_paper::DynamicPaper;
pub use dynamic_step::DynamicStep;
pub use dynamic_vllm::DynamicVllm;
pub use fingerprint::fingerprint;
pub use half_split::HalfSplit;
pub use interleaved::Interleaved;
pub use kerple_log::KerpleLog;
pub use kerple_power::KerplePower;
pub use linear::Linear;
pub use llama3::Llama3;
pub use longrope::Longrope;
pub use mechanism::{Decay, Grouping, Mechanism, Pairing, Rotation, Scheme, Vectors};
pub use none::None;
pub use nope::Nope;
pub use ntk::Ntk;
pub use offsets::Offsets;
pub use partial::Partial;
pub use proportional::Proportional;
pub use rope::{Rope, inverse_frequencies};
pub use self_extend::SelfExtend;
pub use sinusoidal::Sinusoidal;
pub use t5::T5;
pub use xpos::Xpos;
pub use yarn::Yarn;
pub use yarn_paper::YarnPaper;

/// What a method needs to know of the attention heads that it serves.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadShape {
    /// Query heads per layer.
    pub heads: usize,
    /// Width of the residual stream.
    pub width: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// How many of the head's dimensions are rotated (at most [`HeadShape::head_dim`], even).
    pub rotary_dim: usize,
    /// The base of the rotary frequencies, 10,000 in the RoPE paper; `rope_theta` in a checkpoint.
    pub theta: f64,
    /// The context length that the weights were trained at.
    pub trained: Tokens,
    /// Which dimensions rotate together in these weights.
    pub pairing: Pairing,
    /// The mechanism that the weights were trained with, at factor 1: `rope` for every Llama.
    pub native: AnyMethod,
}

/// Why a method cannot be applied.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum MethodError {
    /// The stretch is not a number of at least 1.
    #[error("the factor of `{method}` must be a number of at least 1, got {got}")]
    Factor {
        /// The method's name.
        method: &'static str,
        /// What was given.
        got: f64,
    },
    /// A parameter is out of its range.
    #[error("`{name}` of `{method}` must be {expected}, got {got}")]
    Parameter {
        /// The method's name.
        method: &'static str,
        /// The parameter's name in YAML.
        name: &'static str,
        /// Its range in words.
        expected: &'static str,
        /// What was given.
        got: f64,
    },
    /// The weights were trained with another mechanism.
    #[error("`{method}` needs weights trained with it, and these were trained with `{native}`")]
    Foreign {
        /// The method's name.
        method: &'static str,
        /// The name of the method that the weights were trained with.
        native: &'static str,
    },
}

/// Checks that a parameter is a number above a bound.
fn above(method: &'static str, name: &'static str, got: f64, bound: f64) -> Result<(), MethodError> {
    let expected = if bound == 1.0 { "a number above 1" } else { "a number above 0" };
    if got.is_finite() && got > bound { Ok(()) } else { Err(MethodError::Parameter { method, name, expected, got }) }
}

/// A positional method: parameters that become a mechanism.
pub trait Method {
    /// The method in one sentence, for `gyro list methods`.
    fn summary(&self) -> &'static str;

    /// Checks the parameters by themselves, before any checkpoint is known.
    ///
    /// # Errors
    /// [`MethodError::Parameter`] where one is out of its range.
    fn check(&self) -> Result<(), MethodError> {
        Ok(())
    }

    /// The mechanism for these heads at this stretch and current length.
    ///
    /// # Errors
    /// [`MethodError`] where the stretch or a parameter is out of its range.
    fn mechanism(&self, heads: &HeadShape, factor: Stretch, length: Tokens) -> Result<Mechanism, MethodError>;

    /// The weights that it works on.
    fn scheme(&self) -> Scheme {
        Scheme::Rotary
    }

    /// Whether the method names no longest length: relative biases and methods that follow the current length.
    fn reaches_any_length(&self) -> bool {
        !matches!(self.scheme(), Scheme::Any | Scheme::Rotary | Scheme::Xpos | Scheme::Sinusoidal | Scheme::Absolute)
    }

    /// Whether the method at factor 1 is the unscaled model.
    fn is_unscaled_at_one(&self) -> bool {
        true
    }
}

/// Makes the closed enum of methods from its list: data for YAML, delegation to [`Method`], and the list of names.
macro_rules! one_of_methods {
    ($($name:literal => $variant:ident),+ $(,)?) => {
        /// Any positional method, as a scenario names it.
        #[derive(Clone, Debug, PartialEq)]
        pub enum AnyMethod {
            $(#[doc = concat!("`", $name, "`")] $variant($variant),)+
        }

        impl AnyMethod {
            /// The names of all methods, in the order of the documentation.
            pub const NAMES: &'static [&'static str] = &[$($name),+];

            /// The method of that name with its default parameters, or nothing.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant($variant::default())),)+
                    _ => Option::None,
                }
            }

            /// The name in YAML, in files and in reports.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)+ }
            }

            fn as_method(&self) -> &dyn Method {
                match self { $(Self::$variant(method) => method,)+ }
            }

            fn from_map<'de, A: MapAccess<'de>>(name: &str, map: &mut A) -> Result<Self, A::Error> {
                match name {
                    $($name => Ok(Self::$variant(map.next_value()?)),)+
                    _ => Err(unknown_method(name)),
                }
            }

            fn serialize_into<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
                match self { $(Self::$variant(method) => map.serialize_entry($name, method),)+ }
            }
        }
    };
}

one_of_methods! {
    "none" => None,
    "rope" => Rope,
    "linear" => Linear,
    "ntk" => Ntk,
    "yarn" => Yarn,
    "yarn_paper" => YarnPaper,
    "by_parts" => ByParts,
    "dynamic" => Dynamic,
    "dynamic_vllm" => DynamicVllm,
    "dynamic_step" => DynamicStep,
    "dynamic_paper" => DynamicPaper,
    "longrope" => Longrope,
    "llama3" => Llama3,
    "proportional" => Proportional,
    "partial" => Partial,
    "interleaved" => Interleaved,
    "half_split" => HalfSplit,
    "self_extend" => SelfExtend,
    "xpos" => Xpos,
    "alibi" => Alibi,
    "kerple_power" => KerplePower,
    "kerple_log" => KerpleLog,
    "t5" => T5,
    "offsets" => Offsets,
    "sinusoidal" => Sinusoidal,
    "absolute" => Absolute,
    "nope" => Nope,
}

fn unknown_method<E: de::Error>(name: &str) -> E {
    E::unknown_variant(name, AnyMethod::NAMES)
}

impl AnyMethod {
    /// The model as it was trained.
    #[must_use]
    pub fn unscaled() -> Self {
        Self::None(None {})
    }

    /// The name, and in parentheses the parameters that are not the defaults: `yarn (beta_fast 16)`.
    #[must_use]
    pub fn label(&self) -> String {
        let fields = |method: &Self| {
            serde_json::to_value(method).ok().and_then(|value| value.get(method.name()).cloned()).unwrap_or_default()
        };
        let default = Self::named(self.name()).map(|method| fields(&method)).unwrap_or_default();
        let mine = fields(self);
        let changed: Vec<String> = mine
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(key, value)| default.get(key.as_str()) != Some(value))
            .map(|(key, value)| format!("{key} {value}"))
            .collect();
        if changed.is_empty() { self.name().to_owned() } else { format!("{} ({})", self.name(), changed.join(", ")) }
    }
}

impl Method for AnyMethod {
    fn summary(&self) -> &'static str {
        self.as_method().summary()
    }

    fn check(&self) -> Result<(), MethodError> {
        self.as_method().check()
    }

    fn mechanism(&self, heads: &HeadShape, factor: Stretch, length: Tokens) -> Result<Mechanism, MethodError> {
        if !(factor.0.is_finite() && factor.0 >= 1.0) {
            return Err(MethodError::Factor { method: self.name(), got: factor.0 });
        }
        self.check()?;
        let (needed, there) = (self.scheme(), heads.native.scheme());
        if needed != Scheme::Any && needed != there {
            return Err(MethodError::Foreign { method: self.name(), native: heads.native.name() });
        }
        self.as_method().mechanism(heads, factor, length)
    }

    fn scheme(&self) -> Scheme {
        self.as_method().scheme()
    }

    fn reaches_any_length(&self) -> bool {
        self.as_method().reaches_any_length()
    }

    fn is_unscaled_at_one(&self) -> bool {
        self.as_method().is_unscaled_at_one()
    }
}

impl Serialize for AnyMethod {
    /// Writes the externally tagged form: `{ "yarn": { .. } }`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        self.serialize_into(&mut map)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for AnyMethod {
    /// Reads a bare name (`yarn`) or a name with parameters (`yarn: { beta_fast: 16 }`).
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrMap;

        impl<'de> Visitor<'de> for NameOrMap {
            type Value = AnyMethod;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a method: one of {}", AnyMethod::NAMES.join(", "))
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<AnyMethod, E> {
                AnyMethod::named(name).ok_or_else(|| unknown_method(name))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AnyMethod, A::Error> {
                let Some(name) = map.next_key::<String>()? else {
                    return Err(de::Error::custom("expected a method, found an empty map"));
                };
                let method = AnyMethod::from_map(&name, &mut map)?;
                if let Some(second) = map.next_key::<String>()? {
                    return Err(de::Error::custom(format!("expected one method, found `{name}` and `{second}`")));
                }
                Ok(method)
            }
        }

        deserializer.deserialize_any(NameOrMap)
    }
}
