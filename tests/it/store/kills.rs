//! `kill -9` at random moments of saving and appending: the old is there, or the new, and both are whole.

use super::*;

const CHILD: &str = "GYRO_TEST_KILL_CHILD";

/// How often each process is killed.
const KILLS: u64 = 20;

fn run_folder(dir: &Path, deployed: &Cell) {
    let cells = vec![(Cell::unscaled(), measured(&Cell::unscaled())), (deployed.clone(), measured(deployed))];
    let (folder, _) = open(dir, "a");
    folder.write(Path::new("run.json"), b"{\"commit\": \"c0ffee\"}").unwrap();
    let json = serde_json::to_vec(&baseline::findings(deployed)).unwrap();
    folder.write(Path::new("findings.json"), &json).unwrap();
    folder.finish(&cells).unwrap();
}

fn because(reason: usize) -> Acceptance {
    Acceptance { reason: Some(reason.to_string()), ..Acceptance::default() }
}

fn entry(night: &str) -> Entry {
    Entry {
        night: night.to_owned(),
        scenario: "8k".to_owned(),
        commit: None,
        machine: "m".to_owned(),
        run: format!("{night}/8k"),
        rows: "r".to_owned(),
        question: "short_range".to_owned(),
        quantity: "nll".to_owned(),
        length: None,
        unit: "nats/token".to_owned(),
        value: Estimate { point: 3.0, low: 2.9, high: 3.1, confidence: 0.95, n: 8 },
        ruling: None,
    }
}

/// The process that is killed: it replaces a baseline and appends to a history as fast as it can.
#[test]
fn the_child_that_saves_and_appends() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let dir = PathBuf::from(dir);
    let first = history(&dir.join("history")).unwrap().len();
    println!("\nbegun");
    for turn in first.. {
        let from = dir.join(if turn % 2 == 0 { "run-a" } else { "run-b" });
        save(&dir.join("baselines"), "8k", "main", &from, &because(turn)).unwrap();
        append(&dir.join("history"), &format!("{turn:06}"), "8k", &[entry(&format!("{turn:06}"))]).unwrap();
    }
}

#[test]
fn a_kill_at_any_moment_leaves_a_whole_baseline_and_a_whole_history() {
    let scratch = Scratch::new();
    for (name, method) in [("run-a", "linear"), ("run-b", "ntk")] {
        run_folder(&scratch.join(name), &cell(method, 4.0));
    }
    let (root, past) = (scratch.join("baselines"), scratch.join("history"));
    save(&root, "8k", "main", &scratch.join("run-a"), &Acceptance::default()).unwrap();
    // Disks differ in how long they take to be sure: a kill falls somewhere into the first four turns.
    let clock = std::time::Instant::now();
    save(&root, "8k", "main", &scratch.join("run-b"), &because(0)).unwrap();
    append(&past, "000000", "8k", &[entry("000000")]).unwrap();
    let four_turns = 4 * clock.elapsed();
    let mut random = Random::new(9);
    let mut length = 0;
    let mut aside = 0;
    for kill in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["store::kills::the_child_that_saves_and_appends", "--exact", "--nocapture"])
            .env(CHILD, &scratch.0)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        assert!(lines.any(|line| line == "begun"), "the child did not begin");
        std::thread::sleep(four_turns.mul_f64(random.uniform()));
        child.kill().unwrap();
        child.wait().unwrap();
        let baseline = show(&root, "8k", "main").unwrap();
        let deployed = baseline.record.deployed.clone();
        assert!([cell("linear", 4.0).id(), cell("ntk", 4.0).id()].contains(&deployed), "kill {kill}");
        assert_eq!(baseline.cells.len(), 2);
        assert_eq!(list(&root).unwrap().len(), 1);
        aside += usize::from(!root.join("8k/main").exists());
        let nights = history(&past).unwrap();
        assert!(nights.len() >= length, "kill {kill} lost a night: {} of {length}", nights.len());
        let expected: Vec<Entry> = (0..nights.len()).map(|night| entry(&format!("{night:06}"))).collect();
        assert_eq!(nights, expected, "kill {kill}");
        length = nights.len();
    }
    println!("{KILLS} kills, {length} nights, {aside} baselines found aside, four turns take {four_turns:?}");
    assert!(length > 3, "the child hardly came to anything: {length} nights");
}

/// The moment between the two renames of a replacement, made by hand: the old baseline is found where it stepped aside.
#[test]
fn a_kill_between_two_renames_loses_no_baseline() {
    let scratch = Scratch::new();
    run_folder(&scratch.join("run-a"), &cell("linear", 4.0));
    let root = scratch.join("baselines");
    save(&root, "8k", "main", &scratch.join("run-a"), &Acceptance::default()).unwrap();
    fs::rename(root.join("8k/main"), root.join("8k/.main.old")).unwrap();
    fs::create_dir(root.join("8k/.main.new")).unwrap();
    assert_eq!(show(&root, "8k", "main").unwrap().cells.len(), 2);
    assert_eq!(list(&root).unwrap().len(), 1);
    let taken = save(&root, "8k", "main", &scratch.join("run-a"), &Acceptance::default()).unwrap_err();
    assert!(matches!(taken, StoreError::Taken { .. }), "{taken}");
    save(&root, "8k", "main", &scratch.join("run-a"), &because(1)).unwrap();
    assert_eq!(fs::read_dir(root.join("8k")).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_night_is_appended_once_and_damage_is_named() {
    let scratch = Scratch::new();
    append(&scratch.0, "n1", "8k", &[entry("n1")]).unwrap();
    append(&scratch.0, "n1", "8k", &[entry("n1"), entry("n1")]).unwrap();
    assert_eq!(history(&scratch.0).unwrap(), [entry("n1")]);
    assert!(matches!(append(&scratch.0, "../n1", "8k", &[]), Err(StoreError::Name { .. })));
    let path = scratch.join("8k/n1.parquet");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 9]).unwrap();
    let error = history(&scratch.0).unwrap_err().to_string();
    assert!(error.contains("n1.parquet"), "{error}");
}
