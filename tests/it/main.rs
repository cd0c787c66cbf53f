//! The one binary of integration tests, so that libtorch is linked once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test ends by panicking; clippy knows only #[test]"
)]

mod audit;
mod biases;
mod blame;
mod capture;
mod checkpoint;
mod conditions;
#[cfg(feature = "libtorch")]
mod examination;
mod examples;
mod explain;
mod faults;
#[cfg(feature = "libtorch")]
mod fleet;
mod identify;
#[cfg(feature = "libtorch")]
mod injection;
mod layers;
#[cfg(feature = "libtorch")]
mod linking;
mod memo;
#[cfg(feature = "libtorch")]
mod nights;
#[cfg(feature = "libtorch")]
mod parity;
#[cfg(feature = "libtorch")]
mod parts;
mod positions;
#[cfg(feature = "libtorch")]
mod replay;
mod reports;
mod rotations;
mod run;
mod scenarios;
mod settings;
mod stats;
mod store;
