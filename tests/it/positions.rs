//! Positional methods against numbers made outside this crate, and how they are read and refused.

use std::fs;
use std::path::{Path, PathBuf};

use gyro::positions::{
    AnyMethod, Decay, Grouping, HeadShape, Mechanism, Method, MethodError, Pairing, Rotation, Scheme,
};
use gyro::units::{Stretch, Tokens};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Goldens {
    float32_tolerance: f64,
    cases: Vec<Golden>,
}

#[derive(Deserialize)]
struct Golden {
    method: AnyMethod,
    head_dim: usize,
    rotary_dim: usize,
    theta: f64,
    trained: usize,
    factor: f64,
    attention_factor: f64,
    float64: Vec<f64>,
    /// Where transformers has the type.
    transformers: Option<Vec<f64>>,
    /// The current length; absent means the trained one.
    length: Option<usize>,
    #[serde(default)]
    pairing: Pairing,
    decay: Option<GoldenDecay>,
    extend: Option<GoldenExtend>,
}

#[derive(Deserialize)]
struct GoldenDecay {
    zeta: Vec<f64>,
    scale_base: f64,
}

#[derive(Deserialize)]
struct GoldenExtend {
    group: usize,
    window: usize,
    /// Position, the distant query's, the distant key's.
    positions: Vec<[usize; 3]>,
}

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn goldens() -> Goldens {
    let text = fs::read_to_string(repository().join("tests/fixtures/positions.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

pub(super) fn shape(head_dim: usize, theta: f64, trained: usize) -> HeadShape {
    let (heads, trained) = (4, Tokens(trained));
    let (pairing, native) = (Pairing::HalfSplit, method(json!("rope")));
    HeadShape { heads, width: 4 * head_dim, head_dim, rotary_dim: head_dim, theta, trained, pairing, native }
}

/// The same heads with weights that the method works on.
pub(super) fn trained_with(heads: &HeadShape, method: &AnyMethod) -> HeadShape {
    let is_rotary = matches!(method.scheme(), Scheme::Rotary | Scheme::Any);
    HeadShape { native: if is_rotary { heads.native.clone() } else { method.clone() }, ..heads.clone() }
}

pub(super) fn rotation_at(method: &AnyMethod, heads: &HeadShape, factor: f64, length: usize) -> Rotation {
    match method.mechanism(&trained_with(heads, method), Stretch(factor), Tokens(length)).unwrap() {
        Mechanism::Rotate(rotation) | Mechanism::Group(Grouping { rotation, .. }) => rotation,
        other => panic!("{method:?} gives {other:?}"),
    }
}

/// The rotation at the trained length.
pub(super) fn rotation(method: &AnyMethod, heads: &HeadShape, factor: f64) -> Rotation {
    rotation_at(method, heads, factor, heads.trained.0)
}

pub(super) fn method(value: serde_json::Value) -> AnyMethod {
    serde_json::from_value(value).unwrap()
}

/// The names of the methods that rotate.
pub(super) fn rotary() -> impl Iterator<Item = &'static str> {
    let rotates = |name: &&str| {
        let scheme = AnyMethod::named(name).unwrap().scheme();
        matches!(scheme, Scheme::Any | Scheme::Rotary | Scheme::Xpos)
    };
    AnyMethod::NAMES.iter().copied().filter(rotates)
}

/// By how much each pair is slowed down.
pub(super) fn stretches(method: &AnyMethod, heads: &HeadShape, factor: f64) -> Vec<f64> {
    let unscaled = rotation(&AnyMethod::unscaled(), heads, 1.0).inverse_frequencies;
    let scaled = rotation(method, heads, factor).inverse_frequencies;
    unscaled.iter().zip(&scaled).map(|(from, to)| from / to).collect()
}

pub(super) fn assert_close(got: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((got - expected).abs() <= tolerance * expected.abs(), "{what}: {got}, expected {expected}");
}

/// A zero must be exact.
fn assert_all_close(got: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert_close(*got, *expected, tolerance, &format!("{what}, pair {i}"));
    }
}

#[test]
fn every_method_matches_numpy_and_transformers() {
    let goldens = goldens();
    assert!(goldens.cases.len() > 150);
    for case in &goldens.cases {
        let heads = HeadShape { rotary_dim: case.rotary_dim, ..shape(case.head_dim, case.theta, case.trained) };
        let length = case.length.unwrap_or(case.trained);
        let got = rotation_at(&case.method, &heads, case.factor, length);
        let Golden { method, head_dim, theta, factor, .. } = case;
        let what = format!("{method:?} d {head_dim} theta {theta} factor {factor} length {length}");
        assert_all_close(&got.inverse_frequencies, &case.float64, 1e-12, &format!("{what}, NumPy"));
        if let Some(float32) = &case.transformers {
            let what = format!("{what}, transformers");
            assert_all_close(&got.inverse_frequencies, float32, goldens.float32_tolerance, &what);
        }
        assert_close(got.attention_factor, case.attention_factor, 1e-14, &what);
        assert_eq!(got.pairing, case.pairing, "{what}");
        match (&got.decay, &case.decay) {
            (None, None) => {}
            (Some(Decay { zeta, scale_base }), Some(expected)) => {
                assert_all_close(zeta, &expected.zeta, 1e-14, &what);
                assert_close(*scale_base, expected.scale_base, 0.0, &what);
            }
            other => panic!("{what}: one of the two decays: {}", other.0.is_some()),
        }
    }
}

/// Self-Extend's groups and positions, by the authors' rule for the group and the paper's formula for positions.
#[test]
fn self_extend_groups_as_its_authors_do() {
    let goldens = goldens();
    let cases: Vec<_> = goldens.cases.iter().filter_map(|case| Some((case, case.extend.as_ref()?))).collect();
    assert!(cases.len() > 5);
    for (case, expected) in cases {
        let heads = shape(case.head_dim, case.theta, case.trained);
        let mechanism = case.method.mechanism(&heads, Stretch(case.factor), heads.trained).unwrap();
        let Mechanism::Group(grouping) = mechanism else { panic!("{:?} does not group", case.method) };
        assert_eq!((grouping.group, grouping.window), (expected.group, expected.window), "{:?}", case.method);
        for [position, query, key] in &expected.positions {
            assert_eq!((grouping.query(*position), grouping.key(*position)), (*query, *key));
        }
    }
}

/// Every method is documented with the same headings in its own file; those that rotate have a golden from outside here,
/// the others in `biases.rs`.
#[test]
fn every_method_has_its_page_and_a_golden() {
    let goldens = goldens();
    for name in AnyMethod::NAMES {
        let page = fs::read_to_string(repository().join(format!("src/positions/{name}.rs"))).unwrap();
        let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("//! # ")).collect();
        let expected = ["What it does", "Formula", "Parameters", "Where it breaks", "Source"];
        assert_eq!(headings, expected, "src/positions/{name}.rs");
        let method = AnyMethod::named(name).unwrap();
        assert_eq!(method.name(), *name);
        assert!(!method.summary().is_empty());
    }
    for name in rotary() {
        assert!(goldens.cases.iter().any(|case| case.method.name() == name), "no golden for `{name}`");
    }
}

/// Static NTK, computed in float64 from arXiv 2309.00071, equation 16, at L = 2048, s = 4, b = 10,000.
#[test]
fn ntk_has_the_published_base_and_ratios() {
    for (d, base) in [(32, 43_872.999_2), (64, 41_829.365_9), (128, 40_889.942_4)] {
        let second = rotation(&method(json!("ntk")), &shape(d, 1e4, 2048), 4.0).inverse_frequencies[1];
        assert_close(second.powf(-(d as f64) / 2.0), base, 1e-8, "base");
    }
    let heads = shape(64, 1e4, 2048);
    let frequencies = rotation(&method(json!("ntk")), &heads, 4.0).inverse_frequencies;
    assert_close(frequencies[1], 0.717_098_33, 1e-8, "pair 1");
    assert_close(frequencies[31], 3.333_803_580_4e-5, 1e-10, "pair 31");
    let ratios = stretches(&method(json!("ntk")), &heads, 4.0);
    let published = [
        (0, 1.0),
        (1, 1.045_734),
        (8, 1.430_113),
        (15, 1.955_777),
        (16, 2.045_223),
        (21, 2.557_685),
        (30, 3.825_064),
        (31, 4.0),
    ];
    for (pair, ratio) in published {
        assert_close(ratios[pair], ratio, 1e-6, &format!("pair {pair}"));
    }
}

/// RoPE and position interpolation, computed in float64 from arXiv 2104.09864 and 2306.15595; d = 64, b = 10,000.
#[test]
fn rope_and_linear_have_the_published_frequencies() {
    let heads = shape(64, 1e4, 2048);
    let unscaled = rotation(&AnyMethod::unscaled(), &heads, 1.0).inverse_frequencies;
    assert_close(unscaled[1], 0.749_894_21, 1e-8, "pair 1");
    assert_close(unscaled[31], 1.333_521_432_2e-4, 1e-10, "pair 31");
    let wavelength = |pair: usize| std::f64::consts::TAU / unscaled[pair];
    for (pair, tokens) in [(20, 1986.9), (21, 2649.6), (31, 47_117.0)] {
        assert_close(wavelength(pair), tokens, 3e-5, "wavelength");
    }
    let never_turn = |length: f64| (0..32).filter(|pair| wavelength(*pair) > length).count();
    assert_eq!((never_turn(2048.0), never_turn(8192.0)), (11, 7));
    for (from, to) in unscaled.iter().zip(rotation(&method(json!("linear")), &heads, 4.0).inverse_frequencies) {
        assert_eq!(from / 4.0, to);
    }
}

/// YaRN as transformers 5.23.0 and the authors' code ramp it, computed in float64; L = 2048, s = 4, b = 10,000.
#[test]
fn yarn_has_the_published_ramp() {
    let heads = shape(64, 1e4, 2048);
    let ratios = stretches(&method(json!("yarn")), &heads, 4.0);
    let published = [
        (8, 1.0),
        (9, 1.061_224),
        (10, 1.130_435),
        (11, 1.209_302),
        (12, 1.3),
        (13, 1.405_405),
        (14, 1.529_412),
        (15, 1.677_419),
        (16, 1.857_143),
        (17, 2.08),
        (18, 2.363_636),
        (19, 2.736_842),
        (20, 3.25),
        (21, 4.0),
        (31, 4.0),
    ];
    for (pair, ratio) in published {
        assert_close(ratios[pair], ratio, 1e-6, &format!("pair {pair}"));
    }
    let smooth = stretches(&method(json!({ "yarn": { "truncate": false } })), &heads, 4.0);
    for (pair, ratio) in [(9, 1.061_909), (14, 1.586_623), (20, 3.897_837)] {
        assert_close(smooth[pair], ratio, 1e-6, &format!("pair {pair} without truncation"));
    }
}

/// The ends of the ramp at three head widths, and with the target length mistaken for the trained one.
#[test]
fn yarn_ramps_between_the_published_pairs() {
    for (d, trained, low, high) in [(32, 2048, 4, 11), (64, 2048, 8, 21), (128, 2048, 16, 41), (64, 8192, 12, 25)] {
        let ratios = stretches(&method(json!("yarn")), &shape(d, 1e4, trained), 4.0);
        let kept = ratios.iter().take_while(|ratio| (**ratio - 1.0).abs() < 1e-12).count();
        let divided = ratios.iter().rev().take_while(|ratio| (**ratio - 4.0).abs() < 1e-12).count();
        assert_eq!((kept, divided), (low + 1, d / 2 - high.min(d / 2)), "d {d}, trained {trained}");
    }
}

/// 0.1 ln s + 1, arXiv 2309.00071, equation 22.
#[test]
fn yarn_has_the_published_attention_factor() {
    let heads = shape(64, 1e4, 2048);
    let published =
        [(1.0, 1.0), (2.0, 1.069_315), (4.0, 1.138_629), (8.0, 1.207_944), (16.0, 1.277_259), (32.0, 1.346_574)];
    for (factor, expected) in published {
        let got = rotation(&method(json!("yarn")), &heads, factor).attention_factor;
        assert_close(got, expected, 1e-6, &format!("factor {factor}"));
    }
    let at_four = rotation(&method(json!("yarn")), &heads, 4.0).attention_factor;
    assert_close(at_four * at_four, 1.296_477, 1e-6, "what logits scale by");
}

#[test]
fn a_method_is_read_by_its_name_or_with_parameters() {
    for name in AnyMethod::NAMES {
        let bare = method(json!(name));
        assert_eq!(bare, AnyMethod::named(name).unwrap());
        assert_eq!(bare, method(json!({ *name: {} })));
        assert_eq!(bare, method(serde_json::to_value(&bare).unwrap()));
        assert_eq!(bare.label(), *name);
    }
    let changed = method(json!({ "yarn": { "beta_fast": 16, "attention_factor": 1.25 } }));
    assert_eq!(changed, method(serde_json::to_value(&changed).unwrap()));
    assert_eq!(changed.label(), "yarn (attention_factor 1.25, beta_fast 16.0)");
    assert_eq!(method(json!({ "rope": { "theta": 20000 } })).label(), "rope (theta 20000.0)");
}

#[test]
fn a_mistake_in_a_method_is_named() {
    let message = |value| serde_json::from_value::<AnyMethod>(value).unwrap_err().to_string();
    let cases = [
        (json!({ "yarn": { "beta_fats": 16 } }), "unknown field `beta_fats`, expected one of `beta_fast`, `beta_slow`"),
        (json!({ "linear": { "factor": 4 } }), "unknown field `factor`"),
        (json!("yran"), "unknown variant `yran`, expected one of `none`, `rope`, `linear`, `ntk`, `yarn`"),
        (json!({ "alibi2": {} }), "unknown variant `alibi2`"),
        (json!({ "yarn": {}, "linear": {} }), "expected one method, found `linear` and `yarn`"),
        (json!({}), "expected a method, found an empty map"),
        (json!(4), "a method: one of none, rope, linear, ntk, yarn"),
    ];
    for (value, expected) in cases {
        let message = message(value);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_factor_or_parameter_out_of_range_is_refused() {
    let heads = shape(64, 1e4, 2048);
    for name in AnyMethod::NAMES {
        for factor in [0.5, 0.0, -4.0, f64::NAN, f64::INFINITY] {
            let refused = method(json!(name)).mechanism(&heads, Stretch(factor), heads.trained);
            assert!(matches!(refused, Err(MethodError::Factor { method, .. }) if method == *name));
        }
    }
    let cases = [
        (json!({ "rope": { "theta": 1.0 } }), "theta"),
        (json!({ "yarn": { "beta_fast": 0.0 } }), "beta_fast"),
        (json!({ "yarn": { "beta_slow": -1.0 } }), "beta_slow"),
        (json!({ "yarn": { "beta_fast": 1.0, "beta_slow": 2.0 } }), "beta_fast"),
        (json!({ "yarn": { "attention_factor": 0.0 } }), "attention_factor"),
        (json!({ "yarn": { "mscale": -20.0, "mscale_all_dim": 1.0 } }), "mscale"),
        (json!({ "yarn": { "mscale": 1.0, "mscale_all_dim": -7.2 } }), "mscale_all_dim"),
        (json!({ "by_parts": { "alpha": 0.0 } }), "alpha"),
        (json!({ "by_parts": { "alpha": 32.0 } }), "beta"),
        (json!({ "yarn_paper": { "beta": 0.5 } }), "beta"),
        (json!({ "longrope": { "attention_factor": 0.0 } }), "attention_factor"),
        (json!({ "longrope": { "short_factor": vec![0.0; 32] } }), "short_factor"),
        (json!({ "longrope": { "short_factor": vec![1.0; 31] } }), "short_factor"),
        (json!({ "longrope": { "long_factor": vec![1.0; 33] } }), "long_factor"),
        (json!({ "llama3": { "low_freq_factor": 0.0 } }), "low_freq_factor"),
        (json!({ "llama3": { "high_freq_factor": 1.0 } }), "high_freq_factor"),
        (json!({ "proportional": { "partial_rotary_factor": 1.5 } }), "partial_rotary_factor"),
        (json!({ "partial": { "share": 0.0 } }), "share"),
        (json!({ "partial": { "share": 0.05 } }), "share"),
        (json!({ "xpos": { "scale_base": 0.0 } }), "scale_base"),
        (json!({ "self_extend": { "group": 0 } }), "group"),
        (json!({ "self_extend": { "window": 0 } }), "window"),
        (json!({ "self_extend": { "window": 2048 } }), "window"),
    ];
    for (value, parameter) in cases {
        let method = method(value);
        let refused = method.mechanism(&trained_with(&heads, &method), Stretch(4.0), heads.trained);
        assert!(matches!(refused, Err(MethodError::Parameter { name, .. }) if name == parameter), "{parameter}");
    }
}

/// A guard of the guard: the folder of methods holds no file that the list does not name.
#[test]
fn the_list_names_every_method_in_the_folder() {
    let shared = ["mod", "mechanism", "bias", "fingerprint"];
    for entry in fs::read_dir(repository().join("src/positions")).unwrap() {
        let path = entry.unwrap().path();
        let name = Path::new(&path).file_stem().unwrap().to_string_lossy().into_owned();
        assert!(shared.contains(&name.as_str()) || AnyMethod::NAMES.contains(&name.as_str()), "{name}");
    }
}
