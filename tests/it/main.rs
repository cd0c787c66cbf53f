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
mod checkpoint;
mod explain;
#[cfg(feature = "libtorch")]
mod fleet;
mod layers;
#[cfg(feature = "libtorch")]
mod linking;
#[cfg(feature = "libtorch")]
mod nights;
#[cfg(feature = "libtorch")]
mod parity;
mod positions;
#[cfg(feature = "libtorch")]
mod replay;
mod reports;
mod rotations;
mod run;
mod scenarios;
mod stats;
mod store;
