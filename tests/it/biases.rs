//! Biases and added vectors against numbers made outside this crate.

use std::fs;

use gyro::positions::{AnyMethod, Bias, Buckets, HeadShape, Mechanism, Method, MethodError, Pairing, Vectors, slopes};
use gyro::units::{Stretch, Tokens};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Goldens {
    float32_tolerance: f64,
    alibi: Vec<Slopes>,
    t5: Vec<Runs>,
    sinusoidal: Vec<Waves>,
    kerple: Vec<Kernel>,
    offsets: Vec<Clipped>,
    absolute: Vec<Rows>,
}

#[derive(Deserialize)]
struct Slopes {
    heads: usize,
    slopes: Vec<f64>,
}

/// The first offset of each run of equal buckets, outwards from 0.
#[derive(Deserialize)]
struct Runs {
    buckets: usize,
    max_distance: usize,
    bidirectional: bool,
    farthest: i64,
    runs: Vec<(i64, usize)>,
}

#[derive(Deserialize)]
struct Waves {
    width: usize,
    position: usize,
    vector: Vec<f64>,
}

#[derive(Deserialize)]
struct Kernel {
    method: AnyMethod,
    factor: f64,
    r1: f64,
    r2: f64,
    distances: Vec<f64>,
    bias: Vec<f64>,
}

#[derive(Deserialize)]
struct Clipped {
    largest: usize,
    factor: f64,
    distances: Vec<usize>,
    index: Vec<usize>,
}

/// The table `sqrt(row)`, read between its rows.
#[derive(Deserialize)]
struct Rows {
    rows: usize,
    factor: f64,
    positions: Vec<usize>,
    values: Vec<f64>,
}

fn goldens() -> Goldens {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/biases.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn method(value: serde_json::Value) -> AnyMethod {
    serde_json::from_value(value).unwrap()
}

/// Heads of weights that were trained with this method.
fn heads_of(native: &AnyMethod, heads: usize, width: usize, trained: usize) -> HeadShape {
    HeadShape {
        heads,
        width,
        head_dim: width / heads,
        rotary_dim: width / heads,
        theta: 1e4,
        trained: Tokens(trained),
        pairing: Pairing::HalfSplit,
        native: native.clone(),
    }
}

fn mechanism(method: &AnyMethod, heads: &HeadShape, factor: f64) -> Mechanism {
    method.mechanism(heads, Stretch(factor), heads.trained).unwrap()
}

fn bias(method: &AnyMethod, heads: usize, factor: f64) -> Bias {
    match mechanism(method, &heads_of(method, heads, 64 * heads, 2048), factor) {
        Mechanism::Bias(bias) => bias,
        other => panic!("{method:?} gives {other:?}"),
    }
}

fn added(method: &AnyMethod, width: usize, trained: usize, factor: f64) -> Vectors {
    match mechanism(method, &heads_of(method, 1, width, trained), factor) {
        Mechanism::Add(vectors) => vectors,
        other => panic!("{method:?} gives {other:?}"),
    }
}

fn assert_close(got: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((got - expected).abs() <= tolerance * expected.abs(), "{what}: {got}, expected {expected}");
}

#[test]
fn alibi_has_the_slopes_of_bloom_and_mpt_for_any_number_of_heads() {
    let goldens = goldens();
    assert_eq!(goldens.alibi.len(), 64);
    for case in &goldens.alibi {
        let got = slopes(case.heads);
        assert_eq!(got.len(), case.heads);
        for (head, (got, expected)) in got.iter().zip(&case.slopes).enumerate() {
            let what = format!("head {head} of {}", case.heads);
            assert_close(*got, *expected, goldens.float32_tolerance, &what);
        }
    }
}

/// arXiv 2108.12409, section 3: the slopes for 8 heads; and the authors' `get_slopes` for 12 and 6.
#[test]
fn alibi_has_the_published_slopes() {
    let eight: Vec<f64> = (1..=8).map(|k| f64::from(k).exp2().recip()).collect();
    assert_eq!(slopes(8), eight);
    let rest = [std::f64::consts::FRAC_1_SQRT_2, 0.353_553, 0.176_777, 0.088_388];
    for (got, expected) in slopes(12).iter().zip(eight.iter().chain(&rest)) {
        assert_close(*got, *expected, 1e-5, "12 heads");
    }
    assert_eq!(slopes(6), [0.25, 0.0625, 0.015_625, 0.003_906_25, 0.5, 0.125]);
    assert_eq!(bias(&method(json!("alibi")), 8, 4.0), Bias::Linear { slopes: eight.iter().map(|m| m / 4.0).collect() });
}

#[test]
fn buckets_are_those_of_t5_in_both_directions() {
    for case in goldens().t5 {
        let buckets = method(json!({ "t5": { "buckets": case.buckets, "max_distance": case.max_distance } }));
        let Bias::Learned(causal) = bias(&buckets, 8, 1.0) else { panic!("no buckets") };
        assert_eq!(causal.count(), case.buckets);
        let side = case.farthest.signum();
        let mut runs: Vec<(i64, usize)> = Vec::new();
        for offset in (0..=case.farthest.abs()).map(|away| side * away) {
            let bucket = if case.bidirectional {
                Buckets::bidirectional(offset, case.buckets, case.max_distance)
            } else {
                causal.of(offset.unsigned_abs() as usize)
            };
            if runs.last().is_none_or(|last| last.1 != bucket) {
                runs.push((offset, bucket));
            }
        }
        let what = format!("{} {} {}", case.buckets, case.max_distance, case.bidirectional);
        assert_eq!(runs, case.runs, "{what}");
    }
}

/// Where T5's logarithmic buckets begin, from transformers 5.23.0.
#[test]
fn t5_has_the_published_buckets() {
    let Bias::Learned(buckets) = bias(&method(json!("t5")), 8, 1.0) else { panic!("no buckets") };
    let first = [16, 19, 21, 24, 27, 31, 35, 40, 46, 52, 59, 67, 77, 87, 99, 113];
    for (bucket, distance) in (16..).zip(first) {
        assert_eq!((buckets.of(distance - 1), buckets.of(distance)), (bucket - 1, bucket));
    }
    assert_eq!((buckets.of(15), buckets.of(1_000_000)), (15, 31));
    for (bucket, offset) in (8..).zip([8, 12, 16, 23, 32, 46, 64, 91]) {
        assert_eq!(Buckets::bidirectional(-offset, 32, 128), bucket);
        assert_eq!(Buckets::bidirectional(offset, 32, 128), bucket + 16);
    }
}

#[test]
fn sinusoidal_vectors_are_those_of_distilbert() {
    for case in goldens().sinusoidal {
        let vectors = added(&method(json!("sinusoidal")), case.width, 2048, 1.0);
        let scale = 10.0; // 1 / 0.1, the amplitude that is not the paper's
        let got = vectors.waves(case.position).unwrap();
        assert_eq!(got.len(), case.vector.len());
        for (dimension, (got, expected)) in got.iter().zip(&case.vector).enumerate() {
            let error = (got * scale - expected).abs();
            assert!(error < 1e-7, "position {}, dimension {dimension}: off by {error}", case.position);
        }
        // A factor squeezes positions: four times as far at factor 4 is the same vector.
        let squeezed = added(&method(json!("sinusoidal")), case.width, 2048, 4.0).waves(4 * case.position).unwrap();
        assert!(squeezed.iter().zip(&got).all(|(a, b)| (a - b).abs() < 1e-12));
    }
}

#[test]
fn kerple_has_the_kernels_of_numpy() {
    let goldens = goldens();
    assert!(["kerple_power", "kerple_log"].iter().all(|name| goldens.kerple.iter().any(|c| c.method.name() == *name)));
    for case in goldens.kerple {
        let kernel = bias(&case.method, 8, case.factor);
        for (distance, expected) in case.distances.iter().zip(&case.bias) {
            let got = kernel.kernel([case.r1, case.r2], *distance).unwrap();
            assert_close(got, *expected, 1e-13, &format!("{:?} at {distance}", case.method));
        }
    }
}

#[test]
fn offsets_are_clipped_as_by_numpy() {
    for case in goldens().offsets {
        let offsets = method(json!({ "offsets": { "largest": case.largest } }));
        let Bias::Learned(buckets) = bias(&offsets, 8, case.factor) else { panic!("no buckets") };
        assert_eq!(buckets.count(), case.largest + 1);
        for (distance, expected) in case.distances.iter().zip(&case.index) {
            assert_eq!(buckets.of(*distance), *expected, "{distance} at factor {}", case.factor);
        }
    }
}

#[test]
fn learned_vectors_are_interpolated_as_by_numpy() {
    for case in goldens().absolute {
        let vectors = added(&method(json!("absolute")), 64, case.rows, case.factor);
        assert_eq!(vectors, Vectors::Learned { rows: case.rows, stretch: case.factor });
        for (position, expected) in case.positions.iter().zip(&case.values) {
            let (row, share) = vectors.row(*position).unwrap();
            // The table holds the root of the row's number.
            let root = |row: usize| (row.min(case.rows - 1) as f64).sqrt();
            let got = root(row) * (1.0 - share) + root(row + 1) * share;
            assert!((got - expected).abs() < 1e-12, "position {position} at factor {}", case.factor);
        }
        let beyond = (case.rows as f64 * case.factor).ceil() as usize;
        assert_eq!((vectors.row(beyond), vectors.row(beyond - 1).map(|at| at.0)), (None, Some(case.rows - 1)));
    }
}

#[test]
fn learned_parameters_are_counted() {
    let counts = [
        (json!("alibi"), 0),
        (json!("kerple_power"), 16),
        (json!("kerple_log"), 16),
        (json!("t5"), 32 * 8),
        (json!("offsets"), 129 * 8),
        (json!({ "offsets": { "largest": 7 } }), 8 * 8),
        (json!("sinusoidal"), 0),
        (json!("absolute"), 2048 * 512),
        (json!("nope"), 0),
        (json!("rope"), 0),
    ];
    for (value, expected) in counts {
        let method = method(value);
        let heads = heads_of(&method, 8, 512, 2048);
        for method in [method, AnyMethod::unscaled()] {
            let mechanism = method.mechanism(&heads, Stretch(1.0), heads.trained).unwrap();
            let learned = mechanism.learned_shape(&heads).map_or(0, |[rows, columns]| rows * columns);
            assert_eq!(learned, expected, "{method:?}");
        }
    }
}

#[test]
fn methods_refuse_foreign_weights_and_wrong_parameters() {
    let rope = heads_of(&method(json!("rope")), 8, 512, 2048);
    for name in ["alibi", "kerple_power", "kerple_log", "t5", "offsets", "sinusoidal", "absolute", "nope"] {
        let refused = method(json!(name)).mechanism(&rope, Stretch::ONE, rope.trained);
        assert!(matches!(refused, Err(MethodError::Foreign { method, native: "rope" }) if method == name));
    }
    for value in [
        json!({ "offsets": { "largest": 0 } }),
        json!({ "t5": { "buckets": 1 } }),
        json!({ "t5": { "max_distance": 16 } }),
        json!({ "alibi": { "slope_scale": 0.0 } }),
        json!({ "sinusoidal": { "base": 1.0 } }),
    ] {
        assert!(matches!(method(value.clone()).check(), Err(MethodError::Parameter { .. })), "{value}");
    }
}
