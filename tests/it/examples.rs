//! The committed examples under `reports/`: every page comes again from the stored rows, and the recommendation by hand.

use std::fs;
use std::path::{Path, PathBuf};

use gyro::ablation::{Evidence, diagnose};
use gyro::findings::Ruling;
use gyro::run;
use gyro::scenario;
use gyro::score::{Score, tally};

use crate::memo::by_hand;

/// Runs that are kept with their memos.
const EXAMPLES: [&str; 2] = ["strategy_selection", "retrofit_decision"];
/// The run that is kept with its report alone.
const REPORT: &str = "reports/example";

/// Their folders; one that is not there fails the test that reads it.
fn examples() -> impl Iterator<Item = PathBuf> {
    EXAMPLES.into_iter().map(|name| Path::new("reports").join(name))
}

/// Copies the files that pages are made of, not the pages.
///
/// Tests run at once, so each has a folder of its own.
fn rows_alone(test: &str, from: &Path) -> PathBuf {
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("examples").join(test).join(from.file_name().unwrap());
    let _ = fs::remove_dir_all(&to);
    fs::create_dir_all(&to).unwrap();
    for file in ["findings.json", "cells.json", "measurements.parquet", "run.json"] {
        fs::copy(from.join(file), to.join(file)).unwrap();
    }
    to
}

#[test]
fn every_page_comes_again_from_the_rows() {
    for folder in examples() {
        let again = rows_alone("pages", &folder);
        run::report(&again).unwrap();
        run::memo(&again).unwrap();
        let names = ["report.md", "report.html", "junit.xml", "memo.md", "memo.html", "memo.json"];
        for name in names {
            let (kept, made) = (fs::read(folder.join(name)).unwrap(), fs::read(again.join(name)).unwrap());
            assert!(
                kept == made,
                "{} is not what its rows give; run `gyro report` and `gyro memo`",
                folder.join(name).display()
            );
        }
    }
}

#[test]
fn the_report_comes_again_from_the_rows() {
    let folder = Path::new(REPORT);
    let again = rows_alone("report", folder);
    run::report(&again).unwrap();
    for name in
        ["findings.json", "report.md", "report.html", "junit.xml", "charts/loss_by_position.svg", "charts/repair.svg"]
    {
        let (kept, made) = (fs::read(folder.join(name)).unwrap(), fs::read(again.join(name)).unwrap());
        assert!(kept == made, "{} is not what its rows give; run `gyro report {REPORT}`", folder.join(name).display());
    }
}

#[test]
fn the_score_comes_again_from_its_rows() {
    let folder = Path::new("reports/score");
    let kept: Score = serde_json::from_slice(&fs::read(folder.join("score.json")).unwrap()).unwrap();
    assert_eq!(tally(kept.rows.clone()), kept, "the numbers are not what the rows give");
    for page in gyro::reports::score_pages(&kept).unwrap() {
        let path = folder.join(&page.path);
        assert!(fs::read(&path).unwrap() == page.bytes, "{} is not what its rows give", path.display());
    }
}

#[test]
fn each_recommendation_is_the_hand_calculation() {
    for folder in examples() {
        let (finished, memo) = run::memo(&rows_alone("by_hand", &folder)).unwrap();
        let path = PathBuf::from(&finished.provenance.scenario_path);
        let scenario = scenario::recorded(&path, &finished.provenance.scenario_text).unwrap();
        let scenario = if finished.provenance.quick { scenario.quick() } else { scenario };
        // The rulings of the intervals are the report's; everything else is done by hand from the rows.
        let worse = |cell: &gyro::measurement::Cell| {
            let grids = finished.findings.grid.iter().flat_map(|grid| &grid.cells);
            grids
                .filter(|one| {
                    gyro::measurement::label(&one.method, gyro::units::Tokens(0), gyro::units::Stretch(one.factor))
                        == cell.label()
                })
                .any(|one| one.ruling == Ruling::Worse)
        };
        assert_eq!(
            memo.decision.cell,
            by_hand(&scenario, &finished.cells, |cell, _| worse(cell)),
            "{}",
            folder.display()
        );
        let again = diagnose(&Evidence { scenario: &scenario, cells: &finished.cells });
        assert_eq!(again.verdicts, finished.findings.verdicts, "{}", folder.display());
    }
}
