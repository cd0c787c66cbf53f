//! Verdicts of a run against a baseline.

use super::*;

pub(super) const TOLERANCE: Tolerance =
    Tolerance { short_range: 0.02, long_range: 0.02, retrieval: 0.05, latency: 1.05 };

pub(super) fn deployed() -> Cell {
    cell("linear", 4.0)
}

/// A run's cells: every quantity of the deployed cell, each document a little different.
pub(super) fn cells(machine: f64) -> Vec<(Cell, Outcome)> {
    let cell = deployed();
    let (mut rows, mut unscaled) = (Vec::new(), Vec::new());
    for document in 0..6 {
        let own = f64::from(document) / 10.0;
        rows.push(row(&cell, "short_range", Quantity::Nll, document, 3.0 + own));
        for (from, value) in [(0, 2.0), (2048, 3.0), (4096, 4.0)] {
            let mut bin = row(&cell, "long_range", Quantity::Nll, document, value + own);
            bin.reading.at = Place { from: Some(from), to: Some(from + 2048), ..Place::default() };
            rows.push(bin);
        }
        rows.push(row(&cell, "retrieval", Quantity::Recall, document, 0.9 - own / 10.0));
        for (length, seconds) in [(512, 0.1), (2048, 0.7)] {
            let wobble = 1.0 + own / 50.0;
            let mut timed = row(&cell, "latency", Quantity::Prefill, document, seconds * machine * wobble * 1.2);
            timed.reading.at = Place { length: Some(length), ..Place::default() };
            rows.push(timed.clone());
            timed.cell = Cell::unscaled().id();
            timed.reading.value = seconds * machine;
            unscaled.push(timed);
        }
    }
    vec![(Cell::unscaled(), Outcome::Measured(unscaled)), (cell, Outcome::Measured(rows))]
}

fn changed(change: impl Fn(&mut Measurement)) -> Vec<(Cell, Outcome)> {
    let mut cells = cells(1.0);
    if let Outcome::Measured(rows) = &mut cells[1].1 {
        rows.iter_mut().for_each(change);
    }
    cells
}

fn tests_of(run: &[(Cell, Outcome)], text: &str, machine: &str) -> Vec<Test> {
    let (before, id) = (cells(1.0), deployed().id());
    let baseline = Side { cells: &before, deployed: &id, text: "t", machine: "m" };
    let run = Side { cells: run, deployed: &id, text, machine };
    compare("v1", baseline, run, Tokens(2048), &TOLERANCE)
}

fn test(run: &[(Cell, Outcome)], question: Question) -> Test {
    tests_of(run, "t", "another").into_iter().find(|test| test.verdict.question == question).unwrap()
}

fn of(probe: &str) -> impl Fn(&Measurement) -> bool {
    move |row| row.reading.probe == probe
}

#[test]
fn the_same_rows_are_within_noise_on_a_faster_machine_too() {
    for machine in [1.0, 0.25] {
        let tests = tests_of(&cells(machine), "t", "another");
        let names: Vec<_> = tests.iter().map(Test::name).collect();
        assert_eq!(names, ["short_range", "long_range", "retrieval", "prefill@512", "prefill@2048"]);
        for test in tests {
            let verdict = &test.verdict;
            assert_eq!(verdict.ruling, Ruling::WithinNoise, "{verdict:?}");
            assert_eq!((verdict.against.as_str(), &verdict.why), ("v1", &None));
            assert!(test.p.is_some_and(|p| p > 0.1), "{test:?}");
        }
    }
    let latency = test(&cells(0.25), Question::Latency).verdict;
    assert!((latency.change.unwrap().point - 1.0).abs() < 1e-9);
    assert!((latency.deployed.unwrap().point - 1.2 * 1.005).abs() < 1e-3, "{latency:?}");
}

#[test]
fn seconds_are_compared_on_the_same_machine_alone() {
    let named =
        |machine| tests_of(&cells(1.25), "t", machine).into_iter().find(|test| test.name() == "prefill_seconds");
    let same = named("m").unwrap().verdict;
    assert_eq!(same.ruling, Ruling::Worse, "{same:?}");
    assert!((same.change.unwrap().point - 1.25).abs() < 1e-9);
    assert!(named("another").is_none());
}

/// Adds the timings of the fixed piece of work.
pub(super) fn kernel(cells: &mut Vec<(Cell, Outcome)>, seconds: f64) {
    let timing = deployed().latency();
    let rows = (0..24).map(|n| row(&timing, "latency", Quantity::FixedKernel, n, seconds)).collect();
    cells.push((timing, Outcome::Measured(rows)));
}

/// Adds the null control: the unscaled arm timed again, so many times as slow.
pub(super) fn control(cells: &mut [(Cell, Outcome)], times: f64) {
    let Outcome::Measured(unscaled) = &mut cells[0].1 else { unreachable!() };
    let again: Vec<_> = unscaled
        .iter()
        .map(|row| {
            let mut row = row.clone();
            (row.reading.repeat, row.reading.value) = (1, times * row.reading.value);
            row
        })
        .collect();
    unscaled.extend(again);
}

#[test]
fn a_machine_that_is_slower_itself_is_not_blamed_on_the_run() {
    let (mut before, mut now, id) = (cells(1.0), cells(1.25), deployed().id());
    kernel(&mut before, 0.010);
    kernel(&mut now, 0.013);
    let side = |cells| Side { cells, deployed: &id, text: "t", machine: "m" };
    let tests = compare("v1", side(&before), side(&now), Tokens(2048), &TOLERANCE);
    let seconds = tests.iter().find(|test| test.name() == "prefill_seconds").unwrap();
    assert_eq!(seconds.verdict.ruling, Ruling::Undecided);
    assert!(seconds.verdict.why.as_ref().is_some_and(|why| why.contains("takes 1.300 of the time")), "{seconds:?}");
}

#[test]
fn a_restless_null_control_leaves_latency_undecided() {
    let mut run = changed(|row| row.reading.value *= if of("latency")(row) { 1.5 } else { 1.0 });
    control(&mut run, 1.2);
    for test in tests_of(&run, "t", "m").iter().filter(|test| test.verdict.question == Question::Latency) {
        assert_eq!(test.verdict.ruling, Ruling::Undecided, "{test:?}");
        assert!(test.verdict.why.as_ref().is_some_and(|why| why.contains("differs by 1.200x")), "{test:?}");
    }
}

#[test]
fn a_baseline_that_was_measured_restlessly_leaves_latency_undecided_too() {
    let (mut before, now, id) = (cells(1.0), cells(1.0), deployed().id());
    control(&mut before, 1.2);
    let side = |cells| Side { cells, deployed: &id, text: "t", machine: "m" };
    let tests = compare("v1", side(&before), side(&now), Tokens(2048), &TOLERANCE);
    let timed: Vec<_> = tests.iter().filter(|test| test.verdict.question == Question::Latency).collect();
    assert_eq!(timed.len(), 3);
    for test in timed {
        assert_eq!(test.verdict.ruling, Ruling::Undecided, "{test:?}");
        assert!(
            test.verdict.why.as_ref().is_some_and(|why| why.contains("when the baseline was measured")),
            "{test:?}"
        );
    }
}

/// Damage of short range by chance, of about the tolerance, in one test alone or in each of three.
fn chances(seed: u64, questions: &[&str]) -> Vec<Test> {
    let mut random = Random::new(seed);
    let mut run = cells(1.0);
    for (_, outcome) in &mut run {
        let Outcome::Measured(rows) = outcome else { unreachable!() };
        rows.retain(|row| questions.contains(&row.reading.probe.as_str()));
        for row in rows {
            // The mean of all effects is the tolerance exactly.
            let effect = 1.0 + random.normal();
            row.reading.value += if row.reading.probe == "retrieval" { -0.05 * effect } else { 0.02 * effect };
        }
    }
    tests_of(&run, "t", "another").into_iter().filter(|test| test.p.is_some()).collect()
}

/// With a single test Holm corrects nothing: the interval and the p-value must then say the same.
#[test]
fn the_interval_and_the_p_value_of_a_single_test_agree() {
    let mut worse = 0;
    for seed in 0..200 {
        let tests = chances(seed, &["short_range"]);
        let [test] = tests.as_slice() else { panic!("{tests:?}") };
        let beyond = test.verdict.change.unwrap().low > TOLERANCE.short_range;
        let p = test.p.unwrap();
        assert!(beyond == (p < ALPHA) || (p - ALPHA).abs() < 1e-3, "{test:?}");
        assert_eq!(test.verdict.ruling == Ruling::Worse, beyond && p < ALPHA, "{test:?}");
        worse += usize::from(test.verdict.ruling == Ruling::Worse);
    }
    assert!((1..=10).contains(&worse), "{worse} of 200 alarms");
}

#[test]
fn the_gate_raises_at_most_5_percent_false_alarms() {
    let runs = 400;
    let alarmed = |seed: &u64| {
        let tests = chances(1000 + *seed, &["short_range", "long_range", "retrieval"]);
        assert_eq!(tests.len(), 3, "{tests:?}");
        tests.iter().any(|test| test.verdict.ruling == Ruling::Worse)
    };
    let alarms = (0..runs).filter(alarmed).count();
    println!("{alarms} of {runs} runs whose damage is the tolerance exactly were flagged");
    assert!((1..=20).contains(&alarms), "{alarms} of {runs}");
}

/// One of 5 tests is a little beyond the tolerance: its own interval says so, Holm's correction does not.
#[test]
fn a_lone_weak_test_among_several_is_not_enough() {
    let shifts = [0.05, 0.03, 0.06, 0.022, 0.05, 0.04];
    let weak = changed(|row| {
        if of("short_range")(row) {
            row.reading.value += shifts[row.reading.document as usize];
        }
    });
    let test = test(&weak, Question::ShortRange);
    assert!(test.verdict.change.unwrap().low > TOLERANCE.short_range, "{test:?}");
    assert_eq!(test.verdict.ruling, Ruling::Undecided);
    assert!(test.verdict.why.is_some_and(|why| why.contains("after Holm's correction over 5 tests")));
}

#[test]
fn each_question_sees_its_own_damage() {
    let short = changed(|row| row.reading.value += f64::from(u8::from(of("short_range")(row))) * 0.3);
    let verdict_short = test(&short, Question::ShortRange).verdict;
    assert_eq!(verdict_short.ruling, Ruling::Worse);
    assert!((verdict_short.change.unwrap().point - 0.3).abs() < 1e-9);
    assert!((verdict_short.reference.unwrap().point - 3.25).abs() < 1e-9);
    assert_eq!(test(&short, Question::LongRange).verdict.ruling, Ruling::WithinNoise);

    let inside = changed(|row| row.reading.value += f64::from(u8::from(row.reading.at.to == Some(2048))));
    assert_eq!(test(&inside, Question::LongRange).verdict.ruling, Ruling::WithinNoise, "below the trained length");
    let beyond = changed(|row| row.reading.value -= f64::from(u8::from(row.reading.at.from == Some(4096))));
    let verdict_beyond = test(&beyond, Question::LongRange).verdict;
    assert_eq!(verdict_beyond.ruling, Ruling::Better);
    assert!((verdict_beyond.change.unwrap().point + 0.5).abs() < 1e-9);

    let forgetful = changed(|row| row.reading.value -= f64::from(u8::from(of("retrieval")(row))) * 0.4);
    let verdict_recall = test(&forgetful, Question::Retrieval).verdict;
    assert_eq!(verdict_recall.ruling, Ruling::Worse, "less recall is worse");
    assert!((verdict_recall.change.unwrap().point + 0.4).abs() < 1e-9);

    let slow = changed(|row| row.reading.value *= if of("latency")(row) { 1.5 } else { 1.0 });
    let verdict_latency = test(&slow, Question::Latency).verdict;
    assert_eq!(verdict_latency.ruling, Ruling::Worse);
    assert!((verdict_latency.change.unwrap().point - 1.5).abs() < 1e-9);
}

#[test]
fn what_was_measured_differently_is_incomparable_and_says_why() {
    let because = |run: &[(Cell, Outcome)], question, why: &str| {
        let verdict = test(run, question).verdict;
        assert_eq!(verdict.ruling, Ruling::Incomparable, "{verdict:?}");
        assert!(verdict.change.is_none());
        assert!(verdict.why.as_deref().is_some_and(|given| given.contains(why)), "{verdict:?}");
    };
    let other = changed(|row| row.reading.protocol.push_str(":no-bos"));
    because(&other, Question::ShortRange, "protocols differ");
    because(&other, Question::Latency, "protocols differ");
    because(&changed(|row| row.reading.document += 1), Question::ShortRange, "documents");
    because(&changed(|row| row.reading.count = 99), Question::Retrieval, "255 scored places in the baseline and 99");
    because(&changed(|row| row.reading.at.length = Some(1)), Question::Latency, "not timed beside");
    because(&changed(|row| row.reading.probe = "x".to_owned()), Question::LongRange, "did not measure");
    let text = tests_of(&cells(1.0), "another", "m");
    assert_eq!(text[0].verdict.ruling, Ruling::Incomparable);
    assert!(text[0].verdict.why.as_deref().is_some_and(|why| why.contains("different text")));
}

#[test]
fn a_loss_that_is_not_a_number_is_worse_without_an_average() {
    let broken = changed(|row| {
        if of("short_range")(row) && row.reading.document == 3 {
            row.reading.value = f64::NAN;
        }
    });
    let verdict = test(&broken, Question::ShortRange).verdict;
    assert_eq!((verdict.ruling, verdict.change), (Ruling::Worse, None));
    assert!(verdict.why.is_some_and(|why| why.contains("1 of 6 documents")));
}

#[test]
fn few_or_scattered_pairs_are_undecided() {
    let scattered = changed(|row| row.reading.value += f64::from(row.reading.document) / 60.0);
    let verdict = test(&scattered, Question::ShortRange).verdict;
    assert_eq!(verdict.ruling, Ruling::Undecided, "{verdict:?}");
    assert!(verdict.why.is_some());
}

#[test]
fn cells_that_came_went_or_failed_are_listed() {
    let of = |cells: &[(Cell, Outcome)]| cells.to_vec();
    let healthy = |cell: Cell| (cell.clone(), measured(&cell));
    let before = of(&[healthy(Cell::unscaled()), healthy(deployed()), healthy(cell("ntk", 8.0))]);
    // What an examination replays depends on what it finds, and is no part of the grid.
    let hypothesis = deployed().hypothesis(vec![AnyFault::named("table_clamps").unwrap()]);
    let now = of(&[
        healthy(Cell::unscaled()),
        (deployed(), failed("out of memory")),
        healthy(cell("yarn", 4.0)),
        healthy(deployed().parity()),
        healthy(hypothesis),
        healthy(deployed().latency()),
    ]);
    let changes = cell_changes(&before, &now);
    assert_eq!(changes.new, ["yarn x4"]);
    assert_eq!(changes.missing, ["ntk x8"]);
    assert_eq!(changes.failed, ["linear x4: out of memory"]);
    let back = cell_changes(&now, &before);
    assert_eq!(
        (back.new, back.missing),
        (vec!["linear x4".to_owned(), "ntk x8".to_owned()], vec!["yarn x4".to_owned()])
    );
}

/// Adds how often the device was held back while it was timed.
pub(super) fn throttled(cells: &mut Vec<(Cell, Outcome)>, events: f64) {
    let timing = deployed().latency();
    let rows = vec![row(&timing, "latency", Quantity::Throttling, 1, events)];
    cells.push((timing, Outcome::Measured(rows)));
}

/// A run whose deployed cell takes half as long again.
fn slower() -> Vec<(Cell, Outcome)> {
    changed(|row| row.reading.value *= if of("latency")(row) { 1.5 } else { 1.0 })
}

/// The rulings on time with their reasons.
fn timed(tests: Vec<Test>) -> Vec<(Ruling, String)> {
    let timed = tests.into_iter().filter(|test| test.verdict.question == Question::Latency);
    timed.map(|test| (test.verdict.ruling, test.verdict.why.unwrap_or_default())).collect()
}

#[test]
fn a_device_that_was_held_back_on_either_side_leaves_latency_undecided() {
    let id = deployed().id();
    let judged = |then: f64, now: f64| {
        let (mut before, mut run) = (cells(1.0), slower());
        throttled(&mut before, then);
        throttled(&mut run, now);
        let baseline = Side { cells: &before, deployed: &id, text: "t", machine: "m" };
        let run = Side { cells: &run, deployed: &id, text: "t", machine: "m" };
        compare("v1", baseline, run, Tokens(2048), &TOLERANCE)
    };
    for (then, now, words) in [(0.0, 3.0, "while it was timed"), (2.0, 0.0, "when the baseline was timed")] {
        let tests = judged(then, now);
        assert_eq!(tests[0].verdict.ruling, Ruling::WithinNoise, "a loss depends on no clock: {tests:?}");
        let timed = timed(tests);
        assert_eq!(timed.len(), 3);
        for (ruling, why) in timed {
            assert_eq!(ruling, Ruling::Undecided);
            assert!(why.contains("held back for heat or power") && why.contains(words), "{why}");
        }
    }
    assert!(timed(judged(0.0, 0.0)).iter().all(|(ruling, _)| *ruling == Ruling::Worse));
}

/// Adds the timings of ten other cells: blocks in which the unscaled arm takes so many times as long the second time.
fn finalists(cells: &mut [(Cell, Outcome)], times: f64) {
    let Outcome::Measured(unscaled) = &mut cells[0].1 else { unreachable!() };
    let own: Vec<Measurement> = unscaled.iter().filter(|row| row.reading.repeat == 0).cloned().collect();
    for turn in 1..=10 {
        for (repeat, times) in [(0, 1.0), (1, times)] {
            for row in &own {
                let mut row = row.clone();
                row.reading.document += turn * 10_000;
                row.reading.repeat = repeat;
                row.reading.value *= times;
                unscaled.push(row);
            }
        }
    }
}

#[test]
fn only_the_blocks_of_the_deployed_cell_say_how_restless_its_timing_was() {
    let (mut restless, mut calm) = (slower(), slower());
    control(&mut restless, 1.2);
    finalists(&mut restless, 1.0);
    for (ruling, why) in timed(tests_of(&restless, "t", "m")) {
        assert_eq!(ruling, Ruling::Undecided);
        assert!(why.contains("differs by 1.200x"), "{why}");
    }
    control(&mut calm, 1.0);
    finalists(&mut calm, 1.2);
    assert!(timed(tests_of(&calm, "t", "m")).iter().all(|(ruling, _)| *ruling == Ruling::Worse));
}

/// It has no ratio to itself; where its seconds compare, nothing is left open.
#[test]
fn an_unscaled_deployment_compares_by_its_seconds_on_the_same_machine() {
    let (before, now, id) = (cells(1.0), cells(1.25), Cell::unscaled().id());
    let judged = |machine: &str| {
        let baseline = Side { cells: &before, deployed: &id, text: "t", machine: "m" };
        let run = Side { cells: &now, deployed: &id, text: "t", machine };
        let tests = compare("v1", baseline, run, Tokens(2048), &TOLERANCE);
        tests.iter().map(|test| (test.name(), test.verdict.ruling)).collect::<Vec<_>>()
    };
    assert_eq!(judged("m"), [("prefill_seconds".to_owned(), Ruling::Worse)]);
    assert_eq!(judged("another"), [("prefill".to_owned(), Ruling::Incomparable)]);
}
