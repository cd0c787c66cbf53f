//! Faults injected into tiny checkpoints: each changes something that can be measured, in its place and nowhere else, and
//! healthy look-alikes change nothing.

mod checkpoints;
mod readback;
mod serving;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use checkpoints::{Bench, TRAINED, benches, tokens};
use gyro::faults::{AnyFault, Fault, Site};
use gyro::replay::Replay;
use gyro::subject::{Padding, Request, Route, Row, Subject};

/// More than rounding in these models, in nats.
const EFFECT: f32 = 1e-4;
/// As much as a healthy engine may differ from another, in nats: transformers rounds its angles to single precision.
const ROUNDING: f32 = 2e-3;

/// Faults that need heads which these checkpoints do not have; their numbers are tested by themselves.
const NOT_HERE: [&str; 1] = ["alibi_slopes_naive"];

/// What an engine answers to some requests, by the request's name: log-probabilities of the first row.
type Answers = BTreeMap<&'static str, Vec<f32>>;

fn row(from: usize, to: usize) -> Row {
    Row { tokens: tokens()[from..to].to_vec(), first_position: 0 }
}

/// Requests that tell the places of faults apart; the last of each is what counts, behind a restart.
fn requests() -> Vec<(&'static str, Vec<Request>)> {
    let one = |row: Row, route: Route| Request { rows: vec![row], route, padding: Padding::None };
    let two = |route: Route, padding: Padding| Request { rows: vec![row(0, 40), row(0, 120)], route, padding };
    let far = Row { first_position: 3000, ..row(0, 60) };
    vec![
        ("short", vec![one(row(0, 40), Route::OneShot)]),
        ("trained", vec![one(row(0, TRAINED), Route::OneShot)]),
        ("long", vec![one(row(0, 160), Route::OneShot)]),
        ("after", vec![one(row(40, 160), Route::OneShot), one(row(0, 40), Route::OneShot)]),
        ("far", vec![one(far, Route::OneShot)]),
        ("chunked", vec![one(row(0, 160), Route::Chunked(32))]),
        ("decoded", vec![one(row(0, 160), Route::Decode { prompt: 154 })]),
        ("left", vec![two(Route::OneShot, Padding::Left)]),
        ("right", vec![two(Route::Decode { prompt: 114 }, Padding::Right)]),
    ]
}

fn answers(bench: &Bench, faults: &[AnyFault]) -> Answers {
    let mut replay = bench.replay(faults);
    let mut answers = Answers::new();
    for (name, requests) in requests() {
        replay.restart();
        for request in requests {
            let scores = replay.serve(&request).unwrap();
            assert_eq!(scores[0].log_probability.len() + 1, request.rows[0].tokens.len());
            answers.insert(name, scores[0].log_probability.clone());
        }
    }
    answers
}

/// The largest difference of each request; NaN counts as infinite.
fn differences(one: &Answers, other: &Answers) -> BTreeMap<&'static str, f32> {
    let largest = |(a, b): (&Vec<f32>, &Vec<f32>)| {
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0_f32, |worst, d| if d <= worst { worst } else { d })
    };
    one.iter().map(|(name, answers)| (*name, largest((answers, &other[name])))).collect()
}

/// Whether the differences have the shape that the fault's place promises.
fn has_shape(fault: &AnyFault, by: &BTreeMap<&'static str, f32>) -> bool {
    let nothing = |names: &[&str]| names.iter().all(|name| by[name] < EFFECT / 4.0);
    let something = |names: &[&str]| names.iter().any(|name| by[name] > EFFECT);
    match fault.site() {
        Site::Latency => by.values().all(|d| *d < EFFECT),
        Site::Cache => {
            nothing(&["short", "trained", "long", "after", "left"]) && something(&["chunked", "decoded", "right"])
        }
        Site::State => nothing(&["short"]) && something(&["after"]),
        Site::Batch => {
            nothing(&["short", "trained", "long", "after", "chunked", "decoded"]) && something(&["left", "right"])
        }
        Site::Table if fault.name() != "factor_switched" => {
            nothing(&["short", "trained", "left"]) && something(&["long"])
        }
        _ => something(&["short", "trained", "long", "far"]),
    }
}

#[test]
fn every_fault_changes_what_its_place_promises_and_nothing_else() {
    let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
    for bench in benches() {
        let healthy = answers(&bench, &[]);
        let again = differences(&healthy, &answers(&bench, &[]));
        assert!(again.values().all(|d| *d == 0.0), "{}: {again:?}", bench.name);
        let setting = bench.setting();
        for fault in AnyFault::all().filter(|fault| !fault.is_control() && fault.applies(&setting)) {
            if !seen.insert(fault.name()) {
                continue;
            }
            let by = differences(&answers(&bench, std::slice::from_ref(&fault)), &healthy);
            if !has_shape(&fault, &by) {
                wrong.push(format!("{} ({}) under {}: {by:?}", fault.name(), fault.site().name(), bench.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let all: BTreeSet<&str> = AnyFault::all().filter(|fault| !fault.is_control()).map(|fault| fault.name()).collect();
    let missing: Vec<&str> = all.difference(&seen).copied().collect();
    assert_eq!(missing, NOT_HERE, "faults that no checkpoint here shows");
}

#[test]
fn healthy_look_alikes_change_nothing_but_rounding() {
    for bench in benches() {
        let (healthy, setting) = (answers(&bench, &[]), bench.setting());
        for control in AnyFault::all().filter(|fault| fault.is_control() && fault.concerns(&setting)) {
            let by = differences(&answers(&bench, std::slice::from_ref(&control)), &healthy);
            assert!(by.values().all(|d| *d < ROUNDING), "{} under {}: {by:?}", control.name(), bench.name);
        }
    }
}

#[test]
fn a_table_that_ends_harms_nothing_before_its_end() {
    let bench = benches().into_iter().find(|bench| bench.name == "yarn").unwrap();
    let healthy = answers(&bench, &[]);
    for name in ["table_clamps", "table_wraps", "table_ends_unrotated", "table_ends_in_zeros"] {
        let faulty = answers(&bench, &[AnyFault::named(name).unwrap()]);
        let first = healthy["long"].iter().zip(&faulty["long"]).position(|(a, b)| a != b);
        // Entry `i` is predicted at position `i`.
        assert_eq!(first, Some(TRAINED), "{name}");
    }
}

#[test]
fn two_faults_are_neither_of_them() {
    let bench = benches().into_iter().find(|bench| bench.name == "yarn").unwrap();
    let healthy = answers(&bench, &[]);
    for [one, other] in [
        ["table_wraps", "attention_factor_squared"],
        ["padding_counts", "bf16_frequencies"],
        ["left_over_keys", "decode_offset_ignored"],
        ["window_forced", "scaling_ignored"],
        ["quantised_cache", "padding_seen"],
        ["pairing_swapped", "chunk_offset_twice"],
        ["factor_doubled", "missing_bos"],
    ] {
        let both = [AnyFault::named(one).unwrap(), AnyFault::named(other).unwrap()];
        let together = answers(&bench, &both);
        let swapped = answers(&bench, &[both[1].clone(), both[0].clone()]);
        assert!(differences(&together, &swapped).values().all(|d| *d == 0.0), "{one} and {other}: order matters");
        for alone in [&[][..], &both[..1], &both[1..]] {
            let by = if alone.is_empty() { healthy.clone() } else { answers(&bench, alone) };
            let largest = differences(&together, &by).into_values().fold(0.0, f32::max);
            assert!(largest > EFFECT, "{one} and {other} against {alone:?}: {largest}");
        }
    }
}

#[test]
fn a_waiting_engine_is_slower_by_what_it_waits() {
    let bench = benches().into_iter().find(|bench| bench.name == "ntk").unwrap();
    let mut replay: Replay = bench.replay(&[AnyFault::named("host_sync").unwrap()]);
    let tokens = tokens();
    let prefill = replay.prefill(&tokens[..20]).unwrap();
    let decode = replay.decode(&tokens[20..24]).unwrap();
    let layers = Rc::clone(&bench.checkpoint).config.architecture.layers as f64;
    for seconds in [prefill, decode] {
        assert!(seconds.0 >= layers * 400e-6, "{seconds:?} for {layers} layers of 400 microseconds");
    }
}
