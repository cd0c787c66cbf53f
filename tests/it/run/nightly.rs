//! Nights: every scenario once, a history that grows, a summary whose numbers come from rows.

use gyro::baselines::{Acceptance, Gate, history, read_run, save};
use gyro::measurement::Outcome;
use gyro::run::{Against, NightRequest};

use super::*;

pub(super) fn night(home: &Path, scenarios: &[&str]) -> NightRequest {
    NightRequest {
        scenarios: scenarios.iter().map(|name| Path::new("scenarios").join(name).with_extension("yaml")).collect(),
        out: home.join("nightly"),
        device: "scripted".to_owned(),
        threads: 1,
        quick: true,
        baseline: Against { root: home.join("baselines"), name: "main".to_owned(), required: false },
    }
}

pub(super) fn run_night(request: &NightRequest, script: &Script) -> gyro::reports::nightly::Night {
    run::nightly(request, |_: &Scenario| Ok(script), |_| Ok(None)).unwrap()
}

fn read(home: &Path, name: &str) -> String {
    fs::read_to_string(home.join("nightly").join(name)).unwrap()
}

#[test]
fn a_night_without_a_baseline_is_not_judged_and_one_with_it_is() {
    let home = folder("night-judged");
    let request = night(&home, &["8k_regression"]);
    let first = run_night(&request, &Script::default());
    assert_eq!(first.exit_code(), 2, "a missing baseline is no pass");
    assert!(read(&home, "summary.md").contains("there is no baseline to compare with"));
    let ran = home.join("nightly").join(&first.runs[0].folder);
    save(&home.join("baselines"), "8k_regression", "main", &ran, &Acceptance::default()).unwrap();

    let healthy = run_night(&request, &Script::default());
    assert_eq!(healthy.exit_code(), 0, "{}", read(&home, "summary.md"));
    let broken = run_night(&request, &Script { plant: Plant::Short(1.05), ..Script::default() });
    assert_eq!(broken.exit_code(), 1);
    let junit = read(&home, "junit.xml");
    assert!(
        junit.contains("<testcase classname=\"gyro.8k_regression\" name=\"short_range\">\n      <failure "),
        "{junit}"
    );
    assert!(read(&home, "index.html").contains("1 of 1 scenario regressed: 8k_regression (short range)."));
    let bencher: serde_json::Value = serde_json::from_str(&read(&home, "bencher.json")).unwrap();
    let metric = &bencher["8k_regression.quick"]["short-range-nll-nats-token"];
    assert!(metric["lower_value"].as_f64() < metric["value"].as_f64(), "{bencher:#}");
    // From files alone the pages are the same.
    let before = read(&home, "index.html");
    assert_eq!(run::summary(&home.join("nightly")).unwrap().exit_code(), 1);
    assert!(before == read(&home, "index.html"));
}

#[test]
fn what_an_observed_engine_runs_takes_the_place_of_what_was_meant() {
    let home = folder("night-observed");
    let request = night(&home, &["8k_regression"]);
    let running = Candidate::healthy(AnyMethod::named("ntk").unwrap(), Stretch(2.0));
    let found = Found { sentence: "The engine runs ntk x2.".to_owned(), running: Some(running) };
    let script = Script::default();
    let night = run::nightly(&request, |_: &Scenario| Ok(&script), |_| Ok(Some(found.clone()))).unwrap();
    let findings = fs::read_to_string(home.join("nightly").join(&night.runs[0].folder).join("findings.json")).unwrap();
    let findings: serde_json::Value = serde_json::from_str(&findings).unwrap();
    assert_eq!(findings["deployed"], "ntk x2", "{findings:#}");
    assert!(findings["answer"].as_str().unwrap().starts_with("The engine runs ntk x2."), "{findings:#}");

    // An engine that cannot be identified is no scenario that passed.
    let failed = run::nightly(&request, |_: &Scenario| Ok(&script), |_| anyhow::bail!("the file was cut off")).unwrap();
    assert_eq!(failed.exit_code(), 2);
    assert!(read(&home, "summary.md").contains("the file was cut off"));
}

#[test]
fn a_killed_night_goes_on_and_enters_the_history_once() {
    let home = folder("night-killed");
    let request = night(&home, &["8k_regression", "strategy_selection"]);
    let killed = Script { stops_after: Some(7), ..Script::default() };
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run_night(&request, &killed)));
    assert!(outcome.is_err(), "the script stops the night");
    let so_far = run::summary(&home.join("nightly")).unwrap();
    assert_eq!(so_far.exit_code(), 2);
    assert!(read(&home, "summary.md").contains("the night is still going on, or was cut off"));
    let script = Script::default();
    let whole = run_night(&request, &script);
    let again: usize = script.asked.borrow().values().sum();
    let fresh = Script::default();
    let other = folder("night-whole");
    run_night(&night(&other, &["8k_regression", "strategy_selection"]), &fresh);
    let all: usize = fresh.asked.borrow().values().sum();
    // The seventh subject ended the process: the cells before it are on disk.
    assert!(again < all && again + 7 >= all, "{again} of {all} subjects were made again");
    let nights: std::collections::BTreeSet<String> =
        history(&home.join("nightly/history")).unwrap().into_iter().map(|entry| entry.night).collect();
    assert_eq!(nights.len(), 1);
    assert_eq!(whole.runs.len(), 2);
}

#[test]
fn a_scenario_that_fails_is_named_and_the_others_are_run() {
    let home = folder("night-failing");
    let mut request = night(&home, &["8k_regression"]);
    request.scenarios.insert(0, "scenarios/absent.yaml".into());
    let night = run_night(&request, &Script::default());
    assert_eq!((night.runs.len(), night.exit_code()), (2, 2));
    assert!(read(&home, "summary.md").contains("it came to no report: cannot read"), "{}", read(&home, "summary.md"));
    assert_eq!(history(&home.join("nightly/history")).unwrap().iter().filter(|e| e.scenario == "absent").count(), 0);
}

/// Mean loss of each document at short range, weighted by scored tokens, in the plainest way.
fn short_range(cells: &[(Cell, Outcome)], label: &str) -> Vec<f64> {
    let (_, outcome) =
        cells.iter().find(|(cell, _)| cell.arm == gyro::measurement::Arm::Grid && cell.label() == label).unwrap();
    let Outcome::Measured(rows) = outcome else { panic!("{label} has no rows") };
    let mut documents: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
    for reading in rows.iter().map(|row| &row.reading) {
        if reading.probe == "short_range" && reading.quantity == Quantity::Nll {
            let sum = documents.entry(reading.document).or_default();
            sum.0 += reading.value * f64::from(reading.count);
            sum.1 += f64::from(reading.count);
        }
    }
    documents.values().map(|(sum, count)| sum / count).collect()
}

/// A change on the page is the mean over documents of tonight's rows minus those of the committed baseline.
#[test]
fn the_changes_of_the_summary_come_from_the_rows_of_both_sides() {
    let home = folder("night-changes");
    let request = night(&home, &["8k_regression"]);
    let first = run_night(&request, &Script::default());
    let ran = home.join("nightly").join(&first.runs[0].folder);
    save(&home.join("baselines"), "8k_regression", "main", &ran, &Acceptance::default()).unwrap();
    let second = run_night(&request, &Script { plant: Plant::Short(1.05), ..Script::default() });
    let then = gyro::baselines::show(&home.join("baselines"), "8k_regression", "main").unwrap().cells;
    let now = read_run(&home.join("nightly").join(&second.runs[0].folder)).unwrap();
    let (then, now) = (short_range(&then, "linear x4"), short_range(&now, "linear x4"));
    let change = now.iter().zip(&then).map(|(now, then)| now - then).sum::<f64>() / then.len() as f64;
    assert!(change > 0.1, "{change}");
    let line = format!("| short range | \u{2717} worse | +{change:.3} nats/token [");
    let (markdown, html) = (read(&home, "summary.md"), read(&home, "index.html"));
    assert!(markdown.contains(&line), "{line} is missing: {markdown}");
    assert!(html.contains(&format!("<td>+{change:.3} nats/token [")), "{change}");
    let folder = &second.runs[0].folder;
    for rows in ["measurements.parquet", "again/measurements.parquet"] {
        assert!(home.join("nightly").join(folder).join(rows).is_file(), "{rows}");
        assert!(html.contains(&format!("<a href=\"{folder}/{rows}\">")), "{rows} is not linked");
    }
}

/// Picks numbers of the summary and computes them again from the rows that it names, in the plainest way.
#[test]
fn the_numbers_of_the_summary_come_from_rows() {
    let home = folder("night-traced");
    run_night(&night(&home, &["8k_regression"]), &Script { jitter: 5, ..Script::default() });
    let summary: serde_json::Value = serde_json::from_str(&read(&home, "summary.json")).unwrap();
    let mut picked = 0;
    for series in summary["series"].as_array().unwrap() {
        let last = series["nights"].as_array().unwrap().last().unwrap();
        let dir = home.join("nightly").join(last["run"].as_str().unwrap());
        let bytes = fs::read(dir.join("measurements.parquet")).unwrap();
        assert_eq!(last["rows"].as_str().unwrap(), blake3::hash(&bytes).to_hex().as_str());
        let shown = last["value"]["point"].as_f64().unwrap();
        let cells = read_run(&dir).unwrap();
        let rows = |arm: gyro::measurement::Arm, label: &str| {
            let (_, outcome) = cells.iter().find(|(cell, _)| cell.arm == arm && cell.label() == label).unwrap().clone();
            let Outcome::Measured(rows) = outcome else { panic!("{label} has no rows") };
            rows
        };
        let expected = match series["question"].as_str().unwrap() {
            "short_range" => {
                let documents = short_range(&cells, "linear x4");
                documents.iter().sum::<f64>() / documents.len() as f64
            }
            "latency" => {
                let length = series["length"].as_u64().unwrap() as u32;
                let quantity = Quantity::named(series["quantity"].as_str().unwrap()).unwrap();
                let rows = rows(gyro::measurement::Arm::Latency, "latency of linear x4");
                let time = |block: u32, arm: u32| {
                    let found = rows.iter().map(|row| &row.reading).find(|r| {
                        (r.quantity, r.document, r.repeat, r.at.length) == (quantity, block, arm, Some(length))
                    });
                    found.unwrap().value
                };
                let blocks = 3;
                let logs = (0..blocks).map(|block| {
                    // Two timings of the unscaled arm in a block: their median is their mean.
                    (time(block, 0) / f64::midpoint(time(block, 1), time(block, 2))).ln()
                });
                (logs.sum::<f64>() / f64::from(blocks)).exp()
            }
            _ => continue,
        };
        assert!((shown - expected).abs() < 1e-9, "{series:#}: {expected}");
        picked += 1;
        let written = format!("{expected:.3}");
        assert!(read(&home, "summary.md").contains(&written), "{written} is not on the page");
    }
    assert!(picked >= 5, "{picked} numbers were found to compute again");
}

#[test]
fn a_night_of_another_program_or_baseline_is_begun_anew() {
    let home = folder("night-anew");
    let request = night(&home, &["8k_regression"]);
    let script = Script::default();
    let first = run_night(&request, &script).runs[0].folder.clone();
    // As a night that was cut off would have left it, but for one change.
    let next = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut state: serde_json::Value = serde_json::from_str(&read(&home, "night.json")).unwrap();
        state["finished"] = false.into();
        change(&mut state);
        fs::write(home.join("nightly/night.json"), state.to_string()).unwrap();
        run_night(&request, &script).runs[0].folder.clone()
    };
    assert_eq!(next(&|_: &mut serde_json::Value| {}), first, "the same night goes on");
    let mut before = first;
    for key in ["program", "baseline", "baselines"] {
        let after = next(&|state: &mut serde_json::Value| state[key] = "another".into());
        assert_ne!(after, before, "{key}");
        before = after;
    }
    // A night of a gyro that did not write down which one it was.
    let after = next(&|state: &mut serde_json::Value| drop(state.as_object_mut().unwrap().remove("program")));
    assert_ne!(after, before);
}

#[test]
fn scenarios_of_one_name_are_refused() {
    let home = folder("night-namesakes");
    let mut request = night(&home, &["8k_regression"]);
    request.scenarios.push("elsewhere/8k_regression.yaml".into());
    let script = Script::default();
    let error = run::nightly(&request, |_: &Scenario| Ok(&script), |_| Ok(None)).unwrap_err().to_string();
    assert!(error.contains("are named `8k_regression`") && error.contains("elsewhere/8k_regression.yaml"), "{error}");
    assert!(!home.join("nightly").exists(), "it must not have begun");
}

#[test]
fn quick_nights_are_lines_of_their_own() {
    let home = folder("night-quick");
    let request = night(&home, &["8k_regression"]);
    run_night(&request, &Script::default());
    run_night(&NightRequest { quick: false, ..request }, &Script::default());
    let names: std::collections::BTreeSet<String> =
        history(&home.join("nightly/history")).unwrap().into_iter().map(|entry| entry.scenario).collect();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["8k_regression", "8k_regression.quick"]);
}

#[test]
fn a_night_whose_engine_nobody_knows_is_not_judged() {
    let home = folder("night-unidentified");
    let request = night(&home, &["8k_regression"]);
    let first = run_night(&request, &Script::default());
    let ran = home.join("nightly").join(&first.runs[0].folder);
    save(&home.join("baselines"), "8k_regression", "main", &ran, &Acceptance::default()).unwrap();
    let found = Found { sentence: "The engine runs nothing known.".to_owned(), running: None };
    let script = Script::default();
    let night = run::nightly(&request, |_: &Scenario| Ok(&script), |_| Ok(Some(found.clone()))).unwrap();
    assert_eq!(night.exit_code(), 2, "{}", read(&home, "summary.md"));
    let why = "what the engine runs is not identified: The engine runs nothing known.";
    assert!(read(&home, "summary.md").contains(why), "{}", read(&home, "summary.md"));
}

#[test]
fn junit_fails_exactly_where_the_night_does() {
    use gyro::reports::nightly::{Outcome, pages};

    let home = folder("night-junit");
    let request = night(&home, &["8k_regression"]);
    let first = run_night(&request, &Script::default());
    let ran = home.join("nightly").join(&first.runs[0].folder);
    save(&home.join("baselines"), "8k_regression", "main", &ran, &Acceptance::default()).unwrap();
    let mut judged = run_night(&request, &Script::default());
    let mut expect = |change: &dyn Fn(&mut Gate), counts: &str, code: u8| {
        let Outcome::Ended { gate: Some(gate), .. } = &mut judged.runs[0].outcome else { panic!("it has a gate") };
        change(gate);
        let page = pages(&judged).unwrap().into_iter().find(|page| page.path == Path::new("junit.xml")).unwrap();
        let junit = String::from_utf8(page.bytes).unwrap();
        assert!(junit.contains(counts), "{counts}: {junit}");
        assert_eq!(judged.exit_code(), code, "{junit}");
        junit
    };
    let last = |gate: &mut Gate, ruling| gate.tests.last_mut().unwrap().verdict.ruling = ruling;
    expect(&|_: &mut Gate| {}, "failures=\"0\" errors=\"0\" skipped=\"0\"", 0);
    let open = |gate: &mut Gate| {
        gate.decide = vec![Question::ShortRange];
        last(gate, Ruling::Undecided);
    };
    expect(&open, "failures=\"0\" errors=\"0\" skipped=\"1\"", 0);
    expect(&|gate: &mut Gate| last(gate, Ruling::Incomparable), "failures=\"0\" errors=\"1\" skipped=\"0\"", 2);
    let gone = |gate: &mut Gate| {
        last(gate, Ruling::WithinNoise);
        gate.cells.missing.push("ntk x8".to_owned());
        gate.cells.failed.push("yarn x8: out of memory".to_owned());
    };
    let junit = expect(&gone, "failures=\"0\" errors=\"2\" skipped=\"0\"", 2);
    assert!(junit.contains("name=\"cell ntk x8\"") && junit.contains("name=\"cell yarn x8\""), "{junit}");
    assert!(junit.contains("failed now: out of memory"), "{junit}");
    let nothing = |gate: &mut Gate| {
        gate.cells = gyro::baselines::CellChanges::default();
        gate.tests.clear();
    };
    let junit = expect(&nothing, "tests=\"1\" failures=\"0\" errors=\"1\" skipped=\"0\"", 2);
    assert!(junit.contains("neither the run nor baseline `main` measured anything"), "{junit}");
}
