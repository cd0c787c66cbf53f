//! The replay against transformers, against itself in chunks and token by token, and its errors.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use gyro::positions::AnyMethod;
use gyro::replay::{Checkpoint, Phase, Replay, ReplayError};
use gyro::subject::{Look, Scores, Subject, Window};
use gyro::units::{Stretch, Tokens};
use tch::{Device, Tensor};

const LLAMA: &str = "tests/fixtures/llama";
const REFERENCE: &str = "models/reference/rope-2k";

fn tensors(path: &Path) -> HashMap<String, Tensor> {
    Tensor::read_safetensors(path).unwrap().into_iter().collect()
}

fn tokens_of(tensors: &HashMap<String, Tensor>) -> Vec<u32> {
    Vec::<i64>::try_from(&tensors["tokens"]).unwrap().into_iter().map(|token| token as u32).collect()
}

fn load(dir: &Path) -> Rc<Checkpoint> {
    Rc::new(Checkpoint::load(dir, Device::Cpu).unwrap())
}

/// The checkpoint as its own configuration says.
fn declared(dir: &Path) -> Replay {
    let checkpoint = load(dir);
    let (method, factor) = checkpoint.config.declared.clone();
    Replay::new(checkpoint, method, factor).unwrap()
}

fn cases() -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> = fs::read_dir(LLAMA).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.is_dir());
    cases.sort();
    cases
}

fn largest_difference(ours: &[Vec<f32>], theirs: &[Vec<f32>]) -> f32 {
    assert_eq!(ours.len(), theirs.len());
    let pairs = ours.iter().flatten().zip(theirs.iter().flatten());
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn logits_of_tiny_checkpoints_are_those_of_transformers() {
    let cases = cases();
    assert!(cases.len() >= 8, "{cases:?}");
    for dir in cases {
        let golden = tensors(&dir.join("logits.safetensors"));
        let tokens = tokens_of(&golden);
        let at: Vec<usize> = (0..tokens.len()).collect();
        let ours = declared(&dir).logits_at(&tokens, &at).unwrap();
        let theirs = Vec::<Vec<f32>>::try_from(&golden["logits"]).unwrap();
        let difference = largest_difference(&ours, &theirs);
        assert!(difference < 1e-4, "{}: logits differ by {difference}", dir.display());
    }
}

#[test]
fn another_method_is_noticed() {
    let dir = Path::new(LLAMA).join("yarn_new_form");
    let golden = tensors(&dir.join("logits.safetensors"));
    let tokens = tokens_of(&golden);
    let at: Vec<usize> = (0..tokens.len()).collect();
    let unscaled = Replay::new(load(&dir), AnyMethod::unscaled(), Stretch::ONE).unwrap();
    let theirs = Vec::<Vec<f32>>::try_from(&golden["logits"]).unwrap();
    assert!(largest_difference(&unscaled.logits_at(&tokens, &at).unwrap(), &theirs) > 0.1);
}

#[test]
fn logits_of_the_reference_model_are_those_of_transformers() {
    let golden = tensors(Path::new("tests/fixtures/reference/logits.safetensors"));
    let tokens = tokens_of(&golden);
    let lengths = Vec::<i64>::try_from(&golden["lengths"]).unwrap();
    let at: Vec<usize> = lengths.iter().map(|length| *length as usize - 1).collect();
    assert!(at.contains(&8191), "{at:?}");
    let checkpoint = load(Path::new(REFERENCE));
    for (name, method, factor) in [("default", "none", 1.0), ("linear4", "linear", 4.0), ("yarn4", "yarn", 4.0)] {
        let replay = Replay::new(Rc::clone(&checkpoint), AnyMethod::named(method).unwrap(), Stretch(factor)).unwrap();
        let ours = replay.logits_at(&tokens, &at).unwrap();
        // Angles in float64, rounded once, as ours are.
        let exact = Vec::<Vec<f32>>::try_from(&golden[&format!("exact.{name}")]).unwrap();
        let difference = largest_difference(&ours, &exact);
        assert!(difference < 1e-4, "{name}: logits differ by {difference}");
        // transformers as it ships rounds its angles to float32: up to 3e-4 radians at 8,192.
        let shipped = Vec::<Vec<f32>>::try_from(&golden[&format!("shipped.{name}")]).unwrap();
        let difference = largest_difference(&ours, &shipped);
        assert!(difference < 5e-3, "{name}: logits differ by {difference} from the shipped rounding");
    }
}

fn difference(one: &Scores, other: &Scores) -> f32 {
    assert_eq!(one.log_probability.len(), other.log_probability.len());
    let pairs = one.log_probability.iter().zip(&other.log_probability);
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn chunks_and_single_tokens_score_like_one_shot() {
    for dir in cases() {
        let tokens = tokens_of(&tensors(&dir.join("logits.safetensors")));
        let replay = declared(&dir);
        let whole = replay.score_phase(&tokens, Phase::Prefill(None)).unwrap();
        for phase in [Phase::Prefill(Some(7)), Phase::Prefill(Some(64)), Phase::Decode] {
            let other = replay.score_phase(&tokens, phase).unwrap();
            let difference = difference(&whole, &other);
            assert!(difference < 1e-4, "{} in {phase:?}: {difference}", dir.display());
        }
    }
}

/// Biases, their rows behind a cache, and Self-Extend's unrotated keys: the cache changes nothing.
#[test]
fn other_mechanisms_score_alike_in_chunks_and_token_by_token() {
    let tokens = tokens_of(&tensors(Path::new("tests/fixtures/reference/logits.safetensors")));
    for (dir, method) in
        [("models/reference/alibi-2k", "none"), ("models/reference/alibi-2k", "alibi"), (REFERENCE, "self_extend")]
    {
        let replay = Replay::new(load(Path::new(dir)), AnyMethod::named(method).unwrap(), Stretch(4.0)).unwrap();
        // Longer than Self-Extend's window of 512, so that both of its rotations take part.
        let tokens = &tokens[..700];
        let whole = replay.score_phase(tokens, Phase::Prefill(None)).unwrap();
        for phase in [Phase::Prefill(Some(7)), Phase::Prefill(Some(256)), Phase::Decode] {
            let difference = difference(&whole, &replay.score_phase(tokens, phase).unwrap());
            assert!(difference < 1e-3, "{method} on {dir} in {phase:?}: {difference}");
        }
    }
}

#[test]
fn a_window_scores_alike_wherever_it_stands() {
    let tokens = tokens_of(&tensors(Path::new("tests/fixtures/reference/logits.safetensors")));
    let window = &tokens[..200];
    for method in ["none", "linear", "ntk", "yarn"] {
        let mut replay =
            Replay::new(load(Path::new(REFERENCE)), AnyMethod::named(method).unwrap(), Stretch(4.0)).unwrap();
        let mut at =
            |first| replay.score(&[Window { tokens: window, first_position: Tokens(first) }]).unwrap().remove(0);
        let difference = difference(&at(0), &at(7900));
        assert!(difference < 2e-3, "{method}: {difference}");
    }
}

/// Attention statistics of a tiny model against a plain computation with the whole matrix.
#[test]
fn streamed_statistics_are_those_of_the_whole_matrix() {
    let dir = Path::new(LLAMA).join("default_tied_f32");
    let tokens = tokens_of(&tensors(&dir.join("logits.safetensors")));
    let mut replay = declared(&dir);
    let look = |every| Look { every, distance_edges: vec![0, 1, 16, 64, tokens.len()], trained: Tokens(64) };
    for layer in replay.attention(&tokens, &look(1)).unwrap() {
        assert_eq!(layer.queries, tokens.len());
        let mass: f64 = layer.mass.iter().sum();
        assert!((mass - 1.0).abs() < 1e-6, "{mass}");
        // The last bin begins at 64, as `trained` does; only queries from 64 on have such keys.
        let beyond = layer.mass_beyond_trained.unwrap() * (tokens.len() - 64) as f64 / tokens.len() as f64;
        assert!((beyond - layer.mass[3]).abs() < 1e-6);
        assert!(layer.entropy > 0.0 && layer.entropy < (tokens.len() as f64).ln());
    }
    // Every fourth query, from the last backwards.
    assert_eq!(replay.attention(&tokens, &look(4)).unwrap()[0].queries, 40);
}

/// A copy of a tiny checkpoint in a folder of its own, to be damaged.
fn copy(name: &str) -> PathBuf {
    let from = Path::new(LLAMA).join("default_tied_f32");
    let to = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&to).unwrap();
    for file in ["config.json", "model.safetensors"] {
        fs::copy(from.join(file), to.join(file)).unwrap();
    }
    to
}

#[test]
fn what_does_not_fit_is_named() {
    let dir = copy("wrong-width");
    let config = fs::read_to_string(dir.join("config.json")).unwrap();
    fs::write(dir.join("config.json"), config.replace("\"intermediate_size\": 48", "\"intermediate_size\": 50"))
        .unwrap();
    let error = Checkpoint::load(&dir, Device::Cpu).err().unwrap();
    assert!(
        matches!(&error, ReplayError::Shape { name, .. } if name == "model.layers.0.mlp.gate_proj.weight"),
        "{error}"
    );

    let dir = copy("missing-layer");
    let config = fs::read_to_string(dir.join("config.json")).unwrap();
    fs::write(dir.join("config.json"), config.replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3")).unwrap();
    let error = Checkpoint::load(&dir, Device::Cpu).err().unwrap();
    assert!(
        matches!(&error, ReplayError::MissingTensor { name, .. } if name.starts_with("model.layers.2.")),
        "{error}"
    );

    let dir = copy("truncated");
    let weights = fs::read(dir.join("model.safetensors")).unwrap();
    fs::write(dir.join("model.safetensors"), &weights[..weights.len() / 2]).unwrap();
    let error = Checkpoint::load(&dir, Device::Cpu).err().unwrap().to_string();
    assert!(error.contains("model.safetensors"), "{error}");

    let replay = declared(&copy("whole"));
    let error = replay.score_phase(&[1, 9999], Phase::Decode).unwrap_err();
    assert!(matches!(error, ReplayError::Token { token: 9999, .. }), "{error}");
}

#[test]
fn two_runs_give_the_same_bits() {
    let tokens = tokens_of(&tensors(Path::new("tests/fixtures/reference/logits.safetensors")));
    let score = || {
        let replay = Replay::new(load(Path::new(REFERENCE)), AnyMethod::named("yarn").unwrap(), Stretch(4.0)).unwrap();
        replay.score_phase(&tokens[..3000], Phase::Prefill(None)).unwrap()
    };
    assert_eq!(score(), score());
}
