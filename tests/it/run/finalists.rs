//! The best candidates are timed: a slow one steps back, in the report and in the memo, and the next is timed in its place.

use gyro::measurement::Arm;
use gyro::run::Finished;

use super::*;

/// The regression's scenario with two candidates to be timed.
fn request_of(name: &str) -> Request {
    let out = folder(name);
    fs::create_dir_all(&out).unwrap();
    let text = fs::read_to_string("scenarios/8k_regression.yaml").unwrap();
    let root = env!("CARGO_MANIFEST_DIR");
    let text = text.replace("../", &format!("{root}/")).replace("\nsizes:\n", "\nsizes:\n  latency_candidates: 2\n");
    assert!(text.contains("latency_candidates"));
    let scenario = out.join("candidates.yaml");
    fs::write(&scenario, text).unwrap();
    Request { scenario, ..request(&out.join("run"), Resume::Automatic) }
}

fn run_of(name: &str, script: &Script) -> Finished {
    run::diagnose(&request_of(name), |_: &Scenario| Ok(script)).unwrap()
}

/// What was timed, in its order.
fn timed(finished: &Finished) -> Vec<String> {
    let timings = finished.cells.iter().filter(|(cell, _)| cell.arm == Arm::Latency);
    timings.map(|(cell, _)| cell.label().replace("latency of ", "")).collect()
}

#[test]
fn a_slow_candidate_steps_back_and_the_next_is_timed() {
    let even = run_of("finalists", &Script { held_back: Some(0.0), ..Script::default() });
    let first = even.findings.recommendation.as_ref().unwrap();
    let [deployed, one, two] = timed(&even).try_into().expect("the deployed cell and two candidates");
    assert_eq!(deployed, "linear x4");
    assert!(first.label() == one || first.label() == two, "{} was not timed", first.label());
    let time = first.because.iter().find(|line| line.starts_with("latency: ")).unwrap();
    assert!(time.contains("1.00 times [1.00, 1.00], within noise"), "{time}");

    let method: &'static str = if first.method == "ntk" { "ntk" } else { "yarn" };
    assert_eq!(first.method, method);
    let slow = run_of("finalists_slow", &Script { slow: Some(method), held_back: Some(0.0), ..Script::default() });
    let second = slow.findings.recommendation.as_ref().unwrap();
    assert_ne!(second.method, first.method);
    assert!(timed(&slow).contains(&second.label()), "{:?}", timed(&slow));
    let rejected = second.rejected.iter().find(|other| other.method == first.method).unwrap();
    assert!(rejected.because.iter().any(|line| line.contains("2.00 times [2.00, 2.00], worse")), "{rejected:?}");
    // The memo reads the same rows and comes to the same cell.
    let (_, memo) = run::memo(&slow.folder).unwrap();
    assert_eq!(memo.decision.cell, second.label());
}

#[test]
fn the_deployed_cells_ratios_come_from_its_own_blocks() {
    // A slow candidate must not move what is said of the deployed cell, nor of the machine.
    let alone = run_of("finalists_alone", &Script { held_back: Some(0.0), ..Script::default() });
    let beside = run_of("finalists_beside", &Script { slow: Some("ntk"), held_back: Some(0.0), ..Script::default() });
    for finished in [&alone, &beside] {
        let verdict = finished.findings.verdict(Question::Latency).unwrap();
        assert_eq!(verdict.ruling, Ruling::WithinNoise);
        assert_eq!(verdict.change.unwrap().n, 10);
    }
    let ratios = |run: &Finished| run.findings.speed.clone().unwrap().ratios;
    let deployed = |run: &Finished| ratios(run).into_iter().filter(|one| one.arm == "deployed").collect::<Vec<_>>();
    assert_eq!(deployed(&alone), deployed(&beside));
}

#[test]
fn a_run_that_still_times_its_candidates_says_so() {
    let request = request_of("finalists_partial");
    // Eleven cells, and the three arms of the deployed cell's timing.
    let killed = Script { stops_after: Some(14), held_back: Some(0.0), ..Script::default() };
    let outcome =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run::diagnose(&request, |_: &Scenario| Ok(&killed))));
    assert!(outcome.is_err(), "the script stops the run");
    let partial = run::report(request.out.as_ref().unwrap()).unwrap();
    let answer = &partial.findings.answer;
    assert!(answer.contains("12 of 12 cells are measured"), "{answer}");
    assert!(answer.contains("Not measured yet: the timings of the best candidates."), "{answer}");
}
