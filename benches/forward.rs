//! The forward pass, timed.

fn main() {}
