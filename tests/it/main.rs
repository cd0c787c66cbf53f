//! The one integration binary: what each file tests stands in its first line.

mod checkpoint;
mod positions;
mod reports;
mod scenarios;
mod store;
