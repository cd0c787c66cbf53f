//! Baselines: saved, replaced for a reason, listed, shown.

use super::*;

pub(super) fn findings(deployed: &Cell) -> Findings {
    Findings {
        deviations: Vec::new(),
        stability: Vec::new(),
        schema: 1,
        decide: Vec::new(),
        scenario: "s".to_owned(),
        question: "why?".to_owned(),
        answer: "because.".to_owned(),
        deployed: deployed.label(),
        verdicts: Vec::new(),
        causes: Vec::new(),
        grid: Vec::new(),
        cells: Vec::new(),
        speed: None,
        recommendation: None,
        audit: Vec::new(),
        notes: Vec::new(),
        expectations: Vec::new(),
    }
}

/// A finished run whose deployed cell is linear x4.
fn run(dir: &Path, deployed: &Outcome) -> Vec<(Cell, Outcome)> {
    let cells = vec![(Cell::unscaled(), measured(&Cell::unscaled())), (cell("linear", 4.0), deployed.clone())];
    let (folder, _) = open(dir, "a");
    folder.write(Path::new("run.json"), b"{\"commit\": \"c0ffee\"}").unwrap();
    let json = serde_json::to_vec(&findings(&cells[1].0)).unwrap();
    folder.write(Path::new("findings.json"), &json).unwrap();
    folder.finish(&cells).unwrap();
    cells
}

fn because(reason: &str) -> Acceptance {
    let worse = vec!["short range against main by 0.1".to_owned()];
    Acceptance { reason: Some(reason.to_owned()), by: Some("A. Person".to_owned()), worse }
}

#[test]
fn a_saved_baseline_holds_the_run_and_is_listed() {
    let scratch = Scratch::new();
    let (root, dir) = (scratch.join("baselines"), scratch.join("run"));
    let cells = run(&dir, &measured(&cell("linear", 4.0)));
    assert!(list(&root).unwrap().is_empty());
    let saved = save(&root, "8k", "v1", &dir, &Acceptance::default()).unwrap();
    save(&root, "4k", "v2", &dir, &Acceptance::default()).unwrap();
    let shown = show(&root, "8k", "v1").unwrap();
    assert_eq!(shown.cells, cells);
    assert_eq!(shown.record, saved);
    assert_eq!(shown.run["commit"], "c0ffee");
    assert_eq!(shown.findings, findings(&cells[1].0));
    assert_eq!(saved.deployed, cells[1].0.id());
    assert_eq!(saved.protocols, ["short_range:256/256:bos"]);
    let names: Vec<_> = list(&root).unwrap().into_iter().map(|record| (record.scenario, record.name)).collect();
    assert_eq!(names, [("4k".to_owned(), "v2".to_owned()), ("8k".to_owned(), "v1".to_owned())]);
    let error = show(&root, "8k", "v2").unwrap_err().to_string();
    assert!(error.starts_with("no baseline `v2` of `8k`; known: v1\nhint: "), "{error}");
}

#[test]
fn a_baseline_is_replaced_only_for_a_reason() {
    let scratch = Scratch::new();
    let (root, dir) = (scratch.join("baselines"), scratch.join("run"));
    run(&dir, &measured(&cell("linear", 4.0)));
    save(&root, "8k", "v1", &dir, &Acceptance::default()).unwrap();
    let better = Outcome::Measured(vec![row(&cell("linear", 4.0), "short_range", Quantity::Nll, 0, 1.0)]);
    let cells = run(&dir, &better);
    let taken = save(&root, "8k", "v1", &dir, &Acceptance::default()).unwrap_err().to_string();
    assert!(taken.contains("gyro baseline accept --name v1 --reason"), "{taken}");
    assert!(matches!(save(&root, "8k", "v1", &dir, &because("  ")), Err(StoreError::NoReason)));
    assert_ne!(show(&root, "8k", "v1").unwrap().cells, cells);
    save(&root, "8k", "v1", &dir, &because("new tokenizer")).unwrap();
    let shown = show(&root, "8k", "v1").unwrap();
    assert_eq!(shown.cells, cells);
    let record = &shown.record;
    assert_eq!((record.reason.as_deref(), record.accepted_by.as_deref()), (Some("new tokenizer"), Some("A. Person")));
    assert_eq!(record.worse, ["short range against main by 0.1"]);
    assert!(record.replaces.is_some());
    assert_eq!(fs::read_dir(root.join("8k")).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn what_cannot_be_a_baseline_leaves_no_trace() {
    let scratch = Scratch::new();
    let (root, dir) = (scratch.join("baselines"), scratch.join("run"));
    run(&dir, &failed("out of memory"));
    let unfit = |why: &str| {
        let error = save(&root, "8k", "v1", &dir, &Acceptance::default()).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    };
    unfit("its deployed cell `linear x4` was not measured");
    run(&dir, &measured(&cell("linear", 4.0)));
    fs::remove_file(dir.join("run.json")).unwrap();
    unfit("it has no run.json");
    for name in ["", "..", "a/b", ".hidden", "a b"] {
        assert!(
            matches!(save(&root, "8k", name, &dir, &Acceptance::default()), Err(StoreError::Name { .. })),
            "{name}"
        );
        assert!(matches!(show(&root, name, "v1"), Err(StoreError::Name { .. })), "{name}");
    }
    assert!(!root.exists());
}

#[test]
fn whatever_is_broken_in_a_baseline_is_named() {
    let scratch = Scratch::new();
    let (root, dir) = (scratch.join("baselines"), scratch.join("run"));
    run(&dir, &measured(&cell("linear", 4.0)));
    for file in ["baseline.json", "run.json", "findings.json", "cells.json", "measurements.parquet"] {
        let _ = fs::remove_dir_all(&root);
        save(&root, "8k", "v1", &dir, &Acceptance::default()).unwrap();
        let path = root.join("8k/v1").join(file);
        let whole = fs::read(&path).unwrap();
        let middle = whole.len() / 2;
        let broken: [Option<Vec<u8>>; 4] = [
            None,
            Some(whole[..middle].to_vec()),
            Some(Vec::new()),
            Some(with_byte(&whole, middle, whole[middle].wrapping_add(1))),
        ];
        for bytes in broken {
            match bytes {
                None => fs::remove_file(&path).unwrap(),
                Some(bytes) => fs::write(&path, bytes).unwrap(),
            }
            let shown = show(&root, "8k", "v1");
            if file == "baseline.json" && fs::read(&path).is_ok_and(|bytes| bytes.len() == whole.len()) {
                // A changed letter there may be another word, or another file's hash.
                continue;
            }
            let error = shown.unwrap_err().to_string();
            assert!(error.contains(file), "{file}: {error}");
        }
    }
}

#[test]
fn two_savers_at_once_do_not_mix() {
    let scratch = Scratch::new();
    let (root, dir) = (scratch.join("baselines"), scratch.join("run"));
    run(&dir, &measured(&cell("linear", 4.0)));
    save(&root, "8k", "v1", &dir, &Acceptance::default()).unwrap();
    let _held = gyro::baselines::Lock::take(&root.join(".8k.lock"), &root).unwrap();
    let refused = save(&root, "8k", "v1", &dir, &because("another")).unwrap_err();
    assert!(matches!(refused, StoreError::Locked { .. }), "{refused}");
    assert_eq!(show(&root, "8k", "v1").unwrap().record.reason, None);
}
