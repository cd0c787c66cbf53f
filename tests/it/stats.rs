//! The statistics against SciPy, statsmodels and NumPy, and their honesty on simulated rows with known effects.

use std::path::Path;

use gyro::stats::random::Random;
use gyro::stats::{
    CONFIDENCE, Course, Profile, Resamples, Setting, benjamini_hochberg, holm, mcnemar, paired_difference, ratio,
    shapley, two_way,
};
use serde_json::Value;

fn cases(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/stats.json");
    let all: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cases = all[name].as_array().unwrap().clone();
    assert!(!cases.is_empty(), "no cases of {name}");
    cases
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn table(value: &Value) -> Vec<Vec<f64>> {
    value.as_array().unwrap().iter().map(numbers).collect()
}

fn near(got: f64, expected: &Value, tolerance: f64) {
    let expected = expected.as_f64().unwrap();
    assert!((got - expected).abs() <= tolerance * expected.abs().max(1.0), "{got} is not {expected} +- {tolerance}");
}

fn all_near(got: &[f64], expected: &Value) {
    assert_eq!(got.len(), expected.as_array().unwrap().len());
    got.iter().zip(expected.as_array().unwrap()).for_each(|(got, expected)| near(*got, expected, 1e-9));
}

#[test]
fn few_documents_have_scipys_student() {
    for case in cases("student") {
        let (before, after) = (numbers(&case["before"]), numbers(&case["after"]));
        let estimate = paired_difference(&after, &before).unwrap();
        near(estimate.point, &case["mean"], 1e-9);
        near(estimate.low, &case["interval"][0], 1e-7);
        near(estimate.high, &case["interval"][1], 1e-7);
        let differences: Vec<f64> = after.iter().zip(&before).map(|(after, before)| after - before).collect();
        let p =
            Resamples::new(differences.len()).unwrap().p_above(&differences, case["bound"].as_f64().unwrap()).unwrap();
        // SciPy's is one-sided, ours belongs to the interval.
        let one_sided = case["p_above"].as_f64().unwrap();
        assert!((p - (2.0 * one_sided).min(1.0)).abs() < 1e-9, "{p} is not twice {one_sided}");
    }
}

#[test]
fn the_bootstrap_t_is_numpys() {
    for case in cases("studentised") {
        let values = numbers(&case["values"]);
        let estimate = Resamples::new(values.len()).unwrap().mean(&values, CONFIDENCE).unwrap();
        let tolerance = case["tolerance"].as_f64().unwrap();
        near(estimate.low, &case["low"], tolerance);
        near(estimate.high, &case["high"], tolerance);
    }
}

#[test]
fn ratios_have_fiellers_interval() {
    for case in cases("ratio") {
        let estimate = ratio(&numbers(&case["above"]), &numbers(&case["below"]), CONFIDENCE).unwrap();
        near(estimate.point, &case["point"], 1e-9);
        near(estimate.low, &case["low"], 1e-7);
        near(estimate.high, &case["high"], 1e-7);
    }
}

#[test]
fn corrections_and_exact_tests_are_those_of_statsmodels_and_scipy() {
    for case in cases("holm") {
        all_near(&holm(&numbers(&case["p"])), &case["adjusted"]);
    }
    for case in cases("benjamini_hochberg") {
        all_near(&benjamini_hochberg(&numbers(&case["p"])), &case["adjusted"]);
    }
    for case in cases("mcnemar") {
        near(mcnemar(case["lost"].as_u64().unwrap(), case["gained"].as_u64().unwrap()), &case["p"], 1e-10);
    }
}

#[test]
fn effects_are_those_of_numpy_and_of_all_orders() {
    for case in cases("two_way") {
        let parts = two_way(&table(&case["table"])).unwrap();
        near(parts.grand, &case["grand"], 1e-9);
        all_near(&parts.rows, &case["rows"]);
        all_near(&parts.columns, &case["columns"]);
        parts.interaction.iter().zip(case["interaction"].as_array().unwrap()).for_each(|(got, row)| all_near(got, row));
    }
    for case in cases("shapley") {
        let values = numbers(&case["values"]);
        all_near(&shapley(values.len().ilog2() as usize, &values).unwrap(), &case["shares"]);
    }
}

#[test]
fn courses_are_those_of_least_squares_by_numpy() {
    for case in cases("courses") {
        let bins = table(&case["bins"]).iter().map(|bin| (bin[0] as u32, bin[1] as u32)).collect();
        let profile = Profile::new(bins, table(&case["documents"])).unwrap();
        let landmark = [case["landmark"].as_u64().unwrap() as u32];
        let setting = Setting { allowance: case["allowance"].as_f64().unwrap(), landmarks: &landmark };
        let found = profile.shape(&setting).unwrap();
        let (course, unit) = match found.course {
            Course::Constant => ("constant", 1.0),
            Course::Growing => ("growing", 1_000.0),
            Course::Step => ("step", 1.0),
            Course::Bend => ("bend", 1_000.0),
        };
        assert_eq!(course, case["course"], "{found:?}");
        assert_eq!(found.onset.map(|onset| onset.point), case["place"].as_f64());
        assert_eq!(found.rise.is_some(), case["rise"].is_number());
        if let Some(rise) = found.rise {
            near(rise.point / unit, &case["rise"], 1e-7);
        }
        if course != "growing" {
            near(found.level.point, &case["level"], 1e-7);
        }
        near(found.misfit, &case["misfit"], 1e-7);
    }
}

/// How the effects of documents are spread around a mean of 0.
#[derive(Clone, Copy, Debug)]
enum Spread {
    Normal,
    /// A sum of squared normal draws: skewness 1.
    Skewed,
    /// The same, falling steeply on the other side.
    SkewedDown,
    /// Recall of 8 facts a document.
    Shares,
}

const SPREADS: [Spread; 4] = [Spread::Normal, Spread::Skewed, Spread::SkewedDown, Spread::Shares];

impl Spread {
    fn draw(self, random: &mut Random) -> f64 {
        let skewed = |random: &mut Random| (0..8).map(|_| random.normal().powi(2) - 1.0).sum::<f64>() / 4.0;
        match self {
            Self::Normal => random.normal(),
            Self::Skewed => skewed(random),
            Self::SkewedDown => -skewed(random),
            Self::Shares => (0..8).filter(|_| random.uniform() < 0.3).count() as f64 / 8.0 - 0.3,
        }
    }
}

/// Documents that runs have, with how many experiments time allows.
const SIZES: [(usize, usize); 4] = [(8, 4_000), (12, 3_000), (16, 3_000), (50, 1_000)];

#[test]
fn intervals_of_95_percent_cover_93_to_97_percent() {
    let mut measured = Vec::new();
    for (n, experiments) in SIZES {
        let resamples = Resamples::new(n).unwrap();
        for spread in SPREADS {
            let mut random = Random::new(11);
            let covered = (0..experiments).filter(|_| {
                let values: Vec<f64> = (0..n).map(|_| spread.draw(&mut random)).collect();
                let estimate = resamples.mean(&values, CONFIDENCE).unwrap();
                (estimate.low - 1e-12..=estimate.high + 1e-12).contains(&0.0)
            });
            measured.push((spread, n, covered.count() as f64 / experiments as f64));
        }
    }
    assert!(measured.iter().all(|(.., share)| (0.93..=0.97).contains(share)), "{measured:#?}");
}

#[test]
fn intervals_of_the_removed_share_cover_93_to_97_percent() {
    let mut measured = Vec::new();
    for (n, _) in SIZES {
        for spread in [Spread::Normal, Spread::Skewed, Spread::SkewedDown] {
            // Damage of 1.2 nats, of which a repair leaves 0.3 in proportion, and something of its own.
            for own in [0.05, 0.3] {
                let mut random = Random::new(12);
                let covered = (0..6_000).filter(|_| {
                    let damage: Vec<f64> = (0..n).map(|_| 1.2 + 0.4 * spread.draw(&mut random)).collect();
                    let left: Vec<f64> = damage.iter().map(|d| 0.3 * d + own * spread.draw(&mut random)).collect();
                    ratio(&left, &damage, CONFIDENCE).is_some_and(|e| (e.low..=e.high).contains(&0.3))
                });
                measured.push((spread, n, own, covered.count() as f64 / 6_000.0));
            }
        }
    }
    assert!(measured.iter().all(|(.., share)| (0.93..=0.97).contains(share)), "{measured:#?}");
}

/// Share of healthy runs in which a gate over some questions raises any alarm, each effect exactly at its tolerance.
fn false_alarms(n: usize, experiments: usize, spread: Spread) -> f64 {
    const QUESTIONS: usize = 4;
    let resamples = Resamples::new(n).unwrap();
    let mut random = Random::new(13);
    let alarms = (0..experiments).filter(|_| {
        let own: Vec<f64> = (0..n).map(|_| spread.draw(&mut random)).collect();
        let p_values: Vec<f64> = (0..QUESTIONS)
            .map(|_| {
                // Questions of one run share their documents.
                let values: Vec<f64> =
                    own.iter().map(|own| 0.02 + 0.004 * own + 0.008 * spread.draw(&mut random)).collect();
                resamples.p_above(&values, 0.02).unwrap()
            })
            .collect();
        holm(&p_values).iter().any(|p| *p <= 0.05)
    });
    alarms.count() as f64 / experiments as f64
}

#[test]
fn a_gate_over_four_questions_raises_at_most_5_percent_false_alarms() {
    let measured: Vec<_> = [(8, 2_000), (16, 1_500), (50, 500)]
        .into_iter()
        .flat_map(|(n, runs)| SPREADS.map(|spread| (spread, n, false_alarms(n, runs, spread))))
        .collect();
    assert!(measured.iter().all(|(.., share)| *share <= 0.05), "{measured:#?}");
}

#[test]
fn an_exact_gate_on_pass_and_fail_raises_at_most_5_percent_false_alarms() {
    let mut random = Random::new(14);
    let runs = 4_000;
    let alarms = (0..runs).filter(|_| {
        let p_values: Vec<f64> = (0..4)
            .map(|_| {
                let changed = 5 + random.below(30) as u64;
                let lost = (0..changed).filter(|_| random.uniform() < 0.5).count() as u64;
                mcnemar(lost, changed - lost)
            })
            .collect();
        holm(&p_values).iter().any(|p| *p <= 0.05)
    });
    let share = alarms.count() as f64 / f64::from(runs);
    assert!((0.005..=0.05).contains(&share), "{share}");
}
