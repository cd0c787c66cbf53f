//! What a `config.json` means, against what transformers makes of the same file.

use std::fs;
use std::path::PathBuf;

use gyro::checkpoint::{Config, hash_files, weight_files};
use gyro::positions::{AnyMethod, Mechanism, Method};
use gyro::units::{Stretch, Tokens};
use serde::Deserialize;

#[derive(Deserialize)]
struct Goldens {
    float32_tolerance: f64,
    cases: Vec<Golden>,
}

#[derive(Deserialize)]
struct Golden {
    config: serde_json::Value,
    /// Where the rotation depends on it.
    length: Option<usize>,
    rope_theta: f64,
    trained: Option<usize>,
    kv_heads: usize,
    head_dim: usize,
    norm_epsilon: f64,
    beginning_token: Option<u32>,
    tied_embeddings: bool,
    attention_factor: f64,
    inverse_frequencies: Vec<f64>,
}

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

#[test]
fn a_configuration_means_what_it_means_to_transformers() {
    let text = fs::read_to_string(fixtures().join("configs.json")).unwrap();
    let goldens: Goldens = serde_json::from_str(&text).unwrap();
    assert!(goldens.cases.len() > 15);
    for case in &goldens.cases {
        let text = case.config.to_string();
        let config = Config::parse(&text).unwrap();
        let shape = &config.architecture;
        assert_eq!((shape.kv_heads, shape.head_dim), (case.kv_heads, case.head_dim), "{text}");
        assert_eq!((shape.norm_epsilon, shape.beginning_token), (case.norm_epsilon, case.beginning_token), "{text}");
        assert_eq!(shape.tied_embeddings, case.tied_embeddings, "{text}");
        assert_eq!(config.heads.theta, case.rope_theta, "{text}");
        assert!(case.trained.is_none_or(|trained| config.heads.trained == Tokens(trained)), "{text}");
        let (method, factor) = &config.declared;
        let length = case.length.map_or(config.heads.trained, Tokens);
        let Mechanism::Rotate(rotation) = method.mechanism(&config.heads, *factor, length).unwrap() else {
            panic!("{text} does not rotate");
        };
        assert!((rotation.attention_factor - case.attention_factor).abs() < 1e-12, "{text}");
        assert_eq!(rotation.inverse_frequencies.len(), case.inverse_frequencies.len(), "{text}");
        for (got, expected) in rotation.inverse_frequencies.iter().zip(&case.inverse_frequencies) {
            let tolerance = goldens.float32_tolerance * expected;
            assert!((got - expected).abs() <= tolerance, "{text}: {got}, expected {expected}");
        }
    }
}

#[test]
fn the_tiny_checkpoints_declare_what_they_were_made_with() {
    let read = |name: &str| Config::read(&fixtures().join("llama").join(name)).unwrap();
    let declared = |name: &str| (read(name).declared.0.name(), read(name).declared.1, read(name).heads.trained);
    assert_eq!(declared("default_tied_f32"), ("none", Stretch(1.0), Tokens(64)));
    assert_eq!(declared("linear_gqa_old_form"), ("linear", Stretch(4.0), Tokens(64)));
    assert_eq!(declared("yarn_new_form"), ("yarn", Stretch(4.0), Tokens(64)));
    assert_eq!(declared("mistral"), ("yarn", Stretch(4.0), Tokens(64)));
    assert_eq!(declared("yarn_mscale_theta"), ("yarn", Stretch(8.0), Tokens(32)));
    assert!(matches!(read("yarn_mscale_theta").declared.0, AnyMethod::Yarn(yarn) if !yarn.truncate));
    assert!(read("biases").architecture.attention_bias && read("biases").architecture.mlp_bias);
    assert_eq!(read("wide_heads").architecture.head_dim, 16);
    assert!(read("default_tied_f32").architecture.tied_embeddings);
}

#[test]
fn every_tiny_checkpoint_has_its_files() {
    let folders: Vec<PathBuf> =
        fs::read_dir(fixtures().join("llama")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(folders.len() >= 9);
    for folder in folders {
        let shards = weight_files(&folder).unwrap();
        assert_eq!(shards.len(), if folder.ends_with("sharded_f16") { 2 } else { 1 }, "{folder:?}");
        let hashes = hash_files(&folder).unwrap();
        assert_eq!(hashes.len(), shards.len() + 1, "{folder:?}");
        assert!(hashes.values().all(|hash| hash.len() == 64));
    }
}
