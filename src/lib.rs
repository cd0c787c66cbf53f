//! Gyro answers one question for a team that has just stretched a Transformer's context: it got worse; was it the
//! positional method, the scaling factor, or the implementation?
//!
//! Positions are arithmetic, the model is a subject, a measurement is a row, and everything after the row is a pure
//! function. The modules stand here in the order of their dependence: each uses only those above it, and a test
//! (`tests/it/layers.rs`) reads this list to check it.

mod spelling;
pub mod units;
pub mod stats;
pub mod positions;
pub mod explain;
pub mod faults;
pub mod measurement;
pub mod findings;
pub mod checkpoint;
pub mod audit;
pub mod observed;
pub mod capture;
pub mod text;
pub mod scenario;
pub mod recipe;
pub mod subject;
pub mod probes;
pub mod ablation;
pub mod identify;
pub mod score;
pub mod baselines;
pub mod reports;
pub mod memo;
#[cfg(feature = "libtorch")]
pub mod replay;
pub mod run;
pub mod cli;
