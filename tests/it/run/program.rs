//! The program on files alone: what shows, compares and reports needs no model, and no libtorch in its build.

use std::process::{Command, Output};

use super::nightly::{night, run_night};
use super::*;

const SCENARIO: &str = "scenarios/8k_regression.yaml";

fn gyro(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gyro")).args(arguments).env_remove("GITHUB_STEP_SUMMARY").output().unwrap()
}

/// What the program printed; it must have ended with that code.
fn printed(code: i32, arguments: &[&str]) -> String {
    let output = gyro(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_is_kept_in_files_is_shown_compared_and_reported_from_files() {
    let home = folder("program");
    let (out, root) = (home.join("run"), home.join("baselines"));
    let script = Script::default();
    run::diagnose(&request(&out, Resume::Automatic), |_: &Scenario| Ok(&script)).unwrap();
    let (out, root) = (out.to_str().unwrap(), root.to_str().unwrap());
    let page = fs::read(format!("{out}/report.html")).unwrap();
    fs::remove_file(format!("{out}/report.html")).unwrap();
    assert!(printed(1, &["report", out]).contains("Method or factor?"));
    assert!(fs::read(format!("{out}/report.html")).unwrap() == page);

    let at = ["--run", out, "--baselines", root];
    let baseline = |verb: &'static str| [&["baseline", verb, SCENARIO], &at[..]].concat();
    printed(0, &baseline("save"));
    assert!(printed(0, &["baseline", "list", "--baselines", root]).contains("8k_regression/main"));
    assert!(printed(0, &baseline("show")).contains("\"deployed\": "));
    let compared = printed(0, &baseline("compare"));
    assert!(compared.contains("= short_range") && compared.contains("= decode@8192"), "{compared}");

    run_night(&night(&home, &["8k_regression"]), &script);
    let nightly = home.join("nightly");
    let page = fs::read(nightly.join("index.html")).unwrap();
    fs::remove_file(nightly.join("index.html")).unwrap();
    let summary = printed(2, &["summary", nightly.to_str().unwrap()]);
    assert!(summary.starts_with("# Gyro, night of "), "{summary}");
    assert!(fs::read(nightly.join("index.html")).unwrap() == page);
}

#[cfg(not(feature = "libtorch"))]
#[test]
fn what_needs_a_model_says_that_this_build_has_none() {
    let output = gyro(&["bench", SCENARIO]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("built without libtorch\n  hint: "));
}
