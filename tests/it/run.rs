//! The whole run on a scripted engine: rows after every cell, resumed without repeating one, a failing cell survived.

mod committed;
mod finalists;
mod gate;
mod nightly;
mod program;
mod timing;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use gyro::baselines::Resume;
use gyro::findings::{Axis, Question, Ruling};
use gyro::identify::Candidate;
use gyro::measurement::{Cell, Quantity};
use gyro::positions::{AnyMethod, Method};
use gyro::run::{self, Found, Request};
use gyro::scenario::Scenario;
use gyro::stats::random::Random;
use gyro::subject::{Engine, LayerAttention, Look, Scores, Stopwatch, Subject, SubjectError, Window};
use gyro::units::{Seconds, Stretch};

/// A model whose loss is told by a script: short range suffers under `linear`, positions past 2,048 under everything
/// whose factor is below 4.
struct Scripted {
    fails: bool,
    method: &'static str,
    factor: f64,
    plant: Plant,
    /// Restlessness of its clock; absent: times are exact.
    jitter: Option<Random>,
}

/// What the deployed model, linear x4, has become since the baseline was saved.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Plant {
    /// Nothing else.
    #[default]
    Healthy,
    /// The loss of the first 256 positions of every window is so many times what it was.
    Short(f32),
    /// The loss is so many nats more from position 2,048 on.
    Step(f32),
    /// A decoded token takes so many times what it took.
    Decode(f64),
    /// A part of every decoded token takes so many seconds more.
    Part(Quantity, f64),
}

/// What was asked of which configuration, and which one fails.
#[derive(Default)]
struct Script {
    asked: RefCell<BTreeMap<String, usize>>,
    fails: Option<&'static str>,
    /// Which method decodes in twice the time.
    slow: Option<&'static str>,
    /// After so many subjects the process is told to stop, like a kill.
    stops_after: Option<usize>,
    plant: Plant,
    /// Seed of the clock's restlessness, 1 % of every time; 0: times are exact.
    jitter: u64,
    /// How often the machine says that it was held back whenever it is asked; absent: it has no clock of its own.
    held_back: Option<f64>,
}

impl Engine for &Script {
    fn subject(&self, cell: &Cell) -> Result<Box<dyn Subject>, SubjectError> {
        let (method, factor) = (&cell.method, cell.factor);
        let name = format!("{} x{factor}", method.label());
        *self.asked.borrow_mut().entry(name.clone()).or_default() += 1;
        assert!(self.stops_after.is_none_or(|most| self.asked.borrow().values().sum::<usize>() <= most), "killed");
        let fails = self.fails == Some(method.name());
        let deployed = method.name() == "linear" && factor.0 == 4.0;
        let subjects = self.asked.borrow().values().sum::<usize>() as u64;
        Ok(Box::new(Scripted {
            fails,
            method: method.name(),
            factor: factor.0,
            plant: if self.slow == Some(method.name()) {
                Plant::Decode(2.0)
            } else if deployed {
                self.plant
            } else {
                Plant::Healthy
            },
            jitter: (self.jitter > 0).then(|| Random::new(self.jitter * 1000 + subjects)),
        }))
    }

    fn stopwatch(&self) -> Option<&dyn Stopwatch> {
        self.held_back.map(|_| *self as &dyn Stopwatch)
    }
}

impl Stopwatch for Script {
    fn without_positions(&self) -> Result<Box<dyn Subject>, SubjectError> {
        (&self).subject(&Cell::unscaled())
    }

    fn fixed_kernel(&self) -> Result<Seconds, SubjectError> {
        Ok(Seconds(0.003))
    }

    fn held_back(&self) -> Option<f64> {
        self.held_back
    }

    fn clock(&self) -> Option<f64> {
        None
    }

    fn fresh_pages(&self) -> Option<f64> {
        Some(7.0)
    }

    fn peak_memory(&self) -> Option<f64> {
        Some(3e8)
    }
}

impl Scripted {
    fn loss(&self, position: usize, token: u32) -> f32 {
        let noise = (token.wrapping_mul(2_654_435_761) >> 16) as f32 / 65_536.0;
        let compressed = if self.method == "linear" { 0.4 * (self.factor as f32).log2() } else { 0.0 };
        let unseen = if position as f64 > 2048.0 * self.factor { 2.0 } else { 0.0 };
        let loss = 2.0 + 0.2 * noise + compressed + unseen;
        match self.plant {
            Plant::Short(times) if position < 256 => times * loss,
            Plant::Step(more) if position >= 2048 => loss + more,
            _ => loss,
        }
    }

    fn time(&mut self, seconds: f64) -> Seconds {
        Seconds(seconds * (1.0 + 0.01 * self.jitter.as_mut().map_or(0.0, Random::normal)))
    }
}

impl Subject for Scripted {
    fn score(&mut self, windows: &[Window<'_>]) -> Result<Vec<Scores>, SubjectError> {
        if self.fails {
            return Err(SubjectError::OutOfMemory("scripted".to_owned()));
        }
        Ok(windows
            .iter()
            .map(|window| {
                // Relative positions: a window alone never leaves the trained range.
                let tokens = window.tokens.iter().enumerate().skip(1);
                let log_probability: Vec<f32> = tokens.map(|(i, &token)| -self.loss(i, token)).collect();
                Scores { is_top: log_probability.iter().map(|p| *p > -3.5).collect(), log_probability }
            })
            .collect())
    }

    fn attention(&mut self, _: &[u32], look: &Look) -> Result<Vec<LayerAttention>, SubjectError> {
        let bins = look.distance_edges.len() - 1;
        Ok(vec![LayerAttention { entropy: 1.0, mass: vec![1.0 / bins as f64; bins], queries: 1, ..Default::default() }])
    }

    fn prefill(&mut self, tokens: &[u32]) -> Result<Seconds, SubjectError> {
        Ok(self.time(tokens.len() as f64 * 1e-4))
    }

    fn decode(&mut self, _: &[u32]) -> Result<Seconds, SubjectError> {
        let seconds = match self.plant {
            Plant::Decode(times) => 0.002 * times,
            Plant::Part(_, more) => 0.002 + more,
            _ => 0.002,
        };
        Ok(self.time(seconds))
    }

    fn parts(&mut self, _: &[u32]) -> Result<Vec<(Quantity, Seconds)>, SubjectError> {
        let plant = self.plant;
        let seconds = |part| {
            if let Plant::Part(slow, more) = plant
                && slow == part
            {
                0.0004 + more
            } else {
                0.0004
            }
        };
        Ok(Quantity::PARTS.map(|part| (part, self.time(seconds(part)))).to_vec())
    }
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("run").join(name);
    let _ = fs::remove_dir_all(&folder);
    folder
}

fn request(out: &Path, resume: Resume) -> Request {
    Request {
        scenario: "scenarios/8k_regression.yaml".into(),
        out: Some(out.to_owned()),
        device: "scripted".to_owned(),
        threads: 1,
        quick: false,
        only: None,
        exhaustive: false,
        resume,
        baseline: None,
        found: None,
        questions: None,
    }
}

#[test]
fn a_planted_method_failure_is_found_from_the_scenario_to_the_page() {
    let out = folder("planted");
    let script = Script::default();
    let finished = run::diagnose(&request(&out, Resume::Automatic), |_: &Scenario| Ok(&script)).unwrap();
    let findings = &finished.findings;
    assert_eq!(findings.verdict(Question::ShortRange).unwrap().ruling, Ruling::Worse, "{findings:#?}");
    assert_eq!(findings.causes.iter().find(|c| c.question == Question::ShortRange).unwrap().axis, Axis::Method);
    assert_eq!(findings.verdict(Question::Latency).unwrap().ruling, Ruling::WithinNoise);
    assert_eq!(findings.exit_code(), 1);
    for file in ["findings.json", "measurements.parquet", "run.json", "report.md", "report.html"] {
        assert!(out.join(file).is_file(), "{file} is missing");
    }
    // The pages from the files alone are the pages of the run.
    let before = fs::read(out.join("report.html")).unwrap();
    run::report(&out).unwrap();
    assert!(before == fs::read(out.join("report.html")).unwrap(), "the rebuilt report differs");
}

#[test]
fn what_an_engine_was_found_to_run_takes_the_place_of_what_was_meant() {
    let running = Candidate::healthy(AnyMethod::named("yarn").unwrap(), Stretch(4.0));
    let found = Found { sentence: "The engine runs yarn x4.".to_owned(), running: Some(running) };
    let script = Script::default();
    let request = Request { found: Some(found), ..request(&folder("found"), Resume::Automatic) };
    let findings = run::diagnose(&request, |_: &Scenario| Ok(&script)).unwrap().findings;
    assert!(findings.deployed.contains("yarn"), "{}", findings.deployed);
    assert!(findings.answer.starts_with("The engine runs yarn x4."), "{}", findings.answer);
    // Linear x4 was meant, which the script makes worse; YaRN is not.
    assert_ne!(findings.verdict(Question::ShortRange).unwrap().ruling, Ruling::Worse);
    let meant = findings.answer.split("What was meant, linear x4, would change short range by ").nth(1);
    let meant = meant.unwrap_or_else(|| panic!("{}", findings.answer));
    assert!(meant.contains("nats/token [") && meant.contains("against the reference."), "{meant}");
}

#[test]
fn a_killed_run_goes_on_with_the_cells_that_are_missing() {
    let out = folder("killed");
    let killed = Script { stops_after: Some(5), ..Script::default() };
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        run::diagnose(&request(&out, Resume::Automatic), |_: &Scenario| Ok(&killed))
    }));
    assert!(outcome.is_err(), "the script stops the run");
    let script = Script::default();
    let resumed = run::diagnose(&request(&out, Resume::Require), |_: &Scenario| Ok(&script)).unwrap();
    let asked: usize = script.asked.borrow().values().sum();
    let all = Script::default();
    let whole = run::diagnose(&request(&folder("whole"), Resume::Automatic), |_: &Scenario| Ok(&all)).unwrap();
    // Five cells were on disk when the sixth was killed.
    assert_eq!(asked + 5, all.asked.borrow().values().sum::<usize>());
    assert_eq!(resumed.findings, whole.findings);
    assert_eq!(resumed.cells, whole.cells);
}

#[test]
fn a_run_that_is_going_on_has_a_partial_report() {
    let out = folder("partial");
    let killed = Script { stops_after: Some(5), ..Script::default() };
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        run::diagnose(&request(&out, Resume::Automatic), |_: &Scenario| Ok(&killed))
    }));
    assert!(outcome.is_err(), "the script stops the run");
    let partial = run::report(&out).unwrap();
    assert_eq!((partial.page, partial.cells.len()), ("partial", 5));
    assert!(partial.findings.answer.contains("5 of 12 cells are measured"), "{}", partial.findings.answer);
    assert_eq!(partial.findings.recommendation, None);
    let page = fs::read_to_string(out.join("partial.html")).unwrap();
    assert!(page.contains("still going on") && page.contains("yarn x8"), "it names what is missing");
    assert!(!out.join("findings.json").exists() && !out.join("report.html").exists());
    // Once it is finished, the report is the whole one.
    let script = Script::default();
    run::diagnose(&request(&out, Resume::Require), |_: &Scenario| Ok(&script)).unwrap();
    assert_eq!(run::report(&out).unwrap().page, "report");
}

#[test]
fn one_cell_can_be_measured_alone() {
    let script = Script::default();
    let alone = Request { only: Some("ntk x4".to_owned()), ..request(&folder("alone"), Resume::Automatic) };
    let finished = run::diagnose(&alone, |_: &Scenario| Ok(&script)).unwrap();
    let labels: Vec<String> = finished.cells.iter().map(|(cell, _)| cell.label()).collect();
    assert_eq!(labels, ["none", "linear x4", "ntk x4", "none, truncated context"]);
    // The same numbers as in the whole run.
    let all = Script::default();
    let whole = run::diagnose(&request(&folder("alone_whole"), Resume::Automatic), |_: &Scenario| Ok(&all)).unwrap();
    for (cell, outcome) in &finished.cells {
        assert_eq!(whole.cells.iter().find(|(other, _)| other == cell).map(|(_, outcome)| outcome), Some(outcome));
    }
    let unknown = Request { only: Some("ntk x5".to_owned()), ..alone };
    let error = run::diagnose(&unknown, |_: &Scenario| Ok(&all)).unwrap_err();
    assert!(
        error.to_string().contains("no cell `ntk x5`") && error.to_string().contains("hint: it has none"),
        "{error}"
    );
}

#[test]
fn the_memo_is_written_from_a_runs_files() {
    let out = folder("memo");
    let script = Script::default();
    run::diagnose(&request(&out, Resume::Automatic), |_: &Scenario| Ok(&script)).unwrap();
    let (_, memo) = run::memo(&out).unwrap();
    // `linear` is scripted to lose 0.8 nats/token at short range; the other two lose nothing.
    assert!(["ntk x4", "ntk x8", "yarn x4", "yarn x8"].contains(&memo.decision.cell.as_str()), "{:?}", memo.decision);
    let last = memo.candidates.last().map(|candidate| candidate.cell.method.name());
    assert_eq!(last, Some("linear"));
    for file in ["memo.md", "memo.html", "memo.json", "charts/memo_periods.svg"] {
        assert!(out.join(file).is_file(), "{file} is missing");
    }
    let error = run::memo(&folder("no_run")).unwrap_err();
    assert!(format!("{error:#}").contains("hint:"), "{error:#}");
}

#[test]
fn a_failing_cell_is_a_finding_and_the_run_goes_on() {
    let script = Script { fails: Some("ntk"), ..Script::default() };
    let finished = run::diagnose(&request(&folder("failing"), Resume::Automatic), |_: &Scenario| Ok(&script)).unwrap();
    let failed: Vec<_> = finished.findings.cells.iter().filter(|cell| cell.outcome == "failed").collect();
    assert_eq!(failed.len(), 3, "{failed:?}");
    assert!(failed.iter().all(|cell| cell.reason.as_deref().is_some_and(|reason| reason.contains("out of memory"))));
    assert_eq!(finished.findings.verdict(Question::ShortRange).unwrap().ruling, Ruling::Worse);
}

#[test]
fn what_is_deployed_is_audited_before_anything_runs() {
    let out = folder("audited");
    fs::create_dir_all(&out).unwrap();
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/reference/rope-2k");
    let mut config: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(model.join("config.json")).unwrap()).unwrap();
    config["max_position_embeddings"] = 8192.into();
    config["rope_parameters"] = serde_json::json!({
        "rope_type": "linear", "factor": 2.0, "rope_theta": 20000.0, "original_max_position_embeddings": 2048
    });
    fs::write(out.join("engine.json"), serde_json::to_string_pretty(&config).unwrap()).unwrap();
    let scenario = format!(
        "question: What is wrong with this engine?\ncheckpoint: {}\ntext: {}\ntrained: 2048\ntarget: 8192\n\
         deployed: {{ config: engine.json }}\nablate: {{ methods: [none, linear, ntk], factors: [1, 4] }}\n\
         probes: [short_range, long_range]\nsizes: {{ documents: 2 }}\n",
        model.display(),
        model.with_file_name("held-out.txt").display(),
    );
    fs::write(out.join("engine.yaml"), scenario).unwrap();
    let request = Request { scenario: out.join("engine.yaml"), ..request(&out.join("run"), Resume::Automatic) };
    let script = Script::default();
    let findings = run::diagnose(&request, |_: &Scenario| Ok(&script)).unwrap().findings;
    assert_eq!(findings.deployed, "linear x2");
    let found: Vec<_> =
        findings.audit.iter().map(|found| (found.check.as_str(), found.file.as_str(), found.line)).collect();
    // The configuration is sorted by key, so that the rope object stands near its end.
    for check in ["factor_ratio", "other_heads"] {
        let of_check = found.iter().find(|(name, ..)| *name == check);
        let (_, file, line) = of_check.unwrap_or_else(|| panic!("no {check} in {found:?}"));
        assert!(*file == "deployed engine.json" && line.is_some_and(|line| line > 15), "{found:?}");
    }
    assert!(findings.audit.windows(2).all(|pair| pair[0].severity >= pair[1].severity), "{found:?}");
    let page = fs::read_to_string(out.join("run/report.md")).unwrap();
    assert!(
        page.contains("## What the configuration says by itself") && page.contains("huggingface/transformers #38224")
    );
}

#[test]
fn every_method_has_a_summary() {
    for name in AnyMethod::NAMES {
        assert!(!AnyMethod::named(name).unwrap().summary().is_empty());
    }
}
