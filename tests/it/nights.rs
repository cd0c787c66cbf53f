//! The real program through nights that are killed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gyro::baselines::{Lock, history, read_run};
use gyro::stats::random::Random;

/// How often the night is killed.
const KILLS: usize = 20;

const SCENARIO: &str = "question: Does a small model survive?
checkpoint: MODEL
text: held-out.txt
trained: 256
target: 512
deployed: { method: ntk, factor: 2 }
ablate: { methods: [none, ntk], factors: [1, 2] }
probes: [short_range, long_range, latency]
sizes: { documents: 2, short_windows: 1, latency_lengths: [64], latency_blocks: 3, decode_tokens: 2 }
";

/// A scenario of seconds, and a folder for its nights.
fn home(name: &str) -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nights").join(name);
    let _ = fs::remove_dir_all(&home);
    fs::create_dir_all(&home).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("models/reference/held-out.txt")).unwrap();
    fs::write(home.join("held-out.txt"), text.chars().take(12_000).collect::<String>()).unwrap();
    let model = root.join("models/reference/rope-2k");
    fs::write(home.join("small.yaml"), SCENARIO.replace("MODEL", model.to_str().unwrap())).unwrap();
    home
}

fn gyro(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gyro"));
    command.args(arguments).current_dir(home).stdout(Stdio::null()).stderr(Stdio::piped());
    command.env_remove("GITHUB_STEP_SUMMARY");
    command
}

fn night(home: &Path) -> Command {
    gyro(home, &["nightly", "small.yaml", "--out", "nightly", "--threads", "1", "--device", "cpu"])
}

/// The cells on disk, by night.
fn cells(out: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    let Ok(entries) = fs::read_dir(out) else { return found };
    for entry in entries {
        let dir = entry.unwrap().path().join("small");
        if dir.is_dir() && dir.parent().unwrap().file_name().unwrap() != "history" {
            let night = dir.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
            let cells = read_run(&dir).map_or_else(
                |error| {
                    // A run that was killed before its first cell has nothing to lose.
                    assert!(!dir.join("measurements.parquet").exists(), "{error}");
                    BTreeSet::new()
                },
                |cells| cells.iter().map(|(cell, _)| cell.id().0).collect(),
            );
            found.insert(night, cells);
        }
    }
    found
}

fn stop(mut child: Child) {
    // SIGKILL on Unix.
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_night_killed_twenty_times_loses_no_finished_cell() {
    let home = home("killed");
    let out = home.join("nightly");
    let clock = Instant::now();
    let first = night(&home).output().unwrap();
    let whole = clock.elapsed();
    let errors = String::from_utf8_lossy(&first.stderr);
    assert_eq!(first.status.code(), Some(2), "without a baseline nothing is judged: {errors}");
    assert_eq!(history(&out.join("history")).unwrap().len(), 4, "{errors}");
    let mut random = Random::new(4);
    let mut before = cells(&out);
    let mut nights = 1;
    for kill in 0..KILLS {
        let child = night(&home).spawn().unwrap();
        std::thread::sleep(Duration::from_secs_f64(random.uniform() * whole.as_secs_f64()));
        stop(child);
        let now = cells(&out);
        for (name, had) in &before {
            assert!(had.is_subset(&now[name]), "kill {kill} lost cells of {name}: {had:?}, {:?}", now[name]);
        }
        before = now;
        let there: BTreeSet<String> =
            history(&out.join("history")).unwrap().into_iter().map(|entry| entry.night).collect();
        assert!(there.len() >= nights, "kill {kill} lost a night of the history");
        nights = there.len();
    }
    let last = night(&home).output().unwrap();
    assert_eq!(last.status.code(), Some(2), "{}", String::from_utf8_lossy(&last.stderr));
    let finished = cells(&out);
    let (name, newest) = finished.iter().next_back().unwrap();
    // none, ntk x2, the truncated reference, the timing; and none again under another factor is none.
    assert_eq!(newest.len(), 4, "{name}");
    let entries = history(&out.join("history")).unwrap();
    assert_eq!(entries.len() % 4, 0, "a night entered the history in part or twice");
    assert!(fs::read_to_string(out.join("index.html")).unwrap().ends_with("</html>\n"));
    println!("{KILLS} kills, {} nights, one whole night takes {:.1} s", finished.len(), whole.as_secs_f64());
}

#[test]
fn bench_and_nightly_gate_on_a_saved_baseline() {
    let home = home("gated");
    let ran =
        gyro(&home, &["diagnose", "small.yaml", "--out", "run", "--threads", "1", "--device", "cpu"]).output().unwrap();
    assert!(ran.status.code().is_some_and(|code| code <= 2), "{}", String::from_utf8_lossy(&ran.stderr));
    let missing = gyro(&home, &["bench", "small.yaml", "--threads", "1", "--device", "cpu"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("no baseline `main` of `small`; known: none\nhint: "));
    let saved = gyro(&home, &["baseline", "save", "small.yaml", "--run", "run"]).output().unwrap();
    assert_eq!(saved.status.code(), Some(0), "{}", String::from_utf8_lossy(&saved.stderr));

    // The same state on the same machine: quality is the same bit for bit, times are judged or undecided, never a crash.
    let compared =
        gyro(&home, &["baseline", "compare", "small.yaml", "--run", "run"]).stdout(Stdio::piped()).output().unwrap();
    let text = String::from_utf8(compared.stdout).unwrap();
    assert!(text.contains("= short_range"), "{text}");
    let summary = home.join("step.md");
    let night = night(&home).env("GITHUB_STEP_SUMMARY", &summary).output().unwrap();
    assert!(night.status.code().is_some_and(|code| code <= 2));
    assert!(fs::read_to_string(&summary).unwrap().starts_with("# Gyro, night of "));
    let bench = gyro(&home, &["bench", "small.yaml", "--threads", "1", "--device", "cpu"])
        .stdout(Stdio::piped())
        .output()
        .unwrap();
    let text = String::from_utf8(bench.stdout).unwrap();
    for line in ["no positions", "Noise of the machine: one fixed piece of work takes", "decode@64"] {
        assert!(text.contains(line), "{line} is missing: {text}{}", String::from_utf8_lossy(&bench.stderr));
    }
}

/// The same model in an engine whose layers wait for the host: slower by far, with an equal answer.
#[test]
fn a_slower_engine_is_flagged_by_its_time_alone() {
    let home = home("slower");
    let path = home.join("small.yaml");
    let healthy = fs::read_to_string(&path).unwrap().replace("latency_blocks: 3", "latency_blocks: 8");
    let healthy = healthy + "tolerance: { latency: 2.0 }\n";
    fs::write(&path, &healthy).unwrap();
    let run = |arguments: &[&str]| gyro(&home, arguments).stdout(Stdio::piped()).output().unwrap();
    let on_cpu = ["--threads", "1", "--device", "cpu"];
    run(&[&["diagnose", "small.yaml", "--out", "run"], &on_cpu[..]].concat());
    assert_eq!(run(&["baseline", "save", "small.yaml", "--run", "run"]).status.code(), Some(0));
    let slower = healthy
        .replace("factor: 2 }\nablate", "factor: 2, conditions: [{ host_sync: { microseconds: 5000 } }] }\nablate");
    assert_ne!(slower, healthy);
    fs::write(&path, slower).unwrap();
    let bench = run(&[&["bench", "small.yaml"], &on_cpu[..]].concat());
    let text = String::from_utf8(bench.stdout).unwrap();
    assert_eq!(bench.status.code(), Some(1), "{text}{}", String::from_utf8_lossy(&bench.stderr));
    // Against the unscaled model, and against the baseline.
    let words = ["work outside of attention is what is slow", "decode@64", "work outside of attention is what grew"];
    for line in words.into_iter().chain(["confirmed: worse"]) {
        assert!(text.contains(line), "{line} is missing: {text}");
    }
    assert!(!text.contains("short_range"), "{text}");
}

#[test]
fn two_nights_at_once_do_not_mix() {
    let home = home("twice");
    let nightly = home.join("nightly");
    fs::create_dir_all(&nightly).unwrap();
    // What a night holds until it ends, however long that takes.
    let first = Lock::take(&nightly.join(".lock"), &nightly).unwrap();
    let second = night(&home).output().unwrap();
    assert_eq!(second.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another run is writing here"));
    assert!(!nightly.join("night.json").exists(), "it must not have begun");
    drop(first);
}
