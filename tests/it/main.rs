fn main() {}
mod reports;
