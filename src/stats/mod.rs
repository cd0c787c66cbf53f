//! Pure statistics: estimates with intervals, paired by document.

mod estimate;
mod interval;
mod shares;

pub mod random;

pub use estimate::{Estimate, Ruling, judge};
pub use interval::{CONFIDENCE, Resamples, mean, mean_estimate, mean_with_confidence, paired_difference};
pub use shares::{MainEffects, main_effects, shapley};
