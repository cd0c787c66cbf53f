//! Tolerances from repeats of one state: as small as silence allows, and no larger for what no gate would judge.

use super::comparison::{TOLERANCE, cells, control, deployed, kernel, throttled};
use super::*;

type Cells = Vec<(Cell, Outcome)>;

/// The calibration of repeats of which each is so many times as slow as the first.
fn calibrated(runs: &[Cells]) -> gyro::baselines::Calibration {
    let id = deployed().id();
    let sides: Vec<_> = runs.iter().map(|cells| Side { cells, deployed: &id, text: "t", machine: "m" }).collect();
    calibrate(&sides, Tokens(2048), &TOLERANCE)
}

/// The deployed cell alone gets slower.
fn slowed(times: f64) -> Cells {
    let mut cells = cells(1.0);
    let Outcome::Measured(rows) = &mut cells[1].1 else { unreachable!() };
    for row in rows.iter_mut().filter(|row| row.reading.probe == "latency") {
        row.reading.value *= times;
    }
    cells
}

/// Whether any ordered pair of repeats says worse under a tolerance on time.
fn fires(runs: &[Cells], latency: f64) -> bool {
    let id = deployed().id();
    let side = |cells| Side { cells, deployed: &id, text: "t", machine: "m" };
    let tolerance = Tolerance { latency, ..TOLERANCE };
    let pairs = runs.iter().enumerate().flat_map(|(i, a)| runs.iter().enumerate().map(move |(j, b)| (i, a, j, b)));
    pairs.filter(|(i, _, j, _)| i != j).any(|(_, before, _, now)| {
        let tests = compare("a repeat", side(before), side(now), Tokens(2048), &tolerance);
        tests.iter().any(|test| test.verdict.ruling == Ruling::Worse)
    })
}

#[test]
fn equal_repeats_need_no_tolerance() {
    let found = calibrated(&[cells(1.0), cells(1.0), cells(1.0)]);
    assert_eq!((found.repeats, found.pairs, found.fired, found.unsteady), (3, 6, 0, 0));
    let none = Tolerance { short_range: 0.0, long_range: 0.0, retrieval: 0.0, latency: 1.0 };
    assert_eq!(found.proposed, none);
}

#[test]
fn no_repeat_fires_from_the_proposed_tolerance_on_and_some_does_below_it() {
    let runs = [cells(1.0), slowed(1.03), slowed(1.12)];
    let found = calibrated(&runs);
    let proposed = found.proposed.latency;
    assert!((1.11..=1.13).contains(&proposed), "{found:?}");
    assert!(found.fired >= 2, "1.12 and 1.12 / 1.03 are beyond 1.05: {found:?}");
    for times in [1.0, 1.001, 1.05, 1.5, 3.0] {
        assert!(!fires(&runs, proposed * times), "{times}");
    }
    assert!(fires(&runs, 1.0 + 0.9 * (proposed - 1.0)));
}

/// Three times as slow, and so is the fixed piece of work: the gate does not judge the seconds, so they need no room.
#[test]
fn a_machine_of_another_speed_widens_no_tolerance() {
    let (mut quick, mut slow) = (cells(1.0), cells(3.1));
    assert!((3.0..3.2).contains(&calibrated(&[quick.clone(), slow.clone()]).proposed.latency));
    kernel(&mut quick, 0.010);
    kernel(&mut slow, 0.031);
    let runs = [quick, slow];
    let found = calibrated(&runs);
    assert!((found.proposed.latency - 1.0).abs() < 1e-12, "{found:?}");
    assert!([1.0, 1.02, 1.5, 2.0, 3.0, 3.2].iter().all(|latency| !fires(&runs, *latency)));
}

/// A null control that differs more than the deployed cell does silences the gate wherever that would speak.
#[test]
fn a_restless_control_widens_no_tolerance() {
    let mut restless = slowed(1.5);
    control(&mut restless, 1.7);
    let runs = [cells(1.0), restless];
    let found = calibrated(&runs);
    assert!(found.proposed.latency < 1.01, "{found:?}");
    assert_eq!((found.fired, found.unsteady), (0, 2));
    assert!([1.0, 1.1, 1.4, 1.6, 1.8].iter().all(|latency| !fires(&runs, *latency)));

    let mut steadier = slowed(1.5);
    control(&mut steadier, 1.1);
    let found = calibrated(&[cells(1.0), steadier]);
    assert!((1.49..1.51).contains(&found.proposed.latency), "{found:?}");
    assert_eq!(found.unsteady, 0);
}

#[test]
fn a_device_that_was_held_back_widens_no_tolerance() {
    let mut held_back = slowed(1.5);
    throttled(&mut held_back, 4.0);
    let runs = [cells(1.0), held_back, cells(1.0)];
    let found = calibrated(&runs);
    assert!((found.proposed.latency - 1.0).abs() < 1e-12, "{found:?}");
    // Two of the three pairs, each in both orders.
    assert_eq!((found.fired, found.unsteady), (0, 4));
    assert!([1.0, 1.1, 1.4, 1.6].iter().all(|latency| !fires(&runs, *latency)));
}
