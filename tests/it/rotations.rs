//! The numbers that papers and engines publish for rotations, and the properties that define them.

use gyro::positions::{AnyMethod, HeadShape, Mechanism, Method, Pairing};
use gyro::units::{Stretch, Tokens};
use proptest::prelude::*;
use serde_json::json;

use super::positions::{assert_close, method, rotary, rotation, rotation_at, shape, stretches};

/// The base that gives a rotation's second frequency.
fn base_of(name: &str, heads: &HeadShape, factor: f64, length: usize) -> f64 {
    let second = rotation_at(&method(json!(name)), heads, factor, length).inverse_frequencies[1];
    second.powf(-(heads.rotary_dim as f64) / 2.0)
}

/// transformers 5.23.0, `dynamic`: b (s l / L - (s - 1))^(d / (d - 2)), computed in float64; d = 64, L = 2048, b = 10,000.
#[test]
fn dynamic_has_the_published_bases_at_four_times_the_trained_length() {
    let heads = shape(64, 1e4, 2048);
    for (factor, base) in [(1.0, 41_829.37), (2.0, 74_534.83), (4.0, 141_213.76)] {
        assert_close(base_of("dynamic", &heads, factor, 8192), base, 1e-7, "dynamic");
    }
    // vLLM's constant is the same formula at the target length.
    for length in [1, 2048, 8192] {
        assert_close(base_of("dynamic_vllm", &heads, 4.0, length), 141_213.76, 1e-7, "dynamic_vllm");
    }
    // At factor 1 it is the paper's, and at four lengths the static form at factor 4: 41,829.3659.
    for name in ["dynamic", "dynamic_paper"] {
        assert_close(base_of(name, &heads, 1.0, 8192), 41_829.365_9, 1e-8, name);
        assert_close(base_of(name, &heads, 1.0, 2048), 1e4, 1e-12, name);
    }
    assert_close(base_of("dynamic_paper", &heads, 4.0, 8192), 41_829.365_9, 1e-8, "the factor is not used");
}

/// Qwen-7B's and lmdeploy's alpha: 3, 7 and 7 at two, three and four times the trained length.
#[test]
fn dynamic_step_has_the_published_alphas() {
    let heads = shape(64, 1e4, 2048);
    for (length, alpha) in [(1, 1.0), (2048, 1.0), (2049, 3.0), (4096, 3.0), (6144, 7.0), (8192, 7.0), (8193, 15.0)] {
        let got = (base_of("dynamic_step", &heads, 4.0, length) / 1e4).powf(62.0 / 64.0);
        assert_close(got, alpha, 1e-12, &format!("length {length}"));
    }
}

/// Llama 3.1's scaling (1, 4) at d = 64, L = 2048, s = 4, b = 10,000, computed in float64 from Meta's `apply_scaling`.
#[test]
fn llama3_has_the_published_ratios() {
    let ratios = stretches(&method(json!("llama3")), &shape(64, 1e4, 2048), 4.0);
    let expected = [1.227_18, 1.636_48, 2.182_28, 2.910_11, 3.880_7];
    assert!(ratios[..16].iter().all(|ratio| *ratio == 1.0));
    for (ratio, expected) in ratios[16..21].iter().zip(expected) {
        assert_close(*ratio, expected, 1e-5, "a pair between");
    }
    assert!(ratios[21..].iter().all(|ratio| (ratio - 4.0).abs() < 1e-12));
    assert_eq!(ratios.len(), 32);
}

/// sqrt(1 + ln s / ln L), arXiv 2402.13753, computed in float64.
#[test]
fn longrope_has_the_published_attention_factor() {
    for (factor, trained, expected) in [(4.0, 2048, 1.087_115), (32.0, 4096, 1.190_238), (1.0, 4096, 1.0)] {
        let got = rotation(&method(json!("longrope")), &shape(64, 1e4, trained), factor).attention_factor;
        assert_close(got, expected, 1e-6, &format!("factor {factor}, trained {trained}"));
    }
}

/// arXiv 2309.00071: the paper's ramp over turns and the shipped one over the pair's index differ by up to 44 % (at d = 64,
/// pair 15, L = 2048, s = 4, b = 10,000).
#[test]
fn the_papers_yarn_is_not_the_shipped_one() {
    let heads = shape(64, 1e4, 2048);
    let (paper, shipped) = (method(json!("yarn_paper")), method(json!("yarn")));
    let (paper, shipped) = (rotation(&paper, &heads, 4.0), rotation(&shipped, &heads, 4.0));
    assert_eq!(paper.attention_factor, shipped.attention_factor);
    let pairs = shipped.inverse_frequencies.iter().zip(&paper.inverse_frequencies);
    let below: Vec<f64> = pairs.map(|(shipped, paper)| 1.0 - paper / shipped).collect();
    let worst = (0..32).max_by(|a, b| below[*a].abs().total_cmp(&below[*b].abs())).unwrap();
    assert_eq!(worst, 15);
    assert!((0.44..0.45).contains(&below[worst]), "{}", below[worst]);
}

/// Self-Extend's example in the authors' README: 4,096 to 16,384 with a window of 1,024 takes groups of 5.
#[test]
fn self_extend_takes_the_authors_group() {
    let heads = shape(64, 1e4, 4096);
    let mechanism = method(json!("self_extend")).mechanism(&heads, Stretch(4.0), Tokens(16_384)).unwrap();
    let Mechanism::Group(grouping) = mechanism else { panic!("no groups") };
    assert_eq!((grouping.group, grouping.window), (5, 1024));
}

/// A vector of numbers between -1 and 1 without a pattern.
fn vector(width: usize, seed: f64) -> Vec<f64> {
    (0..width).map(|i| (seed * 12.9898 + i as f64 * 78.233).sin()).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The two dimensions of a pair.
fn dimensions(pair: usize, pairs: usize, pairing: Pairing) -> (usize, usize) {
    match pairing {
        Pairing::HalfSplit => (pair, pair + pairs),
        Pairing::Interleaved => (2 * pair, 2 * pair + 1),
    }
}

/// A vector with each pair turned by its angle.
fn turned(x: &[f64], angles: &[f64], pairing: Pairing) -> Vec<f64> {
    let mut out = x.to_vec();
    for (pair, angle) in angles.iter().enumerate() {
        let (a, b) = dimensions(pair, angles.len(), pairing);
        let (sine, cosine) = angle.sin_cos();
        out[a] = x[a] * cosine - x[b] * sine;
        out[b] = x[a] * sine + x[b] * cosine;
    }
    out
}

fn any_shape() -> impl Strategy<Value = HeadShape> {
    // A multiple of four, so that half of the dimensions are pairs too.
    (1_usize..=64, 3.0..7.0, 64_usize..=131_072).prop_map(|(quads, log_theta, trained)| {
        let theta: f64 = 10_f64.powf(log_theta);
        shape(4 * quads, theta, trained)
    })
}

proptest! {
    /// A method that claims so is the unscaled model at factor 1, at any length.
    #[test]
    fn factor_one_changes_nothing(heads in any_shape(), length in 1_usize..400_000) {
        let unscaled = rotation(&AnyMethod::unscaled(), &heads, 1.0);
        let claims: Vec<AnyMethod> =
            rotary().map(|name| method(json!(name))).filter(AnyMethod::is_unscaled_at_one).collect();
        prop_assert!(claims.len() > 8);
        for method in claims {
            let mechanism = method.mechanism(&heads, Stretch::ONE, Tokens(length)).unwrap();
            prop_assert!(matches!(mechanism, Mechanism::Rotate(_)), "{}", method.name());
            let rotation = rotation_at(&method, &heads, 1.0, length);
            prop_assert_eq!(rotation.attention_factor, 1.0);
            prop_assert_eq!(&rotation.decay, &None);
            prop_assert_eq!(rotation.pairing, heads.pairing);
            for (got, expected) in rotation.inverse_frequencies.iter().zip(&unscaled.inverse_frequencies) {
                prop_assert!((got / expected - 1.0).abs() < 1e-15, "{}", method.name());
            }
        }
    }

    #[test]
    fn linear_stretches_all_pairs_alike(heads in any_shape(), factor in 1.0..64.0) {
        for stretch in stretches(&method(json!("linear")), &heads, factor) {
            prop_assert!((stretch / factor - 1.0).abs() < 1e-15);
        }
    }

    #[test]
    fn ntk_stretches_the_slowest_pair_by_the_factor(heads in any_shape(), factor in 1.0..64.0) {
        let stretches = stretches(&method(json!("ntk")), &heads, factor);
        prop_assert_eq!(stretches[0], 1.0);
        prop_assert!((stretches[stretches.len() - 1] / factor - 1.0).abs() < 1e-12);
        prop_assert!(stretches.windows(2).all(|pair| pair[0] <= pair[1] * (1.0 + 1e-12)));
    }

    #[test]
    fn yarn_stretches_slower_pairs_more_and_none_beyond_the_factor(
        heads in any_shape(), factor in 1.0..64.0, slow in 0.1..8.0, ratio in 1.0..64.0, truncate: bool,
    ) {
        let yarn = json!({ "yarn": { "beta_slow": slow, "beta_fast": slow * ratio, "truncate": truncate } });
        let stretches = stretches(&method(yarn), &heads, factor);
        prop_assert!(stretches.iter().all(|stretch| (1.0 - 1e-12..=factor * (1.0 + 1e-12)).contains(stretch)));
        prop_assert!(stretches.windows(2).all(|pair| pair[0] <= pair[1] * (1.0 + 1e-12)));
    }

    #[test]
    fn ramps_over_turns_stretch_slower_pairs_more_and_none_beyond_the_factor(
        heads in any_shape(), factor in 1.0..64.0, low in 0.1..8.0, ratio in 1.01..64.0,
    ) {
        let high = low * ratio;
        for value in [
            json!({ "by_parts": { "alpha": low, "beta": high } }),
            json!({ "yarn_paper": { "alpha": low, "beta": high } }),
            json!({ "llama3": { "low_freq_factor": low, "high_freq_factor": high } }),
        ] {
            let stretches = stretches(&method(value), &heads, factor);
            prop_assert!(stretches.iter().all(|stretch| (1.0 - 1e-12..=factor * (1.0 + 1e-12)).contains(stretch)));
            prop_assert!(stretches.windows(2).all(|pair| pair[0] <= pair[1] * (1.0 + 1e-12)));
        }
    }

    /// transformers' form at factor 1 and the paper's keep the slowest pair's last angle at the trained one.
    #[test]
    fn dynamic_scaling_stretches_the_slowest_pair_as_far_as_the_length(heads in any_shape(), ratio in 0.1..64.0) {
        let length = (heads.trained.as_f64() * ratio) as usize + 1;
        let expected = (length as f64 / heads.trained.as_f64()).max(1.0);
        let unscaled = rotation(&AnyMethod::unscaled(), &heads, 1.0);
        for name in ["dynamic", "dynamic_paper"] {
            let slowest = *rotation_at(&method(json!(name)), &heads, 1.0, length).inverse_frequencies.last().unwrap();
            let stretch = unscaled.inverse_frequencies.last().unwrap() / slowest;
            prop_assert!((stretch / expected - 1.0).abs() < 1e-12, "{}: {} and {}", name, stretch, expected);
        }
    }

    /// No pair of a query and a key within the target length is farther apart than in training.
    #[test]
    fn self_extend_leaves_no_distance_unseen(
        trained in 8_usize..4096, factor in 1.01..32.0, at in 0.0..1.0, from in 0.0..1.0,
    ) {
        let heads = shape(64, 1e4, trained);
        let mechanism = method(json!("self_extend")).mechanism(&heads, Stretch(factor), heads.trained).unwrap();
        let Mechanism::Group(grouping) = mechanism else { panic!("no groups at {factor}") };
        let query = (at * (factor * trained as f64 - 1.0)) as usize;
        let key = (from * query as f64) as usize;
        if query - key >= grouping.window {
            let (far, near) = (grouping.query(query), grouping.key(key));
            prop_assert!(far >= near && far - near <= trained, "{} to {} of {}", far, near, trained);
        }
    }

    /// Lengths grow by the attention factor alone, and angles between two vectors at one position stay.
    #[test]
    fn a_rotation_keeps_norms_and_angles(heads in any_shape(), factor in 1.0..8.0, position in 0_usize..400) {
        for name in rotary() {
            let rotation = rotation(&method(json!(name)), &heads, factor);
            let (x, y) = (vector(heads.head_dim, 1.0), vector(heads.head_dim, 2.0));
            let angles: Vec<f64> = rotation.inverse_frequencies.iter().map(|f| f * position as f64).collect();
            let (turned_x, turned_y) = (turned(&x, &angles, rotation.pairing), turned(&y, &angles, rotation.pairing));
            for (a, b, turned_a, turned_b) in [(&x, &x, &turned_x, &turned_x), (&x, &y, &turned_x, &turned_y)] {
                let (before, after) = (dot(a, b), dot(turned_a, turned_b));
                prop_assert!((before - after).abs() < 1e-11, "{}: {} and {}", name, before, after);
            }
        }
    }

    /// Rotating by a method's angles is rotating by the trained ones and then by what the method adds to them; and
    /// interpolation is the trained rotation at a position between the tokens.
    #[test]
    fn a_rotation_with_transformed_angles_is_the_transformed_rotation(
        heads in any_shape(), factor in 1.0..8.0, position in 0_usize..400,
    ) {
        let unscaled = rotation(&AnyMethod::unscaled(), &heads, 1.0);
        let at = position as f64;
        let x = vector(heads.head_dim, 1.0);
        for name in rotary() {
            let scaled = rotation(&method(json!(name)), &heads, factor);
            if scaled.inverse_frequencies.len() != unscaled.inverse_frequencies.len() {
                continue;
            }
            let pairs = || scaled.inverse_frequencies.iter().zip(&unscaled.inverse_frequencies);
            let whole: Vec<f64> = pairs().map(|(to, _)| to * at).collect();
            let (first, rest): (Vec<f64>, Vec<f64>) = pairs().map(|(to, from)| (from * at, (to - from) * at)).unzip();
            let direct = turned(&x, &whole, scaled.pairing);
            let composed = turned(&turned(&x, &first, scaled.pairing), &rest, scaled.pairing);
            let worst = direct.iter().zip(&composed).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            prop_assert!(worst < 1e-12, "{}: {}", name, worst);
        }
        let linear = rotation(&method(json!("linear")), &heads, factor).inverse_frequencies;
        let squeezed: Vec<f64> = unscaled.inverse_frequencies.iter().map(|f| f * (at / factor)).collect();
        let direct = turned(&x, &linear.iter().map(|f| f * at).collect::<Vec<_>>(), Pairing::HalfSplit);
        let between = turned(&x, &squeezed, Pairing::HalfSplit);
        prop_assert!(direct.iter().zip(&between).all(|(a, b)| (a - b).abs() < 1e-12));
    }

    /// The score of a query and a key, rotated as attention rotates them, does not see where the two are.
    #[test]
    fn a_score_depends_on_the_offset_alone(
        heads in any_shape(), factor in 1.0..8.0, key in 0_usize..400, offset in 0_usize..400, shift in 0_usize..200,
    ) {
        for name in rotary() {
            let rotation = rotation(&method(json!(name)), &heads, factor);
            let score = |query: usize, key: usize| {
                let at = |position: usize, seed: f64, side: f64| {
                    let angles: Vec<f64> = rotation.inverse_frequencies.iter().map(|f| f * position as f64).collect();
                    let mut x = turned(&vector(heads.head_dim, seed), &angles, rotation.pairing);
                    if let Some(decay) = &rotation.decay {
                        for (pair, zeta) in decay.zeta.iter().enumerate() {
                            let (a, b) = dimensions(pair, decay.zeta.len(), rotation.pairing);
                            let scale = zeta.powf(side * position as f64 / decay.scale_base);
                            x[a] *= scale;
                            x[b] *= scale;
                        }
                    }
                    x
                };
                dot(&at(query, 1.0, 1.0), &at(key, 2.0, -1.0)) / heads.head_dim as f64
            };
            let (here, there) = (score(key + offset, key), score(key + offset + shift, key + shift));
            prop_assert!((here - there).abs() < 1e-12, "{}: {} and {}", name, here, there);
        }
    }
}
