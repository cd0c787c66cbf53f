//! Planted causes must be found, and healthy runs must raise no alarm. The damages are modelled on a small reference
//! model trained at 2,048 tokens and stretched to 8,192.

use std::collections::BTreeMap;
use std::path::PathBuf;

use gyro::ablation::{Evidence, diagnose};
use gyro::findings::{Axis, Cause, Findings, Question, Ruling};
use gyro::measurement::{Arm, Cell, Measurement, Outcome, Place, Quantity, Reading};
use gyro::positions::{AnyMethod, Scheme};
use gyro::scenario::{GridShape, ProbeName, Scenario, Sizes, Tolerance};
use gyro::stats::random::Random;
use gyro::units::{Stretch, Tokens};

const BINS: [u32; 7] = [0, 64, 256, 1024, 2048, 4096, 8192];
const DISTANCES: [u32; 7] = [16, 64, 256, 1024, 2048, 4096, 8192];
/// Loss of the healthy reference in each bin of positions.
const HEALTHY: [f64; 6] = [3.33, 2.80, 3.10, 2.94, 2.84, 2.88];

/// What a cell does: damage at short range, damage by position bin, recall by distance bin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nature {
    pub(super) short: f64,
    pub(super) long: [f64; 6],
    pub(super) recall: [f64; 6],
}

pub(super) const GOOD: Nature = Nature { short: 0.0, long: [0.0; 6], recall: [0.95; 6] };

pub(super) fn textbook(method: &str, factor: f64) -> Nature {
    let nature = |short, long, recall| Nature { short, long, recall };
    match (method, factor) {
        (_, 1.0) => nature(0.0, [0.0, 0.0, 0.0, 0.0, 0.37, 1.34], [0.95, 0.95, 0.95, 0.9, 0.0, 0.0]),
        ("linear", 2.0) => nature(0.5, [0.5, 0.5, 0.5, 0.5, 0.6, 1.6], [0.3, 0.2, 0.1, 0.0, 0.0, 0.0]),
        ("linear", 4.0) => nature(1.17, [1.11, 1.32, 1.34, 1.37, 1.33, 1.41], [0.0; 6]),
        ("linear", _) => nature(1.8, [1.8, 1.9, 1.9, 1.9, 2.0, 2.0], [0.0; 6]),
        ("ntk", 2.0) => nature(0.004, [0.01, 0.01, 0.0, 0.03, -0.06, 0.47], [0.95, 0.95, 0.95, 0.9, 0.6, 0.0]),
        ("ntk", 4.0) => nature(0.02, [0.02, 0.02, 0.03, 0.07, -0.03, 0.01], [0.95, 0.95, 0.95, 0.95, 0.85, 0.4]),
        ("ntk", _) => nature(0.045, [0.04, 0.07, 0.08, 0.12, 0.01, 0.08], [0.95, 0.95, 0.95, 0.95, 0.9, 0.9]),
        ("yarn", 2.0) => nature(0.015, [0.02, 0.02, 0.0, 0.03, -0.05, 0.52], [0.95, 0.95, 0.95, 0.9, 0.6, 0.0]),
        ("yarn", 4.0) => nature(0.03, [0.04, 0.03, 0.03, 0.07, -0.02, -0.01], [0.95, 0.95, 0.95, 0.95, 0.92, 0.9]),
        _ => nature(0.05, [0.06, 0.06, 0.05, 0.1, 0.03, 0.07], [0.95, 0.95, 0.95, 0.95, 0.9, 0.9]),
    }
}

pub(super) fn method(name: &str) -> AnyMethod {
    AnyMethod::named(name).unwrap()
}

pub(super) fn cell(name: &str, factor: f64) -> Cell {
    Cell::grid(method(name), Stretch(factor))
}

pub(super) fn scenario(deployed: &str, factor: f64) -> Scenario {
    Scenario {
        name: "planted".to_owned(),
        path: PathBuf::new(),
        text: String::new(),
        question: "Method or factor?".to_owned(),
        checkpoint: PathBuf::new(),
        checkpoints: BTreeMap::new(),
        observed: None,
        adapted: vec![Tokens(0)],
        deployed_adapted: Tokens(0),
        conditions: vec![],
        ablated_conditions: vec![],
        adaptation: None,
        scheme: Scheme::Rotary,
        trained: Tokens(2048),
        target: Tokens(8192),
        deployed: (method(deployed), Stretch(factor)),
        deployed_config: None,
        methods: ["none", "linear", "ntk", "yarn"].map(method).to_vec(),
        candidates: None,
        only: None,
        grid: GridShape::Full,
        factors: [1.0, 2.0, 4.0, 8.0].map(Stretch).to_vec(),
        probes: vec![ProbeName::ShortRange, ProbeName::LongRange, ProbeName::Retrieval],
        sizes: Sizes {
            documents: 8,
            short_windows: 7,
            attention_documents: 1,
            attention_every: 16,
            latency_lengths: vec![Tokens(512), Tokens(2048), Tokens(8192)],
            latency_blocks: 6,
            decode_tokens: 16,
            latency_candidates: 0,
        },
        tolerance: Tolerance { short_range: 0.02, long_range: 0.02, retrieval: 0.05, latency: 1.05 },
        documents: PathBuf::new(),
        seed: 1,
        decide: Vec::new(),
        expect: BTreeMap::new(),
    }
}

fn row(cell: &Cell, probe: Question, quantity: Quantity, document: u32, at: Place, value: f64) -> Measurement {
    let reading = Reading {
        quantity,
        probe: probe.name().to_owned(),
        protocol: format!("{}/1", probe.name()),
        document,
        repeat: 0,
        at,
        value,
        count: 200,
    };
    Measurement { cell: cell.id(), reading }
}

fn positions(from: u32, to: u32) -> Place {
    Place { from: Some(from), to: Some(to), ..Place::default() }
}

fn distances(from: u32, to: u32) -> Place {
    Place { distance_from: Some(from), distance_to: Some(to), ..Place::default() }
}

/// Rows as the probes write them: documents differ by 0.3 nats, a cell's effect on a document by 0.006.
pub(super) fn rows(cell: &Cell, nature: Nature, documents: u32, seed: u64) -> Vec<Measurement> {
    let mut difficulty = Random::new(seed);
    let name: u64 = cell.canonical().bytes().fold(seed, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let mut random = Random::new(name);
    let mut rows = Vec::new();
    for document in 0..documents {
        let level = 0.3 * difficulty.normal();
        let own = 0.006 * random.normal();
        for window in 0..8 {
            let at = positions(window * 1000, window * 1000 + 256);
            let loss = 2.9 + level + nature.short + own + 0.01 * random.normal();
            rows.push(row(cell, Question::ShortRange, Quantity::Nll, document, at, loss));
        }
        for bin in 0..6 {
            let at = positions(BINS[bin], BINS[bin + 1]);
            let loss = HEALTHY[bin] + level + nature.long[bin] + own + 0.01 * random.normal();
            rows.push(row(cell, Question::LongRange, Quantity::Nll, document, at, loss));
            let at = distances(DISTANCES[bin], DISTANCES[bin + 1]);
            let recall = (nature.recall[bin] + 0.03 * random.normal()).clamp(0.0, 1.0);
            rows.push(row(cell, Question::Retrieval, Quantity::Recall, document, at, recall));
        }
    }
    rows
}

pub(super) type Run = Vec<(Cell, Outcome)>;

/// A whole run over the grid of the scenario, with natures by method and factor.
pub(super) fn run(nature: impl Fn(&str, f64) -> Nature, documents: u32, seed: u64) -> Run {
    let mut cells = vec![Cell::unscaled()];
    for name in ["linear", "ntk", "yarn"] {
        cells.extend([2.0, 4.0, 8.0].map(|factor| cell(name, factor)));
    }
    let mut run: Run = cells
        .into_iter()
        .map(|cell| {
            let rows = rows(&cell, nature(cell.method.name(), cell.factor.0), documents, seed);
            (cell, Outcome::Measured(rows))
        })
        .collect();
    let truncated = Cell::truncated();
    let rows = rows(&truncated, Nature { recall: [0.95, 0.95, 0.95, 0.9, 0.0, 0.0], ..GOOD }, documents, seed);
    run.push((truncated, Outcome::Measured(rows)));
    run
}

pub(super) fn found(scenario: &Scenario, run: &Run) -> Findings {
    let findings = diagnose(&Evidence { scenario, cells: run });
    // Whatever was found can be written and read again: no number is missing or infinite.
    let text = serde_json::to_string(&findings).unwrap();
    assert!(serde_json::from_str::<Findings>(&text).is_ok());
    assert!(!findings.answer.is_empty());
    findings
}

pub(super) fn first(findings: &Findings, question: Question) -> &Cause {
    findings.causes.iter().find(|cause| cause.question == question).unwrap()
}

fn ruling(findings: &Findings, question: Question) -> Ruling {
    findings.verdict(question).unwrap().ruling
}

/// Replaces what became of a cell.
fn replace(run: &mut Run, cell: &Cell, outcome: Outcome) {
    run.iter_mut().find(|(other, _)| other == cell).unwrap().1 = outcome;
}

#[test]
fn what_is_deployed_is_known_by_its_parameters_too() {
    let based: AnyMethod = serde_json::from_value(serde_json::json!({ "rope": { "theta": 43873.0 } })).unwrap();
    let mut scenario = scenario("linear", 4.0);
    scenario.deployed.0 = based.clone();
    let bad = |short| Nature { short, ..GOOD };
    let mut run = run(|method, factor| if factor == 1.0 { textbook(method, factor) } else { bad(1.0) }, 8, 1);
    let deployed = Cell::grid(based, Stretch(4.0));
    run.insert(1, (deployed.clone(), Outcome::Measured(rows(&deployed, bad(0.5), 8, 1))));
    let findings = found(&scenario, &run);
    assert_eq!(ruling(&findings, Question::ShortRange), Ruling::Worse);
    assert_eq!(findings.recommendation.as_ref().unwrap().label(), deployed.label());
    assert!(findings.answer.ends_with("is better than what is deployed."), "{}", findings.answer);
}

#[test]
fn a_method_that_fails_at_short_range_is_named() {
    let findings = found(&scenario("linear", 4.0), &run(textbook, 8, 1));
    assert_eq!(ruling(&findings, Question::ShortRange), Ruling::Worse);
    let cause = first(&findings, Question::ShortRange);
    assert_eq!(
        (cause.axis, cause.name.as_str(), cause.shape.as_str()),
        (Axis::Method, "linear", "constant"),
        "{cause:#?}"
    );
    let repair = cause.repair.as_ref().unwrap();
    assert!(["ntk x4", "yarn x4"].contains(&repair.cell.as_str()));
    assert!(repair.fraction.low > 0.95 && repair.fraction.high < 1.02, "{repair:?}");
    assert!(cause.confidence >= 0.95);
    assert!((cause.shapley["method"] - 1.0).abs() < 1e-9);
    // Factor 1 undoes the damage by giving up the extension, which is no repair.
    assert!(cause.evidence.iter().any(|line| line.contains("factor 1") && line.contains("is no repair")), "{cause:#?}");
    assert!(findings.answer.contains("the method is to blame"), "{}", findings.answer);
    assert!(findings.answer.starts_with("Short range got worse by 1.1"), "{}", findings.answer);
    assert!(findings.answer.ends_with(". Deploy yarn x4 instead."), "{}", findings.answer);
    assert_eq!(findings.answer.matches(". ").count(), 1, "at most two sentences: {}", findings.answer);
    // However questions are grouped, each cause says once what its repair removes.
    assert_eq!(findings.answer.matches(" removes ").count(), findings.answer.matches("is to blame").count());
    assert_eq!(findings.answer.matches("is to blame").count(), 1, "one cause is named once: {}", findings.answer);
    let best = findings.recommendation.unwrap();
    assert_eq!((best.method.as_str(), best.factor), ("yarn", 4.0), "{best:#?}");
    assert_eq!(best.rejected.iter().map(|one| one.method.as_str()).collect::<Vec<_>>(), ["none", "linear", "ntk"]);
    assert!(best.rejected.iter().all(|one| !one.because.is_empty()));
}

#[test]
fn a_factor_that_is_too_small_is_named() {
    let findings = found(&scenario("ntk", 2.0), &run(textbook, 8, 2));
    assert_eq!(ruling(&findings, Question::ShortRange), Ruling::WithinNoise, "{:#?}", findings.verdicts);
    assert_eq!(first(&findings, Question::ShortRange).axis, Axis::None);
    assert_eq!(ruling(&findings, Question::LongRange), Ruling::Worse);
    let cause = first(&findings, Question::LongRange);
    assert_eq!((cause.axis, cause.name.as_str(), cause.shape.as_str()), (Axis::Factor, "2", "step@4096"), "{cause:#?}");
    assert!(["4", "8"].contains(&cause.repair.as_ref().unwrap().by.as_str()));
    assert_eq!(first(&findings, Question::Retrieval).axis, Axis::Factor);
}

#[test]
fn planted_causes_are_found_in_every_simulated_run() {
    let planted =
        [("linear", 4.0, Question::ShortRange, Axis::Method), ("ntk", 2.0, Question::LongRange, Axis::Factor)];
    for (name, factor, question, axis) in planted {
        for seed in 0..40 {
            let findings = found(&scenario(name, factor), &run(textbook, 4 + (seed % 2) as u32 * 4, 5000 + seed));
            assert_eq!(first(&findings, question).axis, axis, "{name} x{factor}, seed {seed}");
        }
    }
}

#[test]
fn a_damage_that_only_both_switches_repair_is_an_interaction() {
    let nature = |name: &str, factor: f64| match (name, factor) {
        (_, 1.0) => textbook(name, factor),
        ("linear", _) => Nature { short: 1.0, ..GOOD },
        (_, 4.0) => Nature { short: 0.9, ..GOOD },
        _ => Nature { short: 0.01, ..GOOD },
    };
    let findings = found(&scenario("linear", 4.0), &run(nature, 8, 3));
    let cause = first(&findings, Question::ShortRange);
    assert_eq!(cause.axis, Axis::Interaction, "{cause:#?}");
    let total = cause.shapley["method"] + cause.shapley["factor"];
    assert!((total - 1.0).abs() < 1e-9, "{:?}", cause.shapley);
}

#[test]
fn two_repairs_that_work_equally_are_ranked_but_not_decided() {
    let nature = |name: &str, factor: f64| match (name, factor) {
        (_, 1.0) => textbook(name, factor),
        ("linear", 4.0) => Nature { short: 1.0, ..GOOD },
        _ => GOOD,
    };
    let findings = found(&scenario("linear", 4.0), &run(nature, 8, 4));
    let axes: Vec<Axis> =
        findings.causes.iter().filter(|cause| cause.question == Question::ShortRange).map(|cause| cause.axis).collect();
    assert_eq!(axes.len(), 3);
    assert_eq!(axes[0], Axis::Undecided);
    assert!(axes.contains(&Axis::Method) && axes.contains(&Axis::Factor));
}

#[test]
fn what_no_cell_repairs_is_neither_method_nor_factor() {
    let nature = |name: &str, factor: f64| match factor {
        1.0 => textbook(name, factor),
        _ => Nature { short: 1.0, ..GOOD },
    };
    let findings = found(&scenario("yarn", 4.0), &run(nature, 8, 5));
    let cause = first(&findings, Question::ShortRange);
    assert_eq!(cause.axis, Axis::Undecided);
    assert!(findings.notes.iter().any(|note| note.contains("the implementation, or weights")), "{:?}", findings.notes);
}

#[test]
fn without_a_second_factor_nothing_is_blamed_on_the_method() {
    let mut run = run(textbook, 8, 6);
    run.retain(|(cell, _)| cell.factor == Stretch(4.0) || *cell == Cell::unscaled() || cell.arm == Arm::Truncated);
    let findings = found(&scenario("linear", 4.0), &run);
    assert_eq!(first(&findings, Question::ShortRange).axis, Axis::Undecided);
    assert!(findings.notes.iter().any(|note| note.contains("no other factor")), "{:?}", findings.notes);
}

#[test]
fn a_missing_reference_is_incomparable() {
    let mut run = run(textbook, 8, 7);
    run.retain(|(cell, _)| cell.arm != Arm::Truncated);
    let mut scenario = scenario("linear", 4.0);
    let findings = found(&scenario, &run);
    assert_eq!(ruling(&findings, Question::LongRange), Ruling::Incomparable);
    assert_eq!(ruling(&findings, Question::ShortRange), Ruling::Worse);
    assert_eq!(first(&findings, Question::ShortRange).axis, Axis::Method);
    assert_eq!(findings.exit_code(), 1);
    scenario.probes = vec![ProbeName::LongRange];
    assert_eq!(found(&scenario, &run).exit_code(), 0);
    scenario.decide = vec![Question::LongRange];
    assert_eq!(found(&scenario, &run).exit_code(), 2);
}

#[test]
fn a_failed_cell_is_reported_and_the_rest_is_judged() {
    let mut run = run(textbook, 8, 8);
    replace(&mut run, &cell("yarn", 4.0), Outcome::Failed { reason: "out of memory".to_owned() });
    let findings = found(&scenario("linear", 4.0), &run);
    assert_eq!(first(&findings, Question::ShortRange).repair.as_ref().unwrap().cell, "ntk x4");
    assert!(findings.cells.iter().any(|cell| cell.reason.as_deref() == Some("out of memory")));
    replace(&mut run, &cell("linear", 4.0), Outcome::Failed { reason: "out of memory".to_owned() });
    let findings = found(&scenario("linear", 4.0), &run);
    let verdict = findings.verdict(Question::ShortRange).unwrap();
    assert_eq!(verdict.ruling, Ruling::Incomparable);
    assert_eq!(verdict.why.as_deref(), Some("linear x4 failed: out of memory"));
    assert_eq!(first(&findings, Question::ShortRange).axis, Axis::Undecided);
}

fn broken(cell: &Cell) -> Outcome {
    let mut rows = rows(cell, GOOD, 8, 9);
    for row in &mut rows {
        row.reading.value = f64::NAN;
    }
    Outcome::Measured(rows)
}

#[test]
fn a_loss_that_is_no_number_is_worse_and_is_blamed() {
    let mut run = run(textbook, 8, 9);
    for factor in [2.0, 4.0, 8.0] {
        replace(&mut run, &cell("linear", factor), broken(&cell("linear", factor)));
    }
    let findings = found(&scenario("linear", 4.0), &run);
    let verdict = findings.verdict(Question::LongRange).unwrap();
    assert_eq!((verdict.ruling, verdict.change), (Ruling::Worse, None));
    assert!(verdict.why.as_ref().unwrap().contains("not a number on 8 of 8 documents"));
    assert_eq!(first(&findings, Question::LongRange).axis, Axis::Method, "{:#?}", findings.causes);
    assert_eq!(findings.exit_code(), 1);
}

#[test]
fn a_broken_candidate_is_no_repair_and_a_broken_reference_compares_with_nothing() {
    let mut run = run(textbook, 8, 10);
    replace(&mut run, &cell("yarn", 4.0), broken(&cell("yarn", 4.0)));
    let findings = found(&scenario("linear", 4.0), &run);
    assert_eq!(first(&findings, Question::ShortRange).repair.as_ref().unwrap().cell, "ntk x4");
    replace(&mut run, &Cell::unscaled(), broken(&Cell::unscaled()));
    let findings = found(&scenario("linear", 4.0), &run);
    assert_eq!(ruling(&findings, Question::ShortRange), Ruling::Incomparable);
}

#[test]
fn different_protocols_are_never_subtracted() {
    let mut run = run(textbook, 8, 11);
    let mut other = rows(&cell("linear", 4.0), textbook("linear", 4.0), 8, 11);
    for row in &mut other {
        row.reading.protocol.push_str("-other");
    }
    replace(&mut run, &cell("linear", 4.0), Outcome::Measured(other));
    let findings = found(&scenario("linear", 4.0), &run);
    for question in [Question::ShortRange, Question::LongRange, Question::Retrieval] {
        assert_eq!(ruling(&findings, question), Ruling::Incomparable);
        assert!(findings.verdict(question).unwrap().change.is_none());
    }
}

#[test]
fn two_documents_decide_a_large_damage_and_one_decides_nothing() {
    let findings = found(&scenario("linear", 4.0), &run(textbook, 2, 12));
    assert_eq!(ruling(&findings, Question::ShortRange), Ruling::Worse);
    let findings = found(&scenario("linear", 4.0), &run(textbook, 1, 12));
    let verdict = findings.verdict(Question::ShortRange).unwrap();
    assert_eq!((verdict.ruling, verdict.change), (Ruling::Undecided, None));
    assert!(verdict.why.as_ref().unwrap().contains("at least 2 documents"));
}

#[test]
fn expectations_turn_a_scenario_into_a_test() {
    let run = run(textbook, 8, 13);
    let mut scenario = scenario("linear", 4.0);
    scenario.expect = BTreeMap::from([(Question::ShortRange, Axis::Method)]);
    assert_eq!(found(&scenario, &run).exit_code(), 1);
    scenario.expect = BTreeMap::from([(Question::ShortRange, Axis::Factor)]);
    let findings = found(&scenario, &run);
    assert!(!findings.expectations[0].met);
    assert_eq!(findings.exit_code(), 2);
}

#[test]
fn nothing_measured_is_judged_as_nothing() {
    let mut scenario = scenario("linear", 4.0);
    scenario.probes.push(ProbeName::Latency);
    let findings = found(&scenario, &Vec::new());
    assert!(findings.verdicts.iter().all(|verdict| verdict.ruling == Ruling::Incomparable));
    assert!(findings.recommendation.is_none());
}

#[test]
fn healthy_runs_raise_no_alarm() {
    // A/A: every stretched cell is as good as the reference, so every alarm is false.
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in 0..200 {
        let nature = |name: &str, factor: f64| if factor == 1.0 { textbook(name, factor) } else { GOOD };
        let findings = found(&scenario("yarn", 4.0), &run(nature, 4 + (seed % 3) as u32 * 4, 1000 + seed));
        for verdict in &findings.verdicts {
            *counts.entry(verdict.ruling.words()).or_default() += 1;
            assert_ne!(verdict.ruling, Ruling::Worse, "seed {seed}: {verdict:#?}");
        }
    }
    assert!(counts["within noise"] > 500, "{counts:?}");
}

/// Adds timings in interleaved blocks: the deployed arm at a ratio, the reference twice, the second at another ratio.
fn timed(run: &mut Run, ratio: f64, control: f64, seed: u64) {
    let mut random = Random::new(seed);
    let mut arms: [Vec<Measurement>; 2] = Default::default();
    let cells = [cell("linear", 4.0), Cell::unscaled()];
    for quantity in [Quantity::Prefill, Quantity::Decode] {
        for length in [512, 2048, 8192] {
            for block in 0..6 {
                let base = f64::from(length) * 1e-4 * (1.0 + 0.2 * random.uniform());
                for (arm, repeat, factor) in [(0, 0, ratio), (1, 0, 1.0), (1, 1, control)] {
                    let at = Place { length: Some(length), ..Place::default() };
                    let value = base * factor * (0.01 * random.normal()).exp();
                    let mut row = row(&cells[arm], Question::Latency, quantity, block, at, value);
                    row.reading.repeat = repeat;
                    arms[arm].push(row);
                }
            }
        }
    }
    for (cell, rows) in cells.iter().zip(arms) {
        match &mut run.iter_mut().find(|(other, _)| other == cell).unwrap().1 {
            Outcome::Measured(all) => all.extend(rows),
            Outcome::Failed { .. } => unreachable!("only measured cells are timed here"),
        }
    }
}

fn latency(ratio: f64, control: f64, deployed: (&str, f64)) -> Findings {
    let mut scenario = scenario(deployed.0, deployed.1);
    scenario.probes = vec![ProbeName::Latency];
    let mut run = run(textbook, 2, 14);
    timed(&mut run, ratio, control, 14);
    found(&scenario, &run)
}

#[test]
fn a_tenth_slower_is_a_latency_regression() {
    let findings = latency(1.10, 1.0, ("linear", 4.0));
    let verdict = findings.verdict(Question::Latency).unwrap();
    assert_eq!(verdict.ruling, Ruling::Worse, "{verdict:#?}");
    let change = verdict.change.unwrap();
    assert!(change.low > 1.05 && change.high < 1.15, "{change:?}");
    assert!(verdict.protocol.contains("tokens, the worst of 6"));
    assert_eq!(first(&findings, Question::Latency).shape, "latency_only");
}

#[test]
fn an_unsteady_machine_flags_nothing() {
    let findings = latency(1.10, 1.12, ("linear", 4.0));
    let verdict = findings.verdict(Question::Latency).unwrap();
    assert_eq!(verdict.ruling, Ruling::Undecided);
    assert!(verdict.why.as_ref().unwrap().contains("the null control fired"));
}

#[test]
fn equal_arms_are_within_noise() {
    assert_eq!(ruling(&latency(1.0, 1.0, ("linear", 4.0)), Question::Latency), Ruling::WithinNoise);
    assert_eq!(ruling(&latency(1.5, 1.0, ("none", 1.0)), Question::Latency), Ruling::WithinNoise);
    assert_eq!(ruling(&latency(0.8, 1.0, ("linear", 4.0)), Question::Latency), Ruling::Better);
}

/// The unscaled model is what times are compared with; the ratio of its two arms is no ratio of its own.
#[test]
fn the_unscaled_model_is_not_judged_by_its_time() {
    let mut scenario = scenario("linear", 4.0);
    scenario.probes.push(ProbeName::Latency);
    let mut run = run(textbook, 8, 15);
    timed(&mut run, 1.0, 1.0, 15);
    let best = found(&scenario, &run).recommendation.unwrap();
    let times = |method: &str| {
        let other = best.rejected.iter().find(|other| other.method == method).unwrap();
        other.because.iter().any(|reason| reason.starts_with("latency: "))
    };
    assert!(times("linear") && !times("none"), "{:#?}", best.rejected);
    assert!(best.because.iter().any(|reason| reason == "latency: it was not timed"), "{:#?}", best.because);
}

#[test]
fn a_slowdown_says_which_cells_were_timed() {
    let findings = latency(1.10, 1.0, ("linear", 4.0));
    let cause = first(&findings, Question::Latency);
    assert!(cause.evidence.iter().any(|line| line.contains("`sizes.latency_candidates`")), "{cause:#?}");
    assert!(findings.answer.contains("the grid is not timed as a whole"), "{}", findings.answer);
}

/// The numbers of a loss by position are the long-range probe's, and say so; a place is named only where damage begins.
#[test]
fn the_shape_says_where_its_numbers_come_from() {
    let nature = |name: &str, factor: f64| match (name, factor) {
        ("linear", 4.0) => Nature { recall: [0.5, 0.5, 0.5, 0.3, 0.3, 0.3], ..textbook(name, factor) },
        _ => textbook(name, factor),
    };
    for (deployed, factor) in [("linear", 4.0), ("ntk", 2.0)] {
        for cause in found(&scenario(deployed, factor), &run(nature, 8, 16)).causes {
            let begins = |line: &String| line.contains("it steps up at") || line.contains("it begins to grow at");
            let place = cause.evidence.iter().any(begins);
            let step = cause.shape.starts_with("step@");
            assert!(place || !step, "{cause:#?}");
            assert!(!place || step || cause.shape == "growing", "{cause:#?}");
            let ends = |line: &&String| line.contains(" at positions ") || line.contains(" at distances ");
            let told = cause.evidence.iter().find(ends);
            let along = told.is_some_and(|line| line.starts_with("along the document the damage is "));
            let by_position = told.is_some() && cause.question != Question::Retrieval;
            assert_eq!(along, by_position, "{cause:#?}");
        }
    }
}

#[test]
fn no_level_of_recall_leaves_what_is_possible() {
    // Two documents have intervals that would reach far beyond all and nothing.
    let findings = found(&scenario("linear", 4.0), &run(textbook, 2, 17));
    let verdict = findings.verdict(Question::Retrieval).unwrap();
    let grid = findings.grid.iter().find(|grid| grid.question == Question::Retrieval).unwrap();
    let levels = findings.stability.iter().flat_map(|row| [row.recall_inside, row.recall_beyond]);
    let levels = levels.chain([verdict.reference, verdict.deployed]).flatten();
    let levels: Vec<_> = levels.chain(grid.cells.iter().map(|cell| cell.value)).collect();
    assert!(levels.len() > 20, "{levels:#?}");
    assert!(levels.iter().all(|level| level.low >= 0.0 && level.high <= 1.0), "{levels:#?}");
    assert!(levels.iter().any(|level| level.high >= 1.0), "some were cut: {levels:#?}");
}

/// A cell is held against its own level inside the trained length, whatever that level is.
#[test]
fn a_cell_breaks_where_it_leaves_its_own_level() {
    let nature = |name: &str, _: f64| match name {
        "linear" => Nature { long: [0.0, 0.0, 0.0, 0.0, 0.0, 0.8], ..GOOD },
        "ntk" => Nature { long: [0.7; 6], ..GOOD },
        _ => GOOD,
    };
    let findings = found(&scenario("linear", 4.0), &run(nature, 8, 3));
    let row = |label: &str| findings.stability.iter().find(|row| row.label == label).unwrap();
    let broken = row("linear x4");
    assert_eq!((broken.breaks, broken.beyond.len()), (Some(4096), 2), "{broken:#?}");
    let rise = broken.beyond[1].rise;
    assert!(rise.low < 0.8 && 0.8 < rise.high && rise.high - rise.low < 0.1, "{rise:?}");
    for (label, inside) in [("ntk x4", 0.7), ("yarn x4", 0.0)] {
        let row = row(label);
        assert_eq!(row.breaks, None, "{row:#?}");
        assert!(row.beyond.iter().all(|bin| bin.rise.point.abs() < 0.03), "{row:#?}");
        assert!((row.inside.point - broken.inside.point - inside).abs() < 0.05, "{row:#?}");
    }
}

/// An adapted cell may be the best to deploy, and is no evidence against method or factor.
#[test]
fn more_training_is_no_repair_of_method_or_factor() {
    let damaged = |_: &str, _: f64| Nature { short: 1.0, long: [1.0; 6], ..GOOD };
    let mut run = run(damaged, 8, 4);
    let adapted = cell("ntk", 4.0).after(Tokens(1_000_000));
    let healthy = rows(&adapted, GOOD, 8, 4);
    run.insert(1, (adapted, Outcome::Measured(healthy)));
    let mut scenario = scenario("linear", 4.0);
    scenario.adapted.push(Tokens(1_000_000));
    let findings = found(&scenario, &run);
    let cause = first(&findings, Question::LongRange);
    assert!(!matches!(cause.axis, Axis::Method | Axis::Interaction), "{cause:#?}");
    let best = findings.recommendation.as_ref().unwrap();
    assert_eq!(best.label(), "ntk (adapted 1,000,000 tokens) x4");
    assert!(findings.answer.contains("Deploy ntk (adapted 1,000,000 tokens) x4 instead."), "{}", findings.answer);
}
