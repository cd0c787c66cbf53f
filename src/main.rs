//! The `gyro` program; all of it is in the library.

fn main() -> std::process::ExitCode {
    gyro::cli::main()
}
