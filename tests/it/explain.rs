//! `gyro explain`: its numbers against published ones, its words and its picture.

use std::process::Command;

use gyro::explain::{ExplainError, Explanation, Facts, Pair, Setting, Shared, Turning, explain, text};
use gyro::positions::{AnyMethod, MethodError};
use gyro::reports::mechanism_chart;
use gyro::units::{Stretch, Tokens};
use serde_json::json;

fn setting(method: serde_json::Value) -> Setting {
    Setting::of(serde_json::from_value(method).unwrap())
}

fn explained(name: &str, factor: f64) -> Explanation {
    explain(&Setting { factor: Stretch(factor), ..setting(json!(name)) }).unwrap()
}

fn turning(name: &str, factor: f64) -> Turning {
    match explained(name, factor).mechanism {
        Facts::Rotate(turning) => turning,
        other => panic!("{name} is {other:?}"),
    }
}

fn shared(name: &str, factor: f64) -> Shared {
    match explained(name, factor).mechanism {
        Facts::Buckets(shared) => shared,
        other => panic!("{name} is {other:?}"),
    }
}

fn close(got: f64, expected: f64, tolerance: f64) -> bool {
    (got / expected - 1.0).abs() < tolerance
}

#[test]
fn every_method_is_explained_in_words_json_and_a_picture() {
    for name in AnyMethod::NAMES {
        for (trained, target, factor) in [(2048, 8192, 4.0), (2048, 2048, 1.0), (100, 250, 2.5), (1, 2, 2.0)] {
            let (trained, target, factor) = (Tokens(trained), Tokens(target), Stretch(factor));
            let explanation = match explain(&Setting { trained, target, factor, ..setting(json!(name)) }) {
                Ok(explanation) => explanation,
                // A method may refuse a length for which it has no parameters, never the default.
                Err(error) if trained == Tokens(1) => {
                    assert!(matches!(error, ExplainError::Method(_)), "{name}: {error}");
                    continue;
                }
                Err(error) => panic!("{name}: {error}"),
            };
            let page = text(&explanation);
            assert!(page.lines().all(|line| line.chars().count() <= 100), "{page}");
            let json = serde_json::to_string(&explanation).unwrap();
            let svg = mechanism_chart(&explanation).unwrap();
            assert!(svg.starts_with("<svg xmlns=") && svg.trim_end().ends_with("</svg>"), "{name}");
            assert!(svg.matches("<text").count() > 5, "{name}: an empty picture");
            for (what, text) in [("text", &page), ("json", &json), ("picture", &svg)] {
                for word in ["NaN", "inf ", "inf\n", "-0.000 ", "2147483647"] {
                    assert!(!text.contains(word), "{name}: {what} has `{word}`\n{text}");
                }
            }
        }
    }
}

#[test]
fn ntk_in_words() {
    insta::assert_snapshot!(text(&explained("ntk", 4.0)));
}

#[test]
fn yarn_in_words() {
    insta::assert_snapshot!(text(&explained("yarn", 4.0)));
}

#[test]
fn alibi_in_words() {
    insta::assert_snapshot!(text(&explained("alibi", 1.0)));
}

#[test]
fn t5_in_words() {
    insta::assert_snapshot!(text(&explained("t5", 4.0)));
}

/// Computed in float64 from arXiv 2104.09864, equation 15; d = 64, b = 10,000, L = 2048.
#[test]
fn pairs_have_the_published_periods() {
    let unscaled = turning("none", 4.0);
    assert_eq!((unscaled.pairs.len(), unscaled.never_trained, unscaled.never_target), (32, 11, 7));
    for (pair, period) in [(20, 1986.9), (21, 2649.6), (31, 47_117.0)] {
        assert!(close(unscaled.pairs[pair].period_trained.unwrap(), period, 3e-5), "pair {pair}");
        assert_eq!(unscaled.pairs[pair].period, unscaled.pairs[pair].period_trained);
    }
    // Pair 20 turns once and so meets every angle; those above it do not.
    assert_eq!(unscaled.leaves, (21..32).collect::<Vec<_>>());
    assert!(unscaled.pairs.iter().all(|pair| close(pair.turns, 8192.0 / pair.period.unwrap(), 1e-12)));
}

/// Which pairs leave the angles of training follows from the published stretches: those stretched by less than 4.
#[test]
fn a_method_leaves_the_angles_of_training_where_it_stretches_too_little() {
    for (name, leaves) in [("linear", vec![]), ("yarn", vec![]), ("ntk", (21..31).collect())] {
        let turning = turning(name, 4.0);
        assert_eq!((turning.leaves, turning.leaves_unscaled), (leaves, (21..32).collect()), "{name}");
    }
    let (linear, ntk, yarn) = (turning("linear", 4.0), turning("ntk", 4.0), turning("yarn", 4.0));
    assert_eq!((linear.uniform_stretch, ntk.uniform_stretch, yarn.uniform_stretch), (Some(4.0), None, None));
    let stretch = |pair: &Pair| pair.stretch.unwrap();
    for (pair, expected) in [(1, 1.045_734), (21, 2.557_685), (31, 4.0)] {
        assert!(close(stretch(&ntk.pairs[pair]), expected, 1e-6), "ntk, pair {pair}");
    }
    for (pair, expected) in [(8, 1.0), (13, 1.405_405), (20, 3.25), (21, 4.0)] {
        assert!(close(stretch(&yarn.pairs[pair]), expected, 1e-6), "yarn, pair {pair}");
    }
    assert!(close(yarn.attention_factor, 1.138_629, 1e-6) && close(yarn.logit_scale, 1.296_477, 1e-6));
    for turning in [linear, ntk, yarn] {
        assert!(turning.equivalence.within <= 1e-10, "{:?}", turning.equivalence);
    }
}

/// The published slopes for 8 heads are 1/2 to 1/256, so weights fall by e at 2 to 256 tokens.
#[test]
fn alibi_falls_by_e_at_one_over_its_slope() {
    let Facts::Slopes(slopes) = explained("alibi", 4.0).mechanism else { panic!("no slopes") };
    let at: Vec<f64> = slopes.heads.iter().map(|fall| fall.falls_by_e_at).collect();
    assert_eq!(at, [8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0]);
    // A factor of 4 makes the farthest key at 8,192 weigh what that at 2,048 did.
    assert!(slopes.heads.iter().all(|fall| fall.bias_at_target == fall.bias_at_trained));
    assert_eq!(slopes.heads[7].bias_at_trained, -8.0);
}

/// Where -r1 d^r2 and -r1 ln(1 + r2 d) are -1 at the means of the authors' initial parameters: 2 and 2 (e - 1).
#[test]
fn kerple_is_explained_at_its_initial_parameters() {
    for (name, r, at) in [("kerple_power", (0.5, 1.0), 2.0), ("kerple_log", (1.0, 0.5), 3.436_563_656_918_09)] {
        let explanation = explained(name, 4.0);
        let Facts::Kernel(kernel) = &explanation.mechanism else { panic!("no kernel") };
        assert_eq!((kernel.r1, kernel.r2), r);
        assert!(close(kernel.falls_by_e_at_trained, at, 1e-12) && close(kernel.falls_by_e_at, 4.0 * at, 1e-12));
        assert!(text(&explanation).contains("Initial parameters"));
    }
}

/// T5's last bucket begins at 113 (transformers 5.23.0); with a factor of 4, at 452.
#[test]
fn buckets_saturate_where_they_do_in_transformers() {
    let plain = shared("t5", 1.0);
    assert_eq!((plain.saturates_at_trained, plain.saturates_at), (Some(113), Some(113)));
    assert_eq!((plain.unseen, plain.crowded), (vec![], vec![31]));
    let last = plain.buckets[31];
    assert_eq!((last.keys_trained, last.keys_target), (2048 - 113, 8192 - 113));
    let scaled = shared("t5", 4.0);
    assert_eq!((scaled.saturates_at, scaled.crowded.len()), (Some(452), 32));
    assert_eq!((scaled.buckets[16].first, scaled.buckets[16].last), (Some(64), Some(75)));
    // A table that is longer than training has values that training never used.
    let long = explain(&setting(json!({ "offsets": { "largest": 4000 } }))).unwrap();
    let Facts::Buckets(long) = long.mechanism else { panic!("no offsets") };
    assert_eq!((long.unseen, long.saturates_at), (vec![], None));
    let long = Setting { factor: Stretch::ONE, ..setting(json!({ "offsets": { "largest": 4000 } })) };
    let Facts::Buckets(long) = explain(&long).unwrap().mechanism else { panic!("no offsets") };
    assert_eq!(long.unseen, (2048..=4000).collect::<Vec<_>>());
}

#[test]
fn added_vectors_end_with_training() {
    for (factor, unseen, first, between) in
        [(1.0, 6144, Some(2048), 0), (4.0, 0, None, 6144), (2.0, 4096, Some(4096), 2048)]
    {
        let Facts::Rows(rows) = explained("absolute", factor).mechanism else { panic!("no rows") };
        assert_eq!((rows.unseen, rows.first_unseen, rows.between), (unseen, first, between), "factor {factor}");
    }
    let Facts::Waves(waves) = explained("sinusoidal", 1.0).mechanism else { panic!("no waves") };
    assert_eq!((waves.pairs.len(), waves.unseen, waves.first_unseen), (256, 6144, Some(2048)));
}

/// Every learned value that a decoded token reads: only shared values are looked up key by key.
#[test]
fn only_buckets_and_offsets_look_up_more_learned_values_in_longer_contexts() {
    for name in AnyMethod::NAMES {
        let work = explained(name, 4.0).work;
        let contexts: Vec<usize> = work.steps.iter().map(|step| step.context.0).collect();
        assert_eq!(contexts, [256, 512, 1024, 2048, 4096, 8192]);
        assert_eq!(work.lookups_grow, ["t5", "offsets"].contains(name), "{name}");
    }
    let at = |name: &str, step: usize| {
        let step = explained(name, 4.0).work.steps[step];
        (step.lookups, step.bytes, step.flops)
    };
    let (heads, dimensions, layers) = (8, 64, 6);
    let rotated = (0, 4 * dimensions * layers, 6 * heads * dimensions * layers);
    assert_eq!((at("rope", 0), at("rope", 5), at("yarn", 5)), (rotated, rotated, rotated));
    assert_eq!(at("dynamic", 5), rotated, "cached keys keep their rotation");
    let both = 8193 * dimensions * layers;
    assert_eq!(at("self_extend", 5), (0, 8 * both, 6 * heads * both), "all keys are turned for every query");
    let scores = heads * 8192 * layers;
    assert_eq!(at("alibi", 5), (0, 4 * heads * layers, 2 * scores));
    assert_eq!(at("t5", 5), (scores, 4 * (scores + 8192 * layers), scores));
    assert_eq!(at("kerple_log", 5), (2 * heads * layers, 8 * heads * layers, 5 * scores));
    assert_eq!((at("absolute", 5).0, at("sinusoidal", 5).0, at("nope", 5)), (1024, 0, (0, 0, 0)));
}

#[test]
fn a_setting_out_of_range_is_refused() {
    let rope = || setting(json!("rope"));
    let refused = |setting: Setting| explain(&setting).unwrap_err().to_string();
    assert_eq!(refused(Setting { head_dim: 63, ..rope() }), "--head-dim must be even, got 63");
    assert_eq!(refused(Setting { heads: 0, ..rope() }), "--heads must be 1 to 65536, got 0");
    assert_eq!(refused(Setting { target: Tokens(1 << 25), ..rope() }), "--target must be 1 to 16777216, got 33554432");
    assert_eq!(refused(Setting { theta: f64::NAN, ..rope() }), "--theta must be a number above 1, got NaN");
    let factor = explain(&Setting { factor: Stretch(0.5), ..rope() });
    assert!(matches!(factor, Err(ExplainError::Method(MethodError::Factor { .. }))));
}

#[test]
fn the_command_reads_parameters_and_writes_the_picture() {
    let folder = std::env::temp_dir().join(format!("gyro-explain-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let picture = folder.join("yarn.svg");
    let gyro =
        |arguments: &[&str]| Command::new(env!("CARGO_BIN_EXE_gyro")).arg("explain").args(arguments).output().unwrap();
    let made =
        gyro(&["yarn: {beta_fast: 16}", "--target", "4096", "--format", "json", "--out", picture.to_str().unwrap()]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let read: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!(read["method"], "yarn (beta_fast 16.0)");
    assert_eq!((&read["setting"]["factor"], &read["mechanism"]["kind"]), (&json!(2.0), &json!("rotate")));
    assert!(std::fs::read_to_string(&picture).unwrap().starts_with("<svg"));
    std::fs::remove_dir_all(&folder).unwrap();
    let table = gyro(&["alibi", "--factor", "1"]);
    assert_eq!(String::from_utf8(table.stdout).unwrap(), text(&explained("alibi", 1.0)));
    for wrong in ["yran", "yarn: {beta_fats: 16}", "yarn: [", "yarn: {beta_fast: 0}"] {
        let refused = gyro(&[wrong]);
        assert_eq!(refused.status.code(), Some(2), "{wrong}");
        assert!(refused.stdout.is_empty() && String::from_utf8_lossy(&refused.stderr).starts_with("error: "));
    }
}
