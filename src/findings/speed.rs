//! Timing taken apart, as data.

use serde::{Deserialize, Serialize};

use crate::stats::Estimate;

/// Timing taken apart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Speed {
    /// What one fixed piece of work says of the machine; absent in an engine without a clock of its own.
    pub noise: Option<MachineNoise>,
    /// How often the device was held back for heat or power while it was timed; absent where the system does not tell.
    pub held_back: Option<f64>,
    /// Every arm over the reference, by quantity and length.
    pub ratios: Vec<TimedRatio>,
    /// How decoding slows with the context, by arm.
    pub slopes: Vec<Slope>,
    /// The parts of a decoded token, timed apart.
    pub parts: Vec<PartTime>,
    /// Memory while a prompt is read, by arm and length.
    pub memory: Vec<Peak>,
    /// What is slow, in one sentence; absent where nothing is shown to be.
    pub slow: Option<String>,
}

/// One fixed piece of work, timed before and among everything else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MachineNoise {
    /// Its time in seconds.
    pub seconds: Estimate,
    /// From the fastest tenth to the slowest, as a share of the median.
    pub spread: f64,
}

/// An arm over the reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimedRatio {
    /// `prefill` or `decode`.
    pub quantity: String,
    /// `deployed`, `control` (the reference once more) or `no_positions` (its weights without positional work).
    pub arm: String,
    /// The context length in tokens.
    pub length: usize,
    /// The arm's time in seconds.
    pub seconds: Estimate,
    /// Over the reference's, within blocks.
    pub ratio: Estimate,
}

/// How an arm's decoding slows with the context.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slope {
    /// `deployed`, `reference` or `no_positions`.
    pub arm: String,
    /// Seconds a token more for every 1,000 tokens of context.
    pub seconds: Estimate,
}

/// A part of a decoded token's work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartTime {
    /// `position_table`, `positional_work`, `cache_growth`, `attention_kernel` or `other_work`.
    pub part: String,
    /// The context length in tokens.
    pub length: usize,
    /// Seconds a token, deployed.
    pub deployed: Estimate,
    /// Seconds a token, unscaled.
    pub reference: Estimate,
    /// The difference, paired by block.
    pub excess: Estimate,
}

/// Memory while a prompt is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Peak {
    /// `deployed`, `reference` or `no_positions`.
    pub arm: String,
    /// The prompt's length in tokens.
    pub length: usize,
    /// Largest resident memory of the process, weights included.
    pub bytes: u64,
    /// Pages that the system handed out, a prompt.
    pub fresh_pages: Option<Estimate>,
}
