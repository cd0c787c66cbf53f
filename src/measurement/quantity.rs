//! What can be read off a model, in which unit, and where.

use serde::{Deserialize, Serialize};

/// A quantity that a probe reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Mean negative log-likelihood of the scored tokens.
    Nll,
    /// Share of the scored tokens that are the most likely one.
    Top1,
    /// Share of asked facts whose value tokens are all the most likely ones.
    Recall,
    /// Entropy of a query's attention, mean over queries and heads.
    Entropy,
    /// Share of attention that falls into a range of distances.
    AttentionMass,
    /// Share of attention on keys farther than the trained length.
    MassBeyondTrained,
    /// Largest attention logit over queries and keys.
    LargestLogit,
    /// Time to read a prompt of the given length into the cache.
    Prefill,
    /// Time to decode one token at the given context length.
    Decode,
    /// Distance of the deployment's log-probabilities from the healthy replay's, mean over tokens of the absolute value.
    Divergence,
    /// The position of the first token whose log-probability differs between the deployment and the healthy replay.
    FirstDifference,
    /// Distance of the deployment's log-probabilities from its own answer to an equivalent request.
    Inconsistency,
    /// Distance of a hypothesis's log-probabilities from the deployment's.
    Disagreement,
    /// Applied angle of a rotating pair minus the declared one.
    PhaseError,
    /// Effective inverse frequency of a rotating pair over the declared one.
    FrequencyRatio,
    /// Largest error of a phase, or of a bias, that effective frequencies do not explain, over the phase or the largest bias.
    RelativeError,
    /// Applied magnitude of a rotating pair over the declared one.
    Gain,
    /// Share of a rotating pair that lands in dimensions outside of the pair.
    Mixing,
    /// Applied additive bias minus the declared one, up to a constant of the query.
    BiasError,
    /// 1 where the deployment sees a key that the healthy replay does not, -1 the other way round, 0 where they agree.
    Sight,
    /// Applied scale of attention logits over the declared one.
    Temperature,
    /// Change of the log-probabilities at the end of a text when tokens at a distance are replaced.
    Influence,
    /// Time to make a decoded token's positions ready: angles, a table, biases.
    PositionTable,
    /// Time to apply positions to a decoded token's queries and keys in all layers.
    PositionalWork,
    /// Time to append a decoded token's keys and values to the cache in all layers.
    CacheGrowth,
    /// Time of a decoded token's attention in all layers.
    AttentionKernel,
    /// Time of all else that a decoded token takes: projections, feed-forward, logits.
    OtherWork,
    /// Time of one piece of work that no scenario changes: what differs is noise of the machine.
    FixedKernel,
    /// Largest resident memory of the process while a prompt was read.
    PeakMemory,
    /// Pages of memory that the system handed out while a prompt was read.
    FreshPages,
    /// How often the device held its clock back for heat or power while it was timed.
    Throttling,
    /// The device's clock.
    Clock,
}

impl Quantity {
    /// Every quantity, in the order of the reports.
    pub const ALL: [Self; 32] = [
        Self::Nll,
        Self::Top1,
        Self::Recall,
        Self::Entropy,
        Self::AttentionMass,
        Self::MassBeyondTrained,
        Self::LargestLogit,
        Self::Prefill,
        Self::Decode,
        Self::Divergence,
        Self::FirstDifference,
        Self::Inconsistency,
        Self::Disagreement,
        Self::PhaseError,
        Self::FrequencyRatio,
        Self::RelativeError,
        Self::Gain,
        Self::Mixing,
        Self::BiasError,
        Self::Sight,
        Self::Temperature,
        Self::Influence,
        Self::PositionTable,
        Self::PositionalWork,
        Self::CacheGrowth,
        Self::AttentionKernel,
        Self::OtherWork,
        Self::FixedKernel,
        Self::PeakMemory,
        Self::FreshPages,
        Self::Throttling,
        Self::Clock,
    ];

    /// The parts of a decoded token's work that are timed apart, in the order of the reports.
    pub const PARTS: [Self; 5] =
        [Self::PositionTable, Self::PositionalWork, Self::CacheGrowth, Self::AttentionKernel, Self::OtherWork];

    /// A part of a decoded token's work for people; whatever is none of [`Quantity::PARTS`] is work outside of attention.
    #[must_use]
    pub fn part_words(self) -> &'static str {
        match self {
            Self::PositionTable => "making the table of positions",
            Self::PositionalWork => "positional work on queries and keys",
            Self::CacheGrowth => "the growth of the cache",
            Self::AttentionKernel => "the attention kernel",
            _ => "work outside of attention",
        }
    }

    /// The name in files: `nll`, `mass_beyond_trained`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nll => "nll",
            Self::Top1 => "top1",
            Self::Recall => "recall",
            Self::Entropy => "entropy",
            Self::AttentionMass => "attention_mass",
            Self::MassBeyondTrained => "mass_beyond_trained",
            Self::LargestLogit => "largest_logit",
            Self::Prefill => "prefill",
            Self::Decode => "decode",
            Self::Divergence => "divergence",
            Self::FirstDifference => "first_difference",
            Self::Inconsistency => "inconsistency",
            Self::Disagreement => "disagreement",
            Self::PhaseError => "phase_error",
            Self::FrequencyRatio => "frequency_ratio",
            Self::RelativeError => "relative_error",
            Self::Gain => "gain",
            Self::Mixing => "mixing",
            Self::BiasError => "bias_error",
            Self::Sight => "sight",
            Self::Temperature => "temperature",
            Self::Influence => "influence",
            Self::PositionTable => "position_table",
            Self::PositionalWork => "positional_work",
            Self::CacheGrowth => "cache_growth",
            Self::AttentionKernel => "attention_kernel",
            Self::OtherWork => "other_work",
            Self::FixedKernel => "fixed_kernel",
            Self::PeakMemory => "peak_memory",
            Self::FreshPages => "fresh_pages",
            Self::Throttling => "throttling",
            Self::Clock => "clock",
        }
    }

    /// The quantity with that name in files, or nothing.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|quantity| quantity.name() == name)
    }

    /// The unit of its values.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::Nll | Self::Divergence | Self::Inconsistency | Self::Disagreement | Self::Influence => "nats/token",
            Self::Top1 | Self::Recall | Self::AttentionMass | Self::MassBeyondTrained | Self::Mixing | Self::Sight => {
                "share"
            }
            Self::FirstDifference => "tokens",
            Self::PhaseError => "radians",
            Self::FrequencyRatio | Self::RelativeError | Self::Gain | Self::Temperature => "ratio",
            Self::Entropy => "nats",
            Self::LargestLogit | Self::BiasError => "logit",
            Self::Prefill | Self::Decode | Self::FixedKernel => "seconds",
            Self::PositionTable
            | Self::PositionalWork
            | Self::CacheGrowth
            | Self::AttentionKernel
            | Self::OtherWork => "seconds",
            Self::PeakMemory => "bytes",
            Self::FreshPages => "pages",
            Self::Throttling => "events",
            Self::Clock => "megahertz",
        }
    }
}

/// Where a reading was taken; what does not apply is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Place {
    /// The context length in tokens (latency).
    pub length: Option<u32>,
    /// First position (included) of the scored tokens.
    pub from: Option<u32>,
    /// Last position (excluded) of the scored tokens.
    pub to: Option<u32>,
    /// Smallest distance (included), in tokens between query and key, or between fact and question.
    pub distance_from: Option<u32>,
    /// Largest distance (excluded).
    pub distance_to: Option<u32>,
    /// The layer, from 0.
    pub layer: Option<u32>,
    /// The attention head, from 0.
    pub head: Option<u32>,
    /// The rotating pair of dimensions, from 0.
    pub pair: Option<u32>,
    /// Depth of the fact in its document as a share of the length, 0 to 1.
    pub depth: Option<f64>,
}

/// One number from a probe, in the unit of its quantity.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// What was read.
    pub quantity: Quantity,
    /// The probe that read it: `short_range`, `long_range`, `retrieval`, `attention`, `latency`.
    pub probe: String,
    /// How it was measured; rows of different protocols are never compared.
    pub protocol: String,
    /// The document (quality), or the block of interleaved measurements (latency).
    pub document: u32,
    /// Which of several repeats or arms within the document or block, from 0.
    pub repeat: u32,
    /// Where it was read.
    pub at: Place,
    /// The value in the quantity's unit.
    pub value: f64,
    /// How many tokens, facts or timings the value is the mean of.
    pub count: u32,
}
