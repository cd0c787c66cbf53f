//! The programs find libtorch by themselves, without `LD_LIBRARY_PATH`.

use std::path::Path;
use std::process::Command;

use tch::{Kind, Tensor};

#[test]
fn libtorch_computes() {
    let sum = Tensor::from_slice(&[1.0, 2.0, 4.0]).sum(Kind::Double);
    assert!((sum.double_value(&[]) - 7.0).abs() < 1e-12);
}

/// Starts a program with an empty environment: cargo itself would otherwise help the loader.
fn starts(program: &Path, argument: &str) {
    let output = Command::new(program).arg(argument).env_clear().output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} {argument}: {} {errors}", program.display(), output.status);
}

#[test]
fn this_binary_which_uses_libtorch_starts_by_itself() {
    starts(&std::env::current_exe().unwrap(), "--list");
}

#[test]
fn the_program_starts_by_itself() {
    starts(Path::new(env!("CARGO_BIN_EXE_gyro")), "--version");
}
