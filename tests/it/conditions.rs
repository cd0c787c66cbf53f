//! The implementation as a cause: a scripted engine with faults is examined blind, and planted damage is parted between the
//! implementation, the method and the factor.

use gyro::ablation::condition::{Candidate, Suspicion, catalogue};
use gyro::ablation::plan;
use gyro::ablation::{Evidence, diagnose};
use gyro::faults::{AnyFault, Fault, Setting, Site};
use gyro::findings::{Axis, Question, Ruling};
use gyro::measurement::{Cell, Measurement, Outcome, Place, Quantity, Reading};
use gyro::positions::{AnyMethod, HeadShape, Pairing};
use gyro::run::examine::{Deployment, Examination, Opaque, Workshop};
use gyro::score::{Kind, Named, Row, Truth, tally};
use gyro::subject::{
    AppliedRotation, Engine, Gain, LayerAttention, Look, Padding, Request, Route, Scores, Subject, SubjectError,
    Turned, Window,
};
use gyro::units::{Seconds, Stretch, Tokens};

use super::blame::{GOOD, Nature, cell, first, found, method, rows, run, scenario, textbook};

const TRAINED: usize = 256;

/// An engine whose answers are told by a script: each fault that it knows takes something from the log-probability of some
/// tokens of some requests.
struct Scripted {
    faults: Vec<&'static str>,
    longest: usize,
}

struct Script;

impl Engine for Script {
    fn subject(&self, cell: &Cell) -> Result<Box<dyn Subject>, SubjectError> {
        Ok(Box::new(Scripted { faults: cell.faults.iter().map(AnyFault::name).collect(), longest: 0 }))
    }
}

impl Scripted {
    fn has(&self, fault: &str) -> bool {
        self.faults.contains(&fault)
    }

    /// What the faults take from the token at a position of a request.
    fn taken(&self, position: usize, request: &Request, row: usize) -> f32 {
        let length = |row: &gyro::subject::Row| row.tokens.len();
        let decoded = matches!(request.route, Route::Decode { prompt } if position >= prompt);
        let chunked = matches!(request.route, Route::Chunked(chunk) if position >= chunk);
        let padded = request.padding == Padding::Left
            && request.rows.get(row).map(length) < request.rows.iter().map(length).max();
        let mut taken = 0.0;
        for (fault, applies, amount) in [
            ("decode_offset_by_one", decoded, 0.5),
            ("decode_offset_ignored", decoded, 0.9),
            ("chunk_offset_twice", chunked, 0.4),
            ("padding_seen", padded, 0.6),
            ("padding_counts", padded && decoded, 0.7),
            ("left_over_keys", self.longest > 0, 0.3),
            ("table_clamps", position >= TRAINED, 1.0),
            ("table_wraps", position >= TRAINED, 1.4),
            ("window_forced", position >= TRAINED / 2, 0.2),
            ("missing_bos", true, 0.25),
        ] {
            if applies && self.has(fault) {
                taken += amount;
            }
        }
        taken
    }
}

impl Subject for Scripted {
    fn score(&mut self, windows: &[Window<'_>]) -> Result<Vec<Scores>, SubjectError> {
        let serve = |window: &Window<'_>| Request::alone(window.tokens, Route::OneShot);
        windows.iter().map(|window| Ok(self.serve(&serve(window))?.remove(0))).collect()
    }

    fn serve(&mut self, request: &Request) -> Result<Vec<Scores>, SubjectError> {
        let scores = request
            .rows
            .iter()
            .enumerate()
            .map(|(index, row)| {
                let queries = row.tokens.iter().enumerate().take(row.tokens.len() - 1);
                let log_probability: Vec<f32> = queries
                    .map(|(i, token)| {
                        let noise = (token.wrapping_mul(2_654_435_761) >> 16) as f32 / 65_536.0;
                        -2.0 - noise - self.taken(row.first_position + i, request, index)
                    })
                    .collect();
                Scores { is_top: vec![true; log_probability.len()], log_probability }
            })
            .collect();
        self.longest = self.longest.max(request.rows.iter().map(|row| row.tokens.len()).max().unwrap_or(0));
        Ok(scores)
    }

    fn restart(&mut self) {
        self.longest = 0;
    }

    fn attention(&mut self, _: &[u32], _: &Look) -> Result<Vec<LayerAttention>, SubjectError> {
        Ok(Vec::new())
    }

    fn prefill(&mut self, tokens: &[u32]) -> Result<Seconds, SubjectError> {
        Ok(Seconds(tokens.len() as f64 * 1e-4))
    }

    fn decode(&mut self, _: &[u32]) -> Result<Seconds, SubjectError> {
        Ok(Seconds(if self.has("host_sync") { 0.004 } else { 0.002 }))
    }

    fn applied_rotation(&mut self, positions: &[usize], _: Route) -> Result<Option<AppliedRotation>, SubjectError> {
        let ends = |position: usize| match position {
            _ if position < TRAINED => position,
            _ if self.has("table_clamps") => TRAINED - 1,
            _ if self.has("table_wraps") => position % TRAINED,
            _ => position,
        };
        let gains = |position: &usize| {
            let turned = [1.0, 0.1, 0.01].map(|frequency| {
                let angle = ends(*position) as f64 * frequency;
                Gain { angle: angle.sin().atan2(angle.cos()), magnitude: 1.0 }
            });
            turned.to_vec()
        };
        let turned = Turned { gains: positions.iter().map(gains).collect(), mixing: 0.0 };
        Ok(Some(AppliedRotation { queries: turned.clone(), keys: turned }))
    }
}

fn heads() -> HeadShape {
    HeadShape {
        heads: 4,
        width: 128,
        head_dim: 32,
        rotary_dim: 32,
        theta: 10_000.0,
        trained: Tokens(TRAINED),
        pairing: Pairing::HalfSplit,
        native: AnyMethod::named("rope").unwrap(),
    }
}

fn examined(faults: &[&str], known: &[Candidate]) -> Examination {
    let tokens = |seed: u32| (0..1024_u32).map(|i| (i * 7919 + seed * 104_729) % 1000).collect::<Vec<u32>>();
    let target = Tokens(4 * TRAINED);
    let workshop = Workshop::new(&Script, vec![tokens(1), tokens(2)], (Tokens(TRAINED), target), None);
    let declared = cell("yarn", 4.0);
    let setting = Setting { method: declared.method.clone(), factor: Stretch(4.0), heads: heads(), window: None };
    let opaque = Opaque { replay: &Script, faults: faults.iter().map(|name| AnyFault::named(name).unwrap()).collect() };
    workshop.examine(&Deployment { engine: &opaque, declared: &declared, setting: &setting }, known).unwrap()
}

fn names(suspicions: &[Suspicion]) -> Vec<&str> {
    suspicions.iter().map(|one| one.name.as_str()).collect()
}

const KNOWN: [&str; 9] = [
    "decode_offset_by_one",
    "decode_offset_ignored",
    "chunk_offset_twice",
    "padding_seen",
    "left_over_keys",
    "table_clamps",
    "table_wraps",
    "window_forced",
    "missing_bos",
];

#[test]
fn a_fault_is_named_from_its_answers_alone() {
    for name in KNOWN {
        let found = examined(&[name], &catalogue());
        let first = &found.suspicions[0];
        assert_eq!((first.axis, first.name.as_str(), first.exact), (Axis::Condition, name, true), "{found:#?}");
        assert_eq!(first.site, Some(AnyFault::named(name).unwrap().site()));
    }
}

#[test]
fn a_healthy_deployment_raises_no_alarm() {
    let found = examined(&[], &catalogue());
    assert_eq!(found.suspicions.len(), 1);
    assert_eq!((found.suspicions[0].axis, found.cells), (Axis::None, 2), "nothing had to be replayed");
}

#[test]
fn two_faults_at_once_are_both_named() {
    for pair in [
        ["decode_offset_by_one", "padding_seen"],
        ["table_clamps", "missing_bos"],
        ["left_over_keys", "chunk_offset_twice"],
        ["window_forced", "table_wraps"],
    ] {
        let found = examined(&pair, &catalogue());
        let mut first: Vec<&str> = names(&found.suspicions).into_iter().take(2).collect();
        first.sort_unstable();
        let mut expected = pair.to_vec();
        expected.sort_unstable();
        assert_eq!(first, expected, "{:#?}", found.suspicions);
    }
}

#[test]
fn a_fault_outside_of_the_catalogue_has_axis_place_and_onset() {
    for (name, site, shape, onset) in [
        ("decode_offset_by_one", Site::Cache, "cache_only", None),
        ("padding_seen", Site::Batch, "batch_only", Some(0.0)),
        ("left_over_keys", Site::State, "order_only", Some(0.0)),
        ("table_clamps", Site::Table, "step@256", Some(256.0)),
        ("window_forced", Site::Mask, "step@128", Some(128.0)),
    ] {
        let known: Vec<Candidate> = catalogue().into_iter().filter(|candidate| candidate.name != name).collect();
        let found = examined(&[name], &known);
        let first = &found.suspicions[0];
        assert_eq!((first.axis, first.site, first.shape.as_str()), (Axis::Condition, Some(site), shape), "{found:#?}");
        assert_eq!(first.name, format!("unknown ({})", site.name()), "the catalogue is refused");
        let bracket = first.onset.unwrap();
        if let Some(onset) = onset {
            assert!((bracket.low..=bracket.high).contains(&onset), "{name}: {bracket:?}");
        }
    }
}

fn row(name: &str, found: &Examination) -> Row {
    Row {
        fault: name.to_owned(),
        truth: Truth {
            kind: Kind::Single,
            deployment: "scripted".to_owned(),
            axis: Axis::Condition,
            same: vec![],
            names: vec![name.to_owned()],
            places: vec![AnyFault::named(name).unwrap().site()],
            shape: String::new(),
            onset: None,
            development: true,
        },
        top: found
            .suspicions
            .iter()
            .map(|one| Named {
                axis: one.axis,
                name: one.name.clone(),
                place: one.site,
                shape: one.shape.clone(),
                onset: one.onset,
                explained: one.explained,
                exact: one.exact,
            })
            .collect(),
        cells: found.cells,
        seconds: 1.0,
        processor_seconds: None,
    }
}

#[test]
fn two_swapped_labels_of_the_catalogue_are_found_by_the_score() {
    let scored = |known: &[Candidate]| {
        let rows = KNOWN.map(|name| row(name, &examined(&[name], known)));
        tally(rows.to_vec())
    };
    let right = catalogue();
    assert_eq!(scored(&right).ac1, Some(1.0));
    let mut swapped = right.clone();
    let place = |name: &str| right.iter().position(|candidate| candidate.name == name).unwrap();
    let (a, b) = (place("table_clamps"), place("padding_seen"));
    swapped[a].name = "padding_seen".to_owned();
    swapped[b].name = "table_clamps".to_owned();
    let score = scored(&swapped);
    assert_eq!(score.ac1, Some(7.0 / 9.0), "two of nine labels are wrong");
    let mut missed = score.by_half.development.missed;
    missed.sort();
    assert_eq!(missed, ["padding_seen: table_clamps", "table_clamps: padding_seen"]);
}

fn planted(witness: &str, quantity: Quantity, repeat: u32, from: u32, to: u32, value: f64) -> Reading {
    let at = Place { from: Some(from), to: Some(to), ..Place::default() };
    Reading {
        quantity,
        probe: witness.to_owned(),
        protocol: "parity/1".to_owned(),
        document: 0,
        repeat,
        at,
        value,
        count: to - from,
    }
}

fn measured(cell: &Cell, readings: Vec<Reading>) -> (Cell, Outcome) {
    let id = cell.id();
    let rows = readings.into_iter().map(|reading| Measurement { cell: id.clone(), reading }).collect();
    (cell.clone(), Outcome::Measured(rows))
}

/// A run whose deployment has a table that ends: damage of its own beyond that of its method.
fn with_fault(deployed: &str, more: f64) -> (gyro::scenario::Scenario, Vec<(Cell, Outcome)>) {
    let fault = AnyFault::named("table_clamps").unwrap();
    let scenario = gyro::scenario::Scenario { conditions: vec![fault.clone()], ..scenario(deployed, 4.0) };
    let mut cells = run(textbook, 8, 1);
    let faulty = scenario.deployed_cell();
    let healthy = textbook(deployed, 4.0);
    let mut long = healthy.long;
    long[4] += more;
    long[5] += more;
    let nature = Nature { long, ..healthy };
    // The same documents: what the healthy cell has and the fault on top.
    let own = rows(&faulty.healthy(), nature, 8, 1);
    cells.push(measured(&faulty, own.into_iter().map(|row| row.reading).collect()));
    let one_shot = [
        planted("one_shot", Quantity::Divergence, 0, 0, 2048, 0.0),
        planted("one_shot", Quantity::Divergence, 0, 2048, 2112, more),
        planted("alone", Quantity::Divergence, 0, 0, 96, 0.0),
    ];
    cells.push(measured(&faulty.parity(), one_shot.to_vec()));
    let agreeing = [
        planted("one_shot", Quantity::Disagreement, 0, 0, 2112, 0.0),
        planted("one_shot", Quantity::Disagreement, 1, 0, 64, 0.0),
        planted("alone", Quantity::Disagreement, 0, 0, 96, 0.0),
        planted("alone", Quantity::Disagreement, 1, 0, 64, 0.0),
    ];
    cells.push(measured(&faulty.hypothesis(vec![fault]), agreeing.to_vec()));
    (scenario, cells)
}

#[test]
fn a_fault_under_a_good_method_is_the_only_cause() {
    let (scenario, cells) = with_fault("yarn", 0.8);
    let findings = found(&scenario, &cells);
    let cause = first(&findings, Question::LongRange);
    assert_eq!((cause.axis, cause.name.as_str()), (Axis::Condition, "table_clamps"), "{cause:#?}");
    assert_eq!((cause.place.as_deref(), cause.shape.as_str()), (Some("table"), "step@2048"));
    assert_eq!(cause.onset.unwrap().point, 2048.0);
    let repair = cause.repair.as_ref().unwrap();
    assert!(repair.by == "healthy" && repair.fraction.low > 0.9, "{repair:?}");
    assert!((cause.shapley["condition"] - 1.0).abs() < 1e-9);
    assert_eq!(findings.causes.iter().filter(|cause| cause.question == Question::LongRange).count(), 1);
    assert_eq!(findings.deviations[0].name, "table_clamps");
    let words = "the implementation is to blame, repairing table_clamps removes";
    assert!(findings.answer.contains(words), "the repair mends, not the fault: {}", findings.answer);
    assert!(findings.answer.contains("Repair the engine: table_clamps (table)"), "{}", findings.answer);
}

#[test]
fn a_fault_on_top_of_a_bad_method_is_ranked_beside_it() {
    for (more, order) in [(0.5, [Axis::Method, Axis::Condition]), (3.0, [Axis::Condition, Axis::Method])] {
        let (scenario, cells) = with_fault("linear", more);
        let findings = found(&scenario, &cells);
        let axes: Vec<Axis> = findings
            .causes
            .iter()
            .filter(|cause| cause.question == Question::LongRange)
            .map(|cause| cause.axis)
            .collect();
        assert_eq!(axes[..2], order, "{:#?}", findings.causes);
        let condition = findings.causes.iter().find(|cause| cause.axis == Axis::Condition).unwrap();
        let total: f64 = ["condition", "method", "factor"].iter().filter_map(|axis| condition.shapley.get(*axis)).sum();
        assert!((total - 1.0).abs() < 1e-9, "{condition:#?}");
    }
}

#[test]
fn a_fault_that_harms_nothing_is_listed_and_not_blamed() {
    let (scenario, cells) = with_fault("linear", 0.0);
    let findings = found(&scenario, &cells);
    let cause = first(&findings, Question::ShortRange);
    assert_eq!((cause.axis, cause.name.as_str()), (Axis::Method, "linear"));
    assert_eq!(findings.deviations[0].name, "healthy");
}

#[test]
fn the_plan_leaves_the_grid_out_where_the_healthy_replay_is_fine() {
    let (scenario, cells) = with_fault("yarn", 0.8);
    let fine = gyro::scenario::Scenario {
        tolerance: gyro::scenario::Tolerance { short_range: 0.1, long_range: 0.1, retrieval: 0.2, latency: 1.05 },
        ..scenario
    };
    let wanted = fine.cells();
    let mut done: Vec<(Cell, Outcome)> = Vec::new();
    while let Some(next) = plan::next(&Evidence { scenario: &fine, cells: &done }, &wanted) {
        let measured = cells.iter().find(|(cell, _)| cell == next);
        done.push(measured.cloned().unwrap_or_else(|| (next.clone(), Outcome::Measured(rows(next, GOOD, 8, 1)))));
    }
    assert_eq!(done.len(), plan::certain(&fine, &wanted));
    assert!(done.len() < wanted.len(), "{} of {}", done.len(), wanted.len());
    // A bad method leaves its part of the damage, and the grid is asked until it has a name.
    let (scenario, cells) = with_fault("linear", 0.8);
    let wanted = scenario.cells();
    let mut done: Vec<(Cell, Outcome)> = Vec::new();
    while let Some(next) = plan::next(&Evidence { scenario: &scenario, cells: &done }, &wanted) {
        let measured = cells.iter().find(|(cell, _)| cell == next);
        done.push(measured.cloned().unwrap_or_else(|| (next.clone(), Outcome::Measured(rows(next, GOOD, 8, 1)))));
    }
    assert!(done.len() > plan::certain(&scenario, &wanted));
    let findings = diagnose(&Evidence { scenario: &scenario, cells: &done });
    assert_eq!(findings.verdict(Question::ShortRange).unwrap().ruling, Ruling::Worse);
    assert_eq!(first(&findings, Question::ShortRange).axis, Axis::Method);
    assert_eq!(method("linear"), scenario.deployed.0);
}
