//! Baselines: saved, replaced for a reason, listed, shown.

use super::*;

fn findings(deployed: &Cell) -> Findings {
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

#[test]
fn a_saved_baseline_holds_the_run_and_is_listed() {
    let scratch = Scratch::new();
    let (root, dir) = (scratch.join("baselines"), scratch.join("run"));
    let cells = run(&dir, &measured(&cell("linear", 4.0)));
    assert!(list(&root).unwrap().is_empty());
    let saved = save(&root, "8k", "v1", &dir, None).unwrap();
    save(&root, "4k", "v2", &dir, None).unwrap();
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
    save(&root, "8k", "v1", &dir, None).unwrap();
    let better = Outcome::Measured(vec![row(&cell("linear", 4.0), "short_range", Quantity::Nll, 0, 1.0)]);
    let cells = run(&dir, &better);
    let taken = save(&root, "8k", "v1", &dir, None).unwrap_err().to_string();
    assert!(taken.contains("gyro baseline accept --name v1 --reason"), "{taken}");
    assert!(matches!(save(&root, "8k", "v1", &dir, Some("  ")), Err(StoreError::NoReason)));
    assert_ne!(show(&root, "8k", "v1").unwrap().cells, cells);
    save(&root, "8k", "v1", &dir, Some("new tokenizer")).unwrap();
    let shown = show(&root, "8k", "v1").unwrap();
    assert_eq!(shown.cells, cells);
    assert_eq!(shown.record.reason.as_deref(), Some("new tokenizer"));
    assert_eq!(fs::read_dir(root.join("8k")).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn what_cannot_be_a_baseline_leaves_no_trace() {
    let scratch = Scratch::new();
    let (root, dir) = (scratch.join("baselines"), scratch.join("run"));
    run(&dir, &failed("out of memory"));
    let unfit = |why: &str| {
        let error = save(&root, "8k", "v1", &dir, None).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    };
    unfit("its deployed cell `linear x4` was not measured");
    run(&dir, &measured(&cell("linear", 4.0)));
    fs::remove_file(dir.join("run.json")).unwrap();
    unfit("it has no run.json");
    for name in ["", "..", "a/b", ".hidden", "a b"] {
        assert!(matches!(save(&root, "8k", name, &dir, None), Err(StoreError::Name { .. })), "{name}");
        assert!(matches!(show(&root, name, "v1"), Err(StoreError::Name { .. })), "{name}");
    }
    assert!(!root.exists());
}
