//! Tiny checkpoints with random weights under every mechanism that faults bite into.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use gyro::faults::{AnyFault, Setting};
use gyro::positions::AnyMethod;
use gyro::replay::{Checkpoint, Replay};
use gyro::units::Stretch;
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

/// The trained length of the tiny checkpoints.
pub(crate) const TRAINED: usize = 64;
/// The window of the one that has a window.
pub(crate) const WINDOW: usize = 40;

const FIXTURES: &str = "tests/fixtures/rope";

/// A deployment to break.
pub(crate) struct Bench {
    pub(crate) name: &'static str,
    pub(crate) checkpoint: Rc<Checkpoint>,
    method: AnyMethod,
    factor: Stretch,
}

impl Bench {
    pub(crate) fn replay(&self, faults: &[AnyFault]) -> Replay {
        Replay::under(Rc::clone(&self.checkpoint), self.method.clone(), self.factor, faults).unwrap()
    }

    pub(crate) fn setting(&self) -> Setting {
        Setting {
            method: self.method.clone(),
            factor: self.factor,
            heads: self.checkpoint.config.heads.clone(),
            window: self.checkpoint.config.architecture.window,
        }
    }
}

/// The tokens that every request takes its part of.
pub(crate) fn tokens() -> Vec<u32> {
    let golden: HashMap<String, Tensor> =
        Tensor::read_safetensors(Path::new(FIXTURES).join("default/logits.safetensors")).unwrap().into_iter().collect();
    Vec::<i64>::try_from(&golden["tokens"]).unwrap().into_iter().map(|token| token as u32).collect()
}

/// The fixtures' weights under another configuration; a learned bias is drawn from a seed.
fn checkpoint(changes: &Value) -> Rc<Checkpoint> {
    static COUNT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("injection").join(number.to_string());
    fs::create_dir_all(&dir).unwrap();
    let text = fs::read_to_string(Path::new(FIXTURES).join("default/config.json")).unwrap();
    let mut config: Value = serde_json::from_str(&text).unwrap();
    config["max_position_embeddings"] = TRAINED.into();
    for (key, value) in changes.as_object().unwrap() {
        config[key] = value.clone();
    }
    fs::write(dir.join("config.json"), config.to_string()).unwrap();
    let mut tensors = Tensor::read_safetensors(Path::new(FIXTURES).join("model.safetensors")).unwrap();
    let learned = Tensor::arange(64, (Kind::Float, Device::Cpu)).sin().view([32, 2]);
    tensors.push(("model.positions.weight".to_owned(), learned));
    Tensor::write_safetensors(&tensors, dir.join("model.safetensors")).unwrap();
    Rc::new(Checkpoint::load(&dir, Device::Cpu).unwrap())
}

/// A method over one layer: behind a cache its values depend on no base, so only keys can be stale.
pub(crate) fn one_layer(method: &'static str) -> Bench {
    tch::set_num_threads(1);
    let checkpoint = checkpoint(&json!({ "num_hidden_layers": 1 }));
    Bench { name: method, checkpoint, method: AnyMethod::named(method).unwrap(), factor: Stretch(4.0) }
}

/// One deployment for each kind of fault.
pub(crate) fn benches() -> Vec<Bench> {
    tch::set_num_threads(1);
    let gyro = |positions: Value| json!({ "model_type": "gyro", "architectures": ["GyroForCausalLM"], "positions": positions });
    let mut windowed = gyro(json!({ "rope": {} }));
    windowed["sliding_window"] = WINDOW.into();
    let rope = checkpoint(&json!({}));
    let bench = |name: &'static str, method: &str, factor: f64, checkpoint: &Rc<Checkpoint>| Bench {
        name,
        checkpoint: Rc::clone(checkpoint),
        method: AnyMethod::named(method).unwrap(),
        factor: Stretch(factor),
    };
    let theta = json!({ "rope_parameters": { "rope_type": "default", "rope_theta": 5e5 } });
    vec![
        bench("yarn", "yarn", 4.0, &rope),
        bench("ntk", "ntk", 4.0, &rope),
        bench("dynamic", "dynamic", 4.0, &rope),
        bench("longrope", "longrope", 4.0, &rope),
        bench("partial", "partial", 1.0, &rope),
        bench("self_extend", "self_extend", 4.0, &rope),
        bench("theta", "none", 1.0, &checkpoint(&theta)),
        bench("window", "none", 1.0, &checkpoint(&windowed)),
        bench("alibi", "alibi", 1.0, &checkpoint(&gyro(json!({ "alibi": {} })))),
        bench("t5", "t5", 1.0, &checkpoint(&gyro(json!({ "t5": {} })))),
        bench("nope", "nope", 1.0, &checkpoint(&gyro(json!({ "nope": {} })))),
    ]
}
