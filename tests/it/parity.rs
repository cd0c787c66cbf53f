//! One tiny model under every rope type of transformers, in one forward and token by token with a cache.
//!
//! Under `dynamic` and `longrope` the frequencies change with the current length, while keys in a cache keep those they
//! came in with, in transformers and here alike: the two ways differ, and each has its own golden.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use gyro::replay::{Checkpoint, Phase, Replay};
use tch::{Device, Tensor};

const ROPE: &str = "tests/fixtures/rope";
const LENGTHS: [usize; 5] = [40, 64, 65, 100, 160];

/// The names of the cases, in order.
fn cases() -> Vec<String> {
    let folders = fs::read_dir(ROPE).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let mut names: Vec<String> = folders.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    names.sort();
    assert!(names.len() >= 12, "{names:?}");
    names
}

/// A case as its configuration declares it; the weights are the same for all.
fn replay(test: &str, name: &str) -> Replay {
    let to = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test).join(name);
    fs::create_dir_all(&to).unwrap();
    fs::copy(Path::new(ROPE).join(name).join("config.json"), to.join("config.json")).unwrap();
    fs::copy(Path::new(ROPE).join("model.safetensors"), to.join("model.safetensors")).unwrap();
    let checkpoint = Rc::new(Checkpoint::load(&to, Device::Cpu).unwrap());
    let (method, factor) = checkpoint.config.declared.clone();
    Replay::new(checkpoint, method, factor).unwrap()
}

/// What transformers computed, and the tokens.
fn golden(name: &str) -> (HashMap<String, Tensor>, Vec<u32>) {
    let path = Path::new(ROPE).join(name).join("logits.safetensors");
    let golden: HashMap<String, Tensor> = Tensor::read_safetensors(path).unwrap().into_iter().collect();
    let tokens = Vec::<i64>::try_from(&golden["tokens"]).unwrap().into_iter().map(|token| token as u32).collect();
    (golden, tokens)
}

fn largest_difference(ours: &[f32], theirs: &[f32]) -> f32 {
    assert_eq!(ours.len(), theirs.len());
    // A NaN must not pass for a small number.
    let differences = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, |worst, d| if d <= worst { worst } else { d })
}

#[test]
fn every_rope_type_has_transformers_logits_in_one_forward() {
    let mut wrong = Vec::new();
    for name in cases() {
        let ((golden, tokens), replay) = (golden(&name), replay("forward", &name));
        for length in LENGTHS {
            let at = Vec::<i64>::try_from(&golden[&format!("at.{length}")]).unwrap();
            let at: Vec<usize> = at.into_iter().map(|at| at as usize).collect();
            let ours = replay.logits_at(&tokens[..length], &at).unwrap().concat();
            let theirs = Vec::<Vec<f32>>::try_from(&golden[&format!("logits.{length}")]).unwrap().concat();
            let difference = largest_difference(&ours, &theirs);
            if difference.is_nan() || difference >= 1e-4 {
                wrong.push(format!("{name} at {length}: {difference}"));
            }
        }
    }
    assert!(wrong.is_empty(), "logits differ: {wrong:#?}");
}

#[test]
fn every_rope_type_scores_as_transformers_token_by_token() {
    let mut wrong = Vec::new();
    for name in cases() {
        let ((golden, tokens), replay) = (golden(&name), replay("cached", &name));
        let ours = replay.score_phase(&tokens, Phase::Decode).unwrap().log_probability;
        let theirs = Vec::<f32>::try_from(&golden["cached.log_probability"]).unwrap();
        let difference = largest_difference(&ours, &theirs);
        if difference.is_nan() || difference >= 1e-4 {
            wrong.push(format!("{name}: {difference}"));
        }
    }
    assert!(wrong.is_empty(), "log-probabilities differ: {wrong:#?}");
}
