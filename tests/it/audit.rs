//! The audit: every check fires on a crafted file, with its line and its advice, and stays silent on healthy ones.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use gyro::audit::{Audit, Served, audit, checks, text};
use gyro::findings::Severity;
use gyro::units::{Stretch, Tokens};

/// Crafted files that need a length or factor to contradict.
const SERVED: [(&str, Option<usize>, Option<f64>); 6] = [
    ("factor_ratio_target", Some(16_384), None),
    ("factor_ratio_too_large", Some(8_192), None),
    ("factor_ratio_deployed", None, Some(8.0)),
    ("table_length", Some(8_192), None),
    ("table_length_linear", Some(8_192), None),
    ("dynamic_factor", Some(2_048), None),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every crafted file or folder by its name, audited.
fn crafted() -> Vec<(String, Audit)> {
    let entries = fs::read_dir(root().join("tests/audit")).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let served =
                SERVED.iter().find(|(other, ..)| *other == name).map_or_else(Served::default, |(_, target, factor)| {
                    Served { target: target.map(Tokens), factor: factor.map(Stretch) }
                });
            let mut audit = audit(&path, served).unwrap();
            audit.config = audit.config.strip_prefix(root()).unwrap().to_owned();
            (name, audit)
        })
        .collect()
}

#[test]
fn every_crafted_file_says_what_is_wrong_and_what_to_write() {
    for (name, audit) in crafted() {
        let page = text(&audit);
        let widest = page.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= 100, "{widest} columns:\n{page}");
        insta::assert_snapshot!(format!("audit_{name}"), page);
    }
}

#[test]
fn every_check_finds_what_its_crafted_files_are_named_after() {
    let all = crafted();
    for check in checks() {
        let named: Vec<_> = all.iter().filter(|(name, _)| name.starts_with(check)).collect();
        assert!(!named.is_empty(), "no file under tests/audit/ begins with {check}");
        for (name, audit) in named {
            assert!(audit.findings.iter().any(|finding| finding.check == check), "{name}: {:#?}", audit.findings);
        }
    }
    let known: BTreeSet<&str> = checks().collect();
    assert_eq!(known.len(), checks().count(), "a name stands twice");
}

#[test]
fn the_reference_models_are_silent() {
    for model in ["rope-2k", "alibi-2k", "t5-2k", "sinusoidal-2k", "nope-2k"] {
        let audit = audit(&root().join("models/reference").join(model), Served::default()).unwrap();
        assert_eq!(audit.findings, [], "{model}");
        assert_eq!(audit.exit_code(), 0);
        assert_eq!(audit.effective.unwrap().fingerprints.len(), 1);
    }
}

#[test]
fn configurations_in_the_form_of_published_models_are_silent() {
    let mut seen = 0;
    for entry in fs::read_dir(root().join("tests/configs")).unwrap() {
        let path = entry.unwrap().path();
        let found = audit(&path, Served::default()).unwrap();
        assert_eq!(found.findings, [], "{}", path.display());
        assert!(found.effective.is_some());
        seen += 1;
    }
    assert!(seen >= 4);
}

/// What each fixture that is no healthy deployment is known for; the other fixtures raise neither error nor warning.
const UNUSUAL: [(&str, &[&str]); 7] = [
    ("llama/mistral", &["factor_ratio"]),
    ("llama/yarn_new_form", &["factor_ratio"]),
    ("llama/yarn_mscale_theta", &["factor_ratio", "attention_factor"]),
    ("rope/longrope_attention", &["factor_ratio"]),
    ("rope/yarn_options", &["factor_ratio", "attention_factor"]),
    ("rope/partial_default", &["partial_rotation"]),
    ("rope/partial_longrope", &["partial_rotation"]),
];

#[test]
fn fixtures_raise_what_they_are_known_for_and_nothing_else() {
    let mut seen = 0;
    for family in ["llama", "rope"] {
        for entry in fs::read_dir(root().join("tests/fixtures").join(family)).unwrap() {
            let path = entry.unwrap().path();
            if !path.is_dir() {
                continue;
            }
            seen += 1;
            let name = format!("{family}/{}", path.file_name().unwrap().to_string_lossy());
            let found = audit(&path, Served::default()).unwrap().findings;
            let heavy = found.iter().filter(|finding| finding.severity != Severity::Note);
            let raised: Vec<&str> = heavy.map(|finding| finding.check.as_str()).collect();
            let expected = UNUSUAL.iter().find(|(other, _)| *other == name).map_or(&[][..], |(_, checks)| checks);
            assert_eq!(raised, expected, "{name}: {found:#?}");
        }
    }
    assert!(seen > 15, "{seen} fixtures");
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_and_no_finding() {
    assert!(audit(Path::new("no/such/folder"), Served::default()).is_err());
    assert!(audit(&root().join("Cargo.toml"), Served::default()).is_err());
}

#[test]
fn contradictions_alone_decide_the_exit_code() {
    for (name, audit) in crafted() {
        let errors = audit.findings.iter().any(|finding| finding.severity == Severity::Error);
        assert_eq!(audit.exit_code(), u8::from(errors), "{name}");
        for finding in &audit.findings {
            assert!(!finding.meaning.is_empty() && !finding.instead.is_empty(), "{name}: {finding:?}");
            assert!(finding.line.is_none_or(|line| line > 1), "{name}: {finding:?}");
        }
    }
}
