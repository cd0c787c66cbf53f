mod checkpoint;
mod positions;

fn main() {}
