//! Faults that an implementation can have, as conditions that are injected into the replay.
//!
//! A fault bites in one of three places: in what the engine believes ([`Setting`]: method, factor, base, lengths), in the
//! numbers of the mechanism, or in how the engine executes it ([`Execution`]). All three are plain data, so faults compose
//! in any number. A new fault is one file here, one `mod` line, and one line in `one_of_faults!` below.
//!
//! Healthy look-alikes stand in the same list: they do something that looks odd and is right, and must not be flagged.

mod alibi_bf16;
mod alibi_by_key;
mod alibi_interleaved_slopes;
mod alibi_scale;
mod alibi_sign;
mod alibi_slopes_by_rank;
mod alibi_slopes_naive;
mod attention_factor_absent;
mod attention_factor_on_queries;
mod attention_factor_squared;
mod base_fallback;
mod base_of_another_model;
mod bf16_frequencies;
mod bf16_phases;
mod bf16_positions;
mod bf16_table;
mod bias_ignored;
mod bias_missing_in_decode;
mod bias_of_other_heads;
mod cache_copied_every_step;
mod cache_dequantised_every_step;
mod cache_rotated_every_step;
mod chunk_offset_ignored;
mod chunk_offset_twice;
mod decode_offset_by_one;
mod decode_offset_ignored;
mod dense_scores;
mod effects;
mod evicted_first_tokens;
mod execution;
mod exponent_one;
mod factor_doubled;
mod factor_halved;
mod factor_in_softmax;
mod factor_switched;
mod fp16_frequencies;
mod fp16_positions;
mod full_rotation;
mod gathered_rows;
mod half_rotation;
mod head_dim_for_rotary_dim;
mod host_sync;
mod injected;
mod keys_rotated_on_read;
mod keys_turn_back;
mod left_over_keys;
mod length_frozen;
mod long_switch_early;
mod long_table;
mod longest_row;
mod missing_bos;
mod own_key_hidden;
mod padding_counts;
mod padding_seen;
mod pairing_swapped;
mod pairing_swapped_on_keys;
mod permuted_pairs;
mod positions_doubled;
mod positions_from_one;
mod quantised_cache;
mod rotary_share_lost;
mod scaling_ignored;
mod single_precision_angles;
mod softmax_scale;
mod softmax_width_mistaken;
mod stale_keys;
mod sticky_base;
mod t5_bidirectional;
mod t5_missing_with_cache;
mod t5_saturates_early;
mod table_clamps;
mod table_ends_in_zeros;
mod table_ends_unrotated;
mod table_every_layer;
mod table_every_step;
mod table_grows_by_one;
mod table_regrown_unscaled;
mod table_wraps;
mod trained_length_mistaken;
mod window_forced;
mod window_ignored;
mod window_off_by_one;

use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::positions::{Mechanism, MethodError};
use crate::units::Tokens;

pub use execution::{
    Beyond, Biasing, Burden, CachedKeys, Caching, Chunks, Evicted, Execution, Format, Formats, Hand, Length, Mask,
    Offsets, Padding, Table, Temperature,
};
pub use injected::{Injected, Setting};

/// The place in an engine that a fault sits in, and that a diagnosis must name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Site {
    /// The speed of the rotation's pairs: base, factor, lengths, exponents.
    Frequencies,
    /// What scores are multiplied by.
    Temperature,
    /// Which dimensions rotate together, and how.
    Layout,
    /// A table of rotations that ends or changes.
    Table,
    /// The format of positional numbers.
    Precision,
    /// What happens behind a cache: offsets, old keys, their format.
    Cache,
    /// What one request leaves to the next.
    State,
    /// What rows of a batch do to each other.
    Batch,
    /// The bias that is added to scores.
    Bias,
    /// Which tokens are seen.
    Mask,
    /// Time alone.
    Latency,
}

impl Site {
    /// Every site.
    pub const ALL: [Self; 11] = [
        Self::Frequencies,
        Self::Temperature,
        Self::Layout,
        Self::Table,
        Self::Precision,
        Self::Cache,
        Self::State,
        Self::Batch,
        Self::Bias,
        Self::Mask,
        Self::Latency,
    ];

    /// The name in files: `frequencies`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Frequencies => "frequencies",
            Self::Temperature => "temperature",
            Self::Layout => "layout",
            Self::Table => "table",
            Self::Precision => "precision",
            Self::Cache => "cache",
            Self::State => "state",
            Self::Batch => "batch",
            Self::Bias => "bias",
            Self::Mask => "mask",
            Self::Latency => "latency",
        }
    }
}

/// Why a fault cannot be injected.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FaultError {
    /// A parameter is out of its range.
    #[error("`{name}` of `{fault}` must be {expected}, got {got}")]
    Parameter {
        /// The fault's name.
        fault: &'static str,
        /// The parameter's name in YAML.
        name: &'static str,
        /// Its range in words.
        expected: &'static str,
        /// What was given.
        got: f64,
    },
    /// The method, as the fault leaves it, does not fit the heads.
    #[error(transparent)]
    Method(#[from] MethodError),
}

/// A fault of an implementation.
pub trait Fault {
    /// The fault in one sentence, for `gyro list faults`.
    fn summary(&self) -> &'static str;

    /// The place that it sits in.
    fn site(&self) -> Site;

    /// Whether it is a healthy look-alike, which must not be flagged.
    fn is_control(&self) -> bool {
        false
    }

    /// Whether its scores may be looked at while the diagnosis is developed; the others are held back.
    fn is_development(&self) -> bool {
        true
    }

    /// Checks the parameters by themselves.
    ///
    /// # Errors
    /// [`FaultError::Parameter`] where one is out of its range.
    fn check(&self) -> Result<(), FaultError> {
        Ok(())
    }

    /// Whether a change of the execution can matter in a setting; changes of setting and mechanism speak for themselves.
    fn concerns(&self, setting: &Setting) -> bool {
        let _ = setting;
        true
    }

    /// Changes what the engine believes.
    fn setting(&self, setting: &mut Setting) {
        let _ = setting;
    }

    /// Changes the numbers of the mechanism.
    fn mechanism(&self, mechanism: &mut Mechanism, setting: &Setting) {
        let _ = (mechanism, setting);
    }

    /// Changes how the engine executes it.
    fn execution(&self, execution: &mut Execution, setting: &Setting) {
        let _ = (execution, setting);
    }
}

/// Makes the closed enum of faults from its list: data for YAML, delegation to [`Fault`], and the list of names.
macro_rules! one_of_faults {
    ($($file:ident: $variant:ident),+ $(,)?) => {
        $(pub use $file::$variant;)+

        /// Any fault, as a scenario names it.
        #[derive(Clone, Debug, PartialEq)]
        pub enum AnyFault {
            $(#[doc = concat!("`", stringify!($file), "`")] $variant($variant),)+
        }

        impl AnyFault {
            /// The names of all faults, by class; healthy look-alikes come last.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($file)),+];

            /// The fault of that name with its default parameters, or nothing.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                match name {
                    $(stringify!($file) => Some(Self::$variant($variant::default())),)+
                    _ => None,
                }
            }

            /// The name in YAML, in files and in reports.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => stringify!($file),)+ }
            }

            fn as_fault(&self) -> &dyn Fault {
                match self { $(Self::$variant(fault) => fault,)+ }
            }

            fn from_map<'de, A: MapAccess<'de>>(name: &str, map: &mut A) -> Result<Self, A::Error> {
                match name {
                    $(stringify!($file) => Ok(Self::$variant(map.next_value()?)),)+
                    _ => Err(unknown_fault(name)),
                }
            }

            fn serialize_into<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
                match self { $(Self::$variant(fault) => map.serialize_entry(stringify!($file), fault),)+ }
            }
        }
    };
}

one_of_faults! {
    base_fallback: BaseFallback,
    base_of_another_model: BaseOfAnotherModel,
    scaling_ignored: ScalingIgnored,
    factor_doubled: FactorDoubled,
    factor_halved: FactorHalved,
    positions_doubled: PositionsDoubled,
    exponent_one: ExponentOne,
    head_dim_for_rotary_dim: HeadDimForRotaryDim,
    rotary_share_lost: RotaryShareLost,
    full_rotation: FullRotation,
    trained_length_mistaken: TrainedLengthMistaken,
    length_frozen: LengthFrozen,
    attention_factor_absent: AttentionFactorAbsent,
    attention_factor_squared: AttentionFactorSquared,
    attention_factor_on_queries: AttentionFactorOnQueries,
    softmax_scale: SoftmaxScale,
    softmax_width_mistaken: SoftmaxWidthMistaken,
    pairing_swapped: PairingSwapped,
    pairing_swapped_on_keys: PairingSwappedOnKeys,
    half_rotation: HalfRotation,
    keys_turn_back: KeysTurnBack,
    table_clamps: TableClamps,
    table_wraps: TableWraps,
    table_ends_unrotated: TableEndsUnrotated,
    table_ends_in_zeros: TableEndsInZeros,
    table_regrown_unscaled: TableRegrownUnscaled,
    factor_switched: FactorSwitched,
    long_switch_early: LongSwitchEarly,
    bf16_frequencies: Bf16Frequencies,
    fp16_frequencies: Fp16Frequencies,
    bf16_positions: Bf16Positions,
    fp16_positions: Fp16Positions,
    bf16_table: Bf16Table,
    bf16_phases: Bf16Phases,
    stale_keys: StaleKeys,
    sticky_base: StickyBase,
    decode_offset_by_one: DecodeOffsetByOne,
    decode_offset_ignored: DecodeOffsetIgnored,
    chunk_offset_twice: ChunkOffsetTwice,
    chunk_offset_ignored: ChunkOffsetIgnored,
    left_over_keys: LeftOverKeys,
    padding_counts: PaddingCounts,
    padding_seen: PaddingSeen,
    longest_row: LongestRow,
    alibi_slopes_naive: AlibiSlopesNaive,
    alibi_slopes_by_rank: AlibiSlopesByRank,
    alibi_sign: AlibiSign,
    alibi_scale: AlibiScale,
    alibi_bf16: AlibiBf16,
    bias_missing_in_decode: BiasMissingInDecode,
    bias_ignored: BiasIgnored,
    bias_of_other_heads: BiasOfOtherHeads,
    t5_bidirectional: T5Bidirectional,
    t5_saturates_early: T5SaturatesEarly,
    t5_missing_with_cache: T5MissingWithCache,
    window_ignored: WindowIgnored,
    window_off_by_one: WindowOffByOne,
    window_forced: WindowForced,
    own_key_hidden: OwnKeyHidden,
    quantised_cache: QuantisedCache,
    evicted_first_tokens: EvictedFirstTokens,
    missing_bos: MissingBos,
    dense_scores: DenseScores,
    table_every_step: TableEveryStep,
    table_every_layer: TableEveryLayer,
    table_grows_by_one: TableGrowsByOne,
    host_sync: HostSync,
    gathered_rows: GatheredRows,
    cache_rotated_every_step: CacheRotatedEveryStep,
    cache_copied_every_step: CacheCopiedEveryStep,
    cache_dequantised_every_step: CacheDequantisedEveryStep,
    permuted_pairs: PermutedPairs,
    alibi_by_key: AlibiByKey,
    alibi_interleaved_slopes: AlibiInterleavedSlopes,
    single_precision_angles: SinglePrecisionAngles,
    keys_rotated_on_read: KeysRotatedOnRead,
    positions_from_one: PositionsFromOne,
    factor_in_softmax: FactorInSoftmax,
    long_table: LongTable,
}

fn unknown_fault<E: de::Error>(name: &str) -> E {
    E::unknown_variant(name, AnyFault::NAMES)
}

impl AnyFault {
    /// Every fault with its default parameters, healthy look-alikes last.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::NAMES.iter().filter_map(|name| Self::named(name))
    }

    /// Whether it can change anything in a setting: the mechanism at some length, or an execution that matters there.
    #[must_use]
    pub fn applies(&self, setting: &Setting) -> bool {
        let with = |faults: &[Self]| Injected::new(setting.clone(), faults).ok();
        let (Some(healthy), Some(faulty)) = (with(&[]), with(std::slice::from_ref(self))) else { return false };
        let trained = setting.heads.trained.0;
        let lengths = [trained / 4, trained, trained + 1, 2 * trained, 4 * trained];
        let mechanisms = |of: &Injected| lengths.map(|length| of.mechanism(Tokens(length.max(1))).ok());
        mechanisms(&healthy) != mechanisms(&faulty)
            || healthy.execution() != faulty.execution() && self.concerns(setting)
    }

    /// The name, and in parentheses the parameters that are not the defaults: `table_wraps (rows 1024)`.
    #[must_use]
    pub fn label(&self) -> String {
        let fields = |fault: &Self| {
            serde_json::to_value(fault).ok().and_then(|value| value.get(fault.name()).cloned()).unwrap_or_default()
        };
        let default = Self::named(self.name()).map(|fault| fields(&fault)).unwrap_or_default();
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

impl Fault for AnyFault {
    fn summary(&self) -> &'static str {
        self.as_fault().summary()
    }

    fn site(&self) -> Site {
        self.as_fault().site()
    }

    fn is_control(&self) -> bool {
        self.as_fault().is_control()
    }

    fn is_development(&self) -> bool {
        self.as_fault().is_development()
    }

    fn check(&self) -> Result<(), FaultError> {
        self.as_fault().check()
    }

    fn concerns(&self, setting: &Setting) -> bool {
        self.as_fault().concerns(setting)
    }

    fn setting(&self, setting: &mut Setting) {
        self.as_fault().setting(setting);
    }

    fn mechanism(&self, mechanism: &mut Mechanism, setting: &Setting) {
        self.as_fault().mechanism(mechanism, setting);
    }

    fn execution(&self, execution: &mut Execution, setting: &Setting) {
        self.as_fault().execution(execution, setting);
    }
}

impl Serialize for AnyFault {
    /// Writes the externally tagged form: `{ "table_wraps": { .. } }`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        self.serialize_into(&mut map)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for AnyFault {
    /// Reads a bare name (`table_wraps`) or a name with parameters (`table_wraps: { rows: 2048 }`).
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrMap;

        impl<'de> Visitor<'de> for NameOrMap {
            type Value = AnyFault;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a fault: a name of `gyro list faults`, or a name with parameters")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<AnyFault, E> {
                AnyFault::named(name).ok_or_else(|| unknown_fault(name))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AnyFault, A::Error> {
                let Some(name) = map.next_key::<String>()? else {
                    return Err(de::Error::custom("expected a fault, found an empty map"));
                };
                let fault = AnyFault::from_map(&name, &mut map)?;
                if let Some(second) = map.next_key::<String>()? {
                    return Err(de::Error::custom(format!("expected one fault, found `{name}` and `{second}`")));
                }
                Ok(fault)
            }
        }

        deserializer.deserialize_any(NameOrMap)
    }
}
