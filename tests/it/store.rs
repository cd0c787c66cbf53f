//! Rows on disk: nothing that was finished is lost, and nothing that is broken is believed.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use gyro::baselines::{
    ALPHA, Acceptance, Entry, Resume, RunFolder, Side, StoreError, Test, append, calibrate, cell_changes, compare,
    decode, encode, history, list, read_run, save, show,
};
use gyro::faults::AnyFault;
use gyro::findings::{Findings, Question, Ruling};
use gyro::measurement::{Arm, Cell, CellId, Measurement, Outcome, Place, Quantity, Reading};
use gyro::positions::AnyMethod;
use gyro::scenario::Tolerance;
use gyro::stats::Estimate;
use gyro::stats::random::Random;
use gyro::units::{Stretch, Tokens};
use proptest::prelude::*;

mod baseline;
mod calibration;
mod comparison;
mod folder;
mod kills;
mod past;
mod rows;

/// A folder of its own for each test, removed when the test passes.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("store-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

fn cell(method: &str, factor: f64) -> Cell {
    Cell::grid(AnyMethod::named(method).unwrap(), Stretch(factor))
}

/// Cells whose ids do not come in the order of the plan, one of them with a factor that has no short decimal form.
fn plan() -> Vec<Cell> {
    let odd = std::f64::consts::E * 1.000_000_000_1;
    vec![Cell::unscaled(), cell("linear", 4.0), cell("yarn", odd), cell("ntk", 8.0), Cell::truncated()]
}

fn row(cell: &Cell, probe: &str, quantity: Quantity, document: u32, value: f64) -> Measurement {
    let reading = Reading {
        quantity,
        probe: probe.to_owned(),
        protocol: format!("{probe}:256/256:bos"),
        document,
        repeat: 0,
        at: Place { from: Some(0), to: Some(256), ..Place::default() },
        value,
        count: 255,
    };
    Measurement { cell: cell.id(), reading }
}

fn measured(cell: &Cell) -> Outcome {
    Outcome::Measured((0..40).map(|n| row(cell, "short_range", Quantity::Nll, n, 3.0 + f64::from(n) / 7.0)).collect())
}

fn failed(reason: &str) -> Outcome {
    Outcome::Failed { reason: reason.to_owned() }
}

fn open(dir: &Path, fingerprint: &str) -> (RunFolder, Vec<(CellId, Outcome)>) {
    RunFolder::open(dir, fingerprint, Resume::Automatic).unwrap()
}

fn sorted(mut outcomes: Vec<(CellId, Outcome)>) -> Vec<(CellId, Outcome)> {
    outcomes.sort_by(|a, b| a.0.cmp(&b.0));
    outcomes
}

/// A file's content with the `n`-th of its bytes replaced.
fn with_byte(bytes: &[u8], n: usize, byte: u8) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    changed[n] = byte;
    changed
}

fn position(bytes: &[u8], wanted: &[u8]) -> usize {
    bytes.windows(wanted.len()).position(|window| window == wanted).unwrap()
}
