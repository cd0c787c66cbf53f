//! Runs against a baseline: what was planted is flagged under its own question, and health is silent.

use gyro::baselines::{Acceptance, Gate, save, show};
use gyro::findings::{Question, Ruling};
use gyro::run::Against;

use super::*;

/// The shipped scenario with a tolerance of 5 % on time and more blocks, in a folder of its own.
fn scenario(name: &str) -> (PathBuf, PathBuf) {
    let home = folder(name);
    fs::create_dir_all(&home).unwrap();
    let text = fs::read_to_string("scenarios/8k_regression.yaml").unwrap();
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let text = text.replace("../models", models.to_str().unwrap()).replace("latency: 1.10", "latency: 1.05");
    let text = text.replace("latency_blocks: 10", "latency_blocks: 16");
    let path = home.join("8k_regression.yaml");
    fs::write(&path, text).unwrap();
    (home, path)
}

fn asked(scenario: &Path, out: PathBuf, baseline: Option<&Path>) -> Request {
    Request {
        scenario: scenario.to_owned(),
        baseline: baseline.map(|root| Against { root: root.to_owned(), name: "main".to_owned(), required: true }),
        // What a gate needs: the deployed cell and its references.
        questions: Some(Question::ALL.to_vec()),
        ..request(&out, Resume::Automatic)
    }
}

fn measured(request: &Request, script: &Script) -> run::Finished {
    run::diagnose(request, |_: &Scenario| Ok(script)).unwrap()
}

/// A baseline of the healthy state, and the gate of a later state against it.
fn gate_of(name: &str, plant: Plant) -> (Gate, u8) {
    let (home, path) = scenario(name);
    let before = measured(&asked(&path, home.join("before"), None), &Script { jitter: 1, ..Script::default() });
    save(&home.join("baselines"), "8k_regression", "main", &before.folder, &Acceptance::default()).unwrap();
    let script = Script { plant, jitter: 2, ..Script::default() };
    let now = measured(&asked(&path, home.join("now"), Some(&home.join("baselines"))), &script);
    let gate = now.gate.unwrap();
    let code = gate.exit_code();
    (gate, code)
}

/// The names of the tests that say worse.
fn worse(gate: &Gate) -> Vec<String> {
    gate.worse().map(gyro::baselines::Test::name).collect()
}

#[test]
fn two_percent_more_short_range_loss_is_flagged_and_nothing_else() {
    let (gate, code) = gate_of("gate-short", Plant::Short(1.02));
    assert_eq!((worse(&gate), code), (vec!["short_range".to_owned()], 1), "{gate:#?}");
    let test = gate.worse().next().unwrap();
    // 2 % of a loss of about 2.9 nats/token.
    let change = test.verdict.change.unwrap();
    assert!((0.05..0.065).contains(&change.point) && change.low > 0.02, "{change:?}");
    assert!(test.again.as_ref().is_some_and(|again| again.starts_with("confirmed: worse")), "{test:?}");
}

#[test]
fn a_step_at_the_trained_length_is_flagged_with_its_place() {
    let (gate, code) = gate_of("gate-step", Plant::Step(0.1));
    assert_eq!((worse(&gate), code), (vec!["long_range".to_owned()], 1), "{gate:#?}");
    assert_eq!(gate.worse().next().unwrap().begins, Some(2048));
}

#[test]
fn ten_percent_slower_decoding_is_flagged_and_prefill_is_not() {
    let (gate, code) = gate_of("gate-decode", Plant::Decode(1.10));
    let found = worse(&gate);
    assert_eq!(code, 1, "{gate:#?}");
    assert!(!found.is_empty() && found.iter().all(|name| name.starts_with("decode")), "{found:?}");
    // Holm asks more of each of thirteen tests than its own interval does: not every length must reach that.
    let ratios = found.iter().filter(|name| name.contains('@')).count();
    assert!(ratios >= 3, "{gate:#?}");
}

#[test]
fn a_part_that_grew_since_the_baseline_is_named() {
    for (part, words) in [
        (Quantity::PositionTable, "making the table of positions is what grew"),
        (Quantity::PositionalWork, "positional work on queries and keys is what grew"),
        (Quantity::CacheGrowth, "the growth of the cache is what grew"),
        (Quantity::AttentionKernel, "the attention kernel is what grew"),
    ] {
        // 10 % of a decoded token.
        let (gate, code) = gate_of(&format!("gate-part-{}", part.name()), Plant::Part(part, 0.0002));
        assert_eq!(code, 1, "{gate:#?}");
        let named: Vec<_> = gate.worse().filter(|test| test.length.is_some()).collect();
        assert!(named.len() >= 3, "{gate:#?}");
        for test in named {
            let why = test.verdict.why.as_deref().unwrap();
            let share = format!("{words}: timed apart it takes ");
            let percent: f64 = why.strip_prefix(&share).unwrap().split(' ').next().unwrap().parse().unwrap();
            assert!((9.5..10.5).contains(&percent), "{why}");
        }
    }
}

/// Every repeat is compared with the first one; the clock is as restless as before.
#[test]
fn twenty_healthy_repeats_flag_nothing() {
    let (home, path) = scenario("gate-healthy");
    let before = measured(&asked(&path, home.join("before"), None), &Script { jitter: 1, ..Script::default() });
    let root = home.join("baselines");
    save(&root, "8k_regression", "main", &before.folder, &Acceptance::default()).unwrap();
    let mut flagged = 0;
    for repeat in 0..20 {
        let script = Script { jitter: 100 + repeat, ..Script::default() };
        let now = measured(&asked(&path, home.join("now"), Some(&root)), &script);
        flagged += usize::from(now.gate.unwrap().exit_code() == 1);
    }
    println!("{flagged} of 20 healthy repeats were flagged");
    assert_eq!(flagged, 0);
}

#[test]
fn a_suspicion_that_does_not_come_again_is_taken_back() {
    let (home, path) = scenario("gate-again");
    let before = measured(&asked(&path, home.join("before"), None), &Script::default());
    let root = home.join("baselines");
    save(&root, "8k_regression", "main", &before.folder, &Acceptance::default()).unwrap();
    // The first measurement is damaged, the second one is not: something passing.
    let engine = Passing { damaged: Script { plant: Plant::Short(1.05), ..Script::default() }, ..Passing::default() };
    let request = asked(&path, home.join("now"), Some(&root));
    let now = run::diagnose(&request, |_: &Scenario| Ok(&engine)).unwrap();
    let gate = now.gate.unwrap();
    let test = gate.tests.iter().find(|test| test.verdict.question == Question::ShortRange).unwrap();
    assert_eq!(test.verdict.ruling, Ruling::Undecided);
    assert!(
        test.again.as_ref().is_some_and(|again| again.starts_with("measured again it was within noise")),
        "{test:?}"
    );
    assert_eq!(gate.exit_code(), 2);
}

/// Damaged while it is asked for the first time, healthy afterwards.
#[derive(Default)]
struct Passing {
    damaged: Script,
    healthy: Script,
}

impl Engine for &Passing {
    fn subject(&self, cell: &Cell) -> Result<Box<dyn Subject>, SubjectError> {
        let first = !self.damaged.asked.borrow().contains_key("linear x4");
        if first { (&self.damaged).subject(cell) } else { (&self.healthy).subject(cell) }
    }
}

#[test]
fn a_missing_baseline_is_said_before_anything_is_measured() {
    let (home, path) = scenario("gate-missing");
    let script = Script::default();
    let request = asked(&path, home.join("now"), Some(&home.join("baselines")));
    let error = run::diagnose(&request, |_: &Scenario| Ok(&script)).unwrap_err().to_string();
    assert!(error.starts_with("no baseline `main` of `8k_regression`"), "{error}");
    assert!(script.asked.borrow().is_empty());
}

#[test]
fn what_an_observed_engine_runs_is_compared_from_files_too() {
    let (home, path) = scenario("gate-observed");
    let running = Candidate::healthy(AnyMethod::named("ntk").unwrap(), Stretch(2.0));
    let found = Found { sentence: "The engine runs ntk x2.".to_owned(), running: Some(running) };
    let request = Request { found: Some(found), ..asked(&path, home.join("before"), None) };
    let before = measured(&request, &Script::default());
    let root = home.join("baselines");
    save(&root, "8k_regression", "main", &before.folder, &Acceptance::default()).unwrap();

    let (baseline, written) = (show(&root, "8k_regression", "main").unwrap(), gyro::scenario::load(&path).unwrap());
    let mut now = run::load(&before.folder).unwrap();
    assert_eq!(now.deployed().unwrap(), baseline.record.deployed);
    assert_ne!(now.deployed().unwrap(), written.deployed_cell().id(), "linear x4 was meant");
    let gate = now.compared(&written, &baseline).unwrap();
    assert!(!gate.tests.is_empty());
    assert!(gate.tests.iter().all(|test| test.verdict.ruling == Ruling::WithinNoise), "{gate:#?}");
    assert_eq!(gate.exit_code(), 0);

    now.findings.deployed = "alibi".to_owned();
    let error = now.compared(&written, &baseline).unwrap_err().to_string();
    assert!(error.contains("has no cell of its deployed `alibi`"), "{error}");
}

#[test]
fn an_engine_of_which_nobody_knows_what_it_runs_is_compared_in_nothing() {
    let (home, path) = scenario("gate-unidentified");
    let before = measured(&asked(&path, home.join("before"), None), &Script::default());
    let root = home.join("baselines");
    save(&root, "8k_regression", "main", &before.folder, &Acceptance::default()).unwrap();
    let found = Found { sentence: "The engine runs nothing known.".to_owned(), running: None };
    let request = Request { found: Some(found), ..asked(&path, home.join("now"), Some(&root)) };
    let script = Script { plant: Plant::Short(1.05), ..Script::default() };
    let now = measured(&request, &script);

    let (baseline, written) = (show(&root, "8k_regression", "main").unwrap(), gyro::scenario::load(&path).unwrap());
    let from_files = run::load(&now.folder).unwrap().compared(&written, &baseline).unwrap();
    for gate in [now.gate.as_ref().unwrap(), &from_files] {
        assert_eq!(gate.exit_code(), 2);
        assert!(!gate.tests.is_empty());
        for test in &gate.tests {
            assert_eq!(test.verdict.ruling, Ruling::Incomparable);
            let why = test.verdict.why.as_deref().unwrap();
            assert!(why.starts_with("what the engine runs is not identified: "), "{why}");
        }
    }
    assert!(!now.folder.join("again").exists(), "there is no suspicion to measure again");
}

#[test]
fn a_diagnosis_is_no_pass_where_its_baseline_was_not_judged() {
    let (home, path) = scenario("gate-exit");
    let before = measured(&asked(&path, home.join("before"), None), &Script::default());
    let root = home.join("baselines");
    save(&root, "8k_regression", "main", &before.folder, &Acceptance::default()).unwrap();
    let mut now = measured(&asked(&path, home.join("now"), Some(&root)), &Script::default());
    assert_eq!(now.gate.as_ref().unwrap().exit_code(), 0);
    assert_eq!(now.exit_code(), 1, "linear x4 is worse than the reference, as it was then");
    now.findings.verdicts.clear();
    assert_eq!(now.exit_code(), 0);
    now.gate.as_mut().unwrap().cells.missing.push("ntk x8".to_owned());
    assert_eq!(now.exit_code(), 2);
}

/// What `gyro bench` does under a scenario that lets latency stay undecided.
#[test]
fn what_is_asked_for_alone_must_be_decided() {
    let (home, path) = scenario("gate-alone");
    let text = fs::read_to_string(&path).unwrap() + "\ndecide: [short_range]\n";
    fs::write(&path, text).unwrap();
    let before = measured(&asked(&path, home.join("before"), None), &Script::default());
    let root = home.join("baselines");
    save(&root, "8k_regression", "main", &before.folder, &Acceptance::default()).unwrap();
    let request = Request { questions: Some(vec![Question::Latency]), ..asked(&path, home.join("now"), Some(&root)) };
    let script = Script { held_back: Some(1.0), ..Script::default() };
    let gate = measured(&request, &script).gate.unwrap();
    assert_eq!(gate.decide, [Question::Latency]);
    assert!(gate.tests.iter().all(|test| test.verdict.ruling == Ruling::Undecided), "{gate:#?}");
    assert_eq!(gate.exit_code(), 2);
}

#[test]
fn a_run_of_one_cell_misses_no_others() {
    let (home, path) = scenario("gate-only");
    let whole = Request { questions: None, ..asked(&path, home.join("before"), None) };
    let before = measured(&whole, &Script::default());
    let root = home.join("baselines");
    save(&root, "8k_regression", "main", &before.folder, &Acceptance::default()).unwrap();
    let only = Some("ntk x4".to_owned());
    let alone = Request { questions: None, only, ..asked(&path, home.join("now"), Some(&root)) };
    let gate = measured(&alone, &Script::default()).gate.unwrap();
    assert!(gate.cells.missing.is_empty(), "{gate:#?}");
    assert_eq!(gate.exit_code(), 0, "{gate:#?}");
}
