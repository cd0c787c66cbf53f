//! Identification of engines that are not ours: transformers with bugs patched in (`tools/fixtures_identify.py`), and the
//! replay itself on a real checkpoint.

use std::fs;
use std::path::Path;

use gyro::faults::AnyFault;
use gyro::identify::{Candidate, Identification, Question, Verdict, identify, precision};
use gyro::observed;
use gyro::positions::AnyMethod;
use gyro::replay::{Checkpoint, Examined};
use gyro::units::Stretch;
use tch::Device;

const FIXTURES: &str = "tests/fixtures/identify";
const CHECKPOINT: &str = "tests/fixtures/llama/yarn_new_form";

fn examine(checkpoint: &str, file: &Path) -> Identification {
    let checkpoint = Checkpoint::load(Path::new(checkpoint), Device::Cpu).unwrap();
    let observations = observed::read(file, checkpoint.config.architecture.vocabulary).unwrap();
    let (method, factor) = checkpoint.config.declared.clone();
    let mut oracle = Examined::new(&checkpoint, precision(&observations)).unwrap();
    let question = Question { observations: &observations, declared: Candidate::healthy(method, factor), budget: None };
    identify(&mut oracle, &question).unwrap()
}

/// Outputs that `gyro capture` recorded from llama.cpp's own server (`tools/serve_llama.py`, build 11549): exact ones, and
/// those of its defaults, which cache and attend in 16 bits.
#[test]
fn engines_served_by_llama_cpp_are_identified() {
    for (file, expected) in [
        ("exact", "none"),
        ("exact.linear4", "linear x4"),
        ("exact.yarn4", "yarn x4"),
        ("rounded", "none"),
        ("rounded.yarn4", "yarn x4"),
    ] {
        let found =
            examine("models/reference/rope-2k", &Path::new("tests/fixtures/served").join(format!("{file}.jsonl")));
        println!("{file}: {}", found.sentence);
        let matched = found.matched.as_ref().unwrap_or_else(|| panic!("{file}: {}", found.sentence));
        let method = AnyMethod::named(&matched.method).unwrap();
        let label = Candidate::healthy(method, Stretch(matched.factor)).label();
        assert_eq!((label.as_str(), &matched.fault), (expected, &None), "{file}: {}", found.sentence);
        assert_eq!(found.verdict == Verdict::AsDeclared, expected == "none", "{file}: {}", found.sentence);
    }
}

/// Outputs of transformers in single precision and in bfloat16: each patched bug is named, and none where there is none.
#[test]
fn bugs_patched_into_transformers_are_named() {
    let mut files: Vec<_> = fs::read_dir(FIXTURES).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 30, "{files:?}");
    let mut wrong = Vec::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let (fault, format) = name.trim_end_matches(".jsonl").split_once('.').unwrap();
        let found = examine(CHECKPOINT, &file);
        let named = found.matched.as_ref().and_then(|matched| matched.fault.clone());
        let right = if fault == "healthy" {
            found.verdict == Verdict::AsDeclared && named.is_none()
        } else {
            assert!(AnyFault::named(fault).is_some(), "{fault} is no fault");
            found.verdict == Verdict::Other && named.as_deref().is_some_and(|named| named.starts_with(fault))
        };
        println!("{fault} in {format}: {}", found.sentence);
        if !right {
            wrong.push(format!("{fault} in {format}: {}", found.sentence));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
