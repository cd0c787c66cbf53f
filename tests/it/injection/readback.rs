//! What an engine applied, read back through the code that serves requests, against the formulas.

use std::f64::consts::PI;

use gyro::faults::AnyFault;
use gyro::positions::{Method, inverse_frequencies, slopes};
use gyro::subject::{AppliedRotation, Route, Subject};
use gyro::units::Tokens;

use super::checkpoints::{Bench, TRAINED, WINDOW, benches};

fn bench(name: &str) -> Bench {
    benches().into_iter().find(|bench| bench.name == name).unwrap()
}

fn faults(names: &[&str]) -> Vec<AnyFault> {
    names.iter().map(|name| AnyFault::named(name).unwrap()).collect()
}

fn rotation(bench: &Bench, names: &[&str], positions: &[usize], route: Route) -> AppliedRotation {
    bench.replay(&faults(names)).applied_rotation(positions, route).unwrap().unwrap()
}

/// The distance of two angles on the circle.
fn apart(one: f64, other: f64) -> f64 {
    ((one - other + PI).rem_euclid(2.0 * PI) - PI).abs()
}

#[test]
fn angles_are_position_times_frequency_and_lengths_the_attention_factor() {
    let bench = bench("yarn");
    let setting = bench.setting();
    let mechanism = setting.method.mechanism(&setting.heads, setting.factor, Tokens(200)).unwrap();
    let expected = mechanism.rotation().unwrap();
    let positions = [0, 1, 63, 64, 150, 199];
    for route in [Route::OneShot, Route::Chunked(32), Route::Decode { prompt: 100 }] {
        let read = rotation(&bench, &[], &positions, route);
        for side in [&read.queries, &read.keys] {
            assert!(side.mixing < 1e-3, "{}", side.mixing);
            for (position, gains) in positions.iter().zip(&side.gains) {
                for (gain, frequency) in gains.iter().zip(&expected.inverse_frequencies) {
                    assert!(apart(gain.angle, *position as f64 * frequency) < 1e-5, "{position}: {gain:?}");
                    assert!((gain.magnitude - expected.attention_factor).abs() < 1e-5, "{gain:?}");
                }
            }
        }
    }
    assert_eq!(self::bench("alibi").replay(&[]).applied_rotation(&[3], Route::OneShot).unwrap(), None);
}

#[test]
fn wrong_rotations_are_seen_in_what_was_applied() {
    let bench = bench("yarn");
    let at = |names: &[&str], positions: &[usize], route| rotation(&bench, names, positions, route);
    let healthy = at(&[], &[5, 70, 101], Route::OneShot);
    let swapped = at(&["pairing_swapped_on_keys"], &[5, 70], Route::OneShot);
    assert!(swapped.queries.mixing < 1e-3 && swapped.keys.mixing > 0.3, "{swapped:?}");
    assert!(at(&["half_rotation"], &[5], Route::OneShot).queries.mixing > 0.3);
    let permuted = at(&["permuted_pairs"], &[5, 70, 101], Route::OneShot);
    assert!(permuted.queries.mixing < 1e-3, "the weights are in the kernel's order");
    assert!(apart(permuted.queries.gains[1][2].angle, healthy.queries.gains[1][2].angle) < 1e-5);
    let back = at(&["keys_turn_back"], &[5], Route::OneShot);
    assert!(apart(back.keys.gains[0][0].angle, -healthy.keys.gains[0][0].angle) < 1e-5);
    let clamped = at(&["table_clamps"], &[63, 70, 101], Route::OneShot);
    assert_eq!(clamped.queries.gains[0], clamped.queries.gains[2]);
    let zeros = at(&["table_ends_in_zeros"], &[63, 70], Route::OneShot);
    assert!(zeros.queries.gains[0][0].magnitude > 1.0 && zeros.queries.gains[1][0].magnitude == 0.0);
    let moved = at(&["decode_offset_by_one"], &[70, 101], Route::Decode { prompt: 80 });
    let next = at(&[], &[70, 102], Route::OneShot);
    assert!(apart(moved.queries.gains[0][0].angle, next.queries.gains[0][0].angle) < 1e-5, "a prompt is not moved");
    assert!(apart(moved.queries.gains[1][0].angle, next.queries.gains[1][0].angle) < 1e-5);
    let unscaled = inverse_frequencies(1e4, bench.setting().heads.rotary_dim);
    let mixed = at(&["factor_switched"], &[TRAINED - 1, TRAINED], Route::OneShot);
    let slow = unscaled.len() - 1;
    assert!(apart(mixed.queries.gains[0][slow].angle, 63.0 * unscaled[slow]) < 1e-5);
    assert!(apart(mixed.queries.gains[1][slow].angle, 64.0 * unscaled[slow] / 4.0) < 1e-5);
}

#[test]
fn biases_are_those_of_the_formula_read_back_from_scores() {
    let bench = bench("alibi");
    let (queries, keys) = ([20, 50], [0, 5, 19, 20, 30]);
    let read =
        |names: &[&str], route| bench.replay(&faults(names)).applied_bias(&queries, &keys, route).unwrap().unwrap();
    let check = |read: Vec<Vec<Vec<f64>>>, times: f64, what: &str| {
        for (slope, head) in slopes(2).into_iter().zip(&read) {
            for (query, row) in queries.iter().zip(head) {
                for (key, value) in keys.iter().zip(row) {
                    let expected = if key > query { f64::NEG_INFINITY } else { -times * slope * (query - key) as f64 };
                    let same = *value == expected || (value - expected).abs() < 1e-3;
                    assert!(same, "{what}: {query} to {key}: {value}, expected {expected}");
                }
            }
        }
    };
    let decode = Route::Decode { prompt: 10 };
    check(read(&[], Route::OneShot), 1.0, "healthy");
    check(read(&[], decode), 1.0, "decoded");
    check(read(&["alibi_by_key"], Route::OneShot), 1.0, "by key");
    check(read(&["alibi_sign"], Route::OneShot), -1.0, "sign");
    check(read(&["alibi_scale"], decode), 2.0, "scale");
    check(read(&["bias_missing_in_decode"], Route::OneShot), 1.0, "in a prompt");
    check(read(&["bias_missing_in_decode"], decode), 0.0, "missing in decode");
    check(read(&["bias_ignored"], Route::OneShot), 0.0, "ignored");
}

#[test]
fn windows_and_lost_keys_are_seen_as_keys_without_weight() {
    let seen = |bench: &Bench, names: &[&str], route| -> Vec<bool> {
        let keys: Vec<usize> = (0..=100).collect();
        let read = bench.replay(&faults(names)).applied_bias(&[100], &keys, route).unwrap().unwrap();
        read[0][0].iter().map(|value| value.is_finite()).collect()
    };
    let windowed = bench("window");
    let count = |flags: &[bool]| flags.iter().filter(|flag| **flag).count();
    let healthy = seen(&windowed, &[], Route::OneShot);
    assert!(count(&healthy) == WINDOW && healthy[101 - WINDOW] && !healthy[100 - WINDOW]);
    assert_eq!(count(&seen(&windowed, &["window_off_by_one"], Route::Chunked(30))), WINDOW - 1);
    assert_eq!(count(&seen(&windowed, &["window_ignored"], Route::OneShot)), 101);
    let full = bench("ntk");
    assert_eq!(count(&seen(&full, &[], Route::OneShot)), 101);
    assert_eq!(count(&seen(&full, &["window_forced"], Route::OneShot)), TRAINED / 2);
    let own = seen(&full, &["own_key_hidden"], Route::OneShot);
    assert!(!own[100] && own[99]);
    let evicted = seen(&full, &["evicted_first_tokens"], Route::Decode { prompt: 90 });
    assert!(!evicted[3] && evicted[4]);
    assert_eq!(count(&seen(&full, &["evicted_first_tokens"], Route::OneShot)), 101, "nothing is evicted in one shot");
}

#[test]
fn temperatures_are_the_square_of_the_attention_factor() {
    let yarn = bench("yarn");
    let factor: f64 = 0.1 * 4.0_f64.ln() + 1.0;
    for (names, expected) in [
        (&[][..], factor.powi(2)),
        (&["attention_factor_absent"], 1.0),
        (&["attention_factor_squared"], factor.powi(4)),
        (&["attention_factor_on_queries"], factor),
        (&["factor_in_softmax"], factor.powi(2)),
        (&["softmax_scale"], factor.powi(2) * 1.2773),
        (&["softmax_width_mistaken"], factor.powi(2) * 0.5_f64.sqrt()),
    ] {
        let read = yarn.replay(&faults(names)).temperature(&[1, 40, 150]).unwrap().unwrap();
        for value in read.into_iter().flatten() {
            assert!((value - expected).abs() < 1e-3, "{names:?}: {value}, expected {expected}");
        }
    }
    let alibi = bench("alibi").replay(&[]).temperature(&[5, 60]).unwrap().unwrap();
    assert!(alibi.into_iter().flatten().all(|value| (value - 1.0).abs() < 1e-3));
}
