mod checkpoint;
mod positions;

fn main() {}
mod reports;
