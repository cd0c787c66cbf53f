//! What earlier versions wrote is read by this one.

use super::*;

/// Written by gyro 0.1.0 at commit 91c51d6, before provenance was part of `baseline.json`.
#[test]
fn a_baseline_of_format_1_is_read_and_compared_with() {
    let root = Path::new("tests/fixtures/baselines/format-1");
    let baseline = show(root, "8k_regression", "main").unwrap();
    assert_eq!((baseline.record.format, baseline.record.accepted_by.as_deref()), (1, None));
    let provenance = baseline.provenance().unwrap();
    assert_eq!(provenance.commit.as_deref(), Some("91c51d6af0ad51001648c2d6840d6cd22312fe5a"));
    assert_eq!((provenance.positions, provenance.dtype), (None, None));
    assert_eq!(list(root).unwrap().len(), 1);
    let cells = gyro::measurement::with_latency(baseline.cells.clone());
    let side = Side { cells: &cells, deployed: &baseline.record.deployed, text: "t", machine: "m" };
    let tolerance = Tolerance { short_range: 0.02, long_range: 0.02, retrieval: 0.05, latency: 1.10 };
    let tests = compare("main", side, side, Tokens(2048), &tolerance);
    assert_eq!(tests.len(), 3 + 2 * 3 + 2, "{:?}", tests.iter().map(Test::name).collect::<Vec<_>>());
    let fired = tests.iter().filter(|test| matches!(test.verdict.ruling, Ruling::Worse | Ruling::Incomparable));
    assert_eq!(fired.count(), 0, "{tests:#?}");
}

#[test]
fn a_baseline_of_a_later_format_is_refused_by_name() {
    let scratch = Scratch::new();
    let dir = scratch.join("8k/main");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("baseline.json"), "{\"format\": 3, \"files\": 7}").unwrap();
    let error = show(&scratch.0, "8k", "main").unwrap_err().to_string();
    assert!(error.contains("baseline.json has format 3, this gyro reads up to 2"), "{error}");
}
