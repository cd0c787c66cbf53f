//! The one binary of integration tests, so that libtorch is linked once.

mod layers;
#[cfg(feature = "libtorch")]
mod linking;
