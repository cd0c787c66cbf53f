//! The weights of a scenario: each method gets those that know it, adapted where a cell asks for it, and only once.

use std::fs;
use std::path::{Path, PathBuf};

use gyro::checkpoint::Config;
use gyro::measurement::Cell;
use gyro::positions::{AnyMethod, Method, Scheme};
use gyro::replay::Fleet;
use gyro::scenario::{self, Scenario, Training};
use gyro::subject::{Engine, Window};
use gyro::units::{Stretch, Tokens};
use tch::Device;

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A scenario that adapts by two sequences of 64 tokens, in a folder of its own.
fn scenario(name: &str, methods: &str) -> (Scenario, PathBuf) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fleet-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let models = repository().join("models/reference").display().to_string();
    let path = folder.join("scenario.yaml");
    let text = format!(
        "question: Which weights?\ncheckpoint: {models}/rope-2k\ncheckpoints: {{ alibi: {models}/alibi-2k }}\ntrained: 2048\n\
         target: 8192\ntext: {models}/held-out.txt\ndeployed: {{ method: ntk, factor: 4 }}\n\
         ablate: {{ methods: {methods}, factors: [4], adapted: [0, 128] }}\n\
         adaptation: {{ text: {models}/adaptation.txt, length: 64 }}\nprobes: [short_range]\n"
    );
    fs::write(&path, text).unwrap();
    (scenario::load(&path).unwrap_or_else(|error| panic!("{error}")), folder.join("adapted"))
}

fn method(name: &str) -> AnyMethod {
    AnyMethod::named(name).unwrap()
}

fn loss(fleet: &Fleet, cell: &Cell) -> f64 {
    let tokens: Vec<u32> = (0..120).map(|i| 300 + i * 7 % 500).collect();
    let mut subject = fleet.subject(cell).unwrap_or_else(|error| panic!("{}: {error}", cell.label()));
    let scores = subject.score(&[Window { tokens: &tokens, first_position: Tokens(0) }]).unwrap();
    -scores[0].log_probability.iter().map(|&p| f64::from(p)).sum::<f64>() / 119.0
}

#[test]
fn a_cell_gets_weights_that_know_its_method() {
    let (scenario, cache) = scenario("kinds", "[none, ntk, alibi, t5]");
    let fleet = Fleet::load(&scenario, Device::Cpu, &cache, |_| {}).unwrap();
    let cell = |name: &str, adapted: usize| Cell::grid(method(name), Stretch(4.0)).after(Tokens(adapted));
    let cells = scenario.cells();
    assert!(cells.contains(&cell("alibi", 0)) && cells.contains(&cell("t5", 128)));
    assert!(!cells.contains(&cell("t5", 0)), "no weights know t5 without adaptation");
    assert_eq!(scenario.training_of(&cell("ntk", 0)), Training::Free);
    assert_eq!(scenario.training_of(&cell("alibi", 0)), Training::Own);
    assert_eq!(scenario.training_of(&cell("alibi", 128)), Training::Adapted);
    let refused = fleet.subject(&cell("t5", 0)).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(refused.contains("needs weights trained with it"), "{refused}");
    let unscaled = Cell::unscaled().after(Tokens(128));
    assert!(cells.contains(&unscaled), "more training without any scaling is a cell of its own");
    for cell in cells {
        assert!(loss(&fleet, &cell).is_finite(), "{}", cell.label());
    }
}

#[test]
fn an_adaptation_is_made_once_and_found_again() {
    let (scenario, cache) = scenario("cache", "[ntk]");
    let adapted = Cell::grid(method("ntk"), Stretch(4.0)).after(Tokens(128));
    let load = || Fleet::load(&scenario, Device::Cpu, &cache, |_| {}).unwrap();
    let first = loss(&load(), &adapted);
    let plain = loss(&load(), &adapted.clone().after(Tokens(0)));
    assert!((first - plain).abs() > 1e-4, "two steps of training change something: {first}, {plain}");
    let folders: Vec<PathBuf> = fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(folders.len(), 1);
    let weights = folders[0].join("model.safetensors");
    let written = fs::metadata(&weights).unwrap().modified().unwrap();
    assert_eq!(loss(&load(), &adapted), first);
    assert_eq!(fs::metadata(&weights).unwrap().modified().unwrap(), written);
    // What is written says by itself what it is.
    let config = Config::read(&folders[0]).unwrap();
    assert_eq!((config.heads.native.scheme(), config.declared), (Scheme::Rotary, (method("ntk"), Stretch(4.0))));
}
