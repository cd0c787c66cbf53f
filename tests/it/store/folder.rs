//! A run's folder: kills, crashes, damage, second writers.

use super::*;

#[test]
fn a_finished_run_is_read_back_from_its_files_in_the_order_of_the_plan() {
    let scratch = Scratch::new();
    let (mut folder, before) = open(&scratch.0, "a");
    assert!(before.is_empty());
    let mut outcomes: Vec<_> = plan().into_iter().map(|cell| (cell.clone(), measured(&cell))).collect();
    outcomes[1].1 = failed("out of memory: 9.1 GB");
    for (cell, outcome) in &outcomes {
        folder.save_cell(cell, outcome).unwrap();
    }
    let mut by_id = outcomes.clone();
    by_id.sort_by_key(|(cell, _)| cell.id());
    assert_eq!(read_run(&scratch.0).unwrap(), by_id, "from the parts");
    folder.finish(&outcomes).unwrap();
    assert_eq!(read_run(&scratch.0).unwrap(), outcomes, "from the whole");
    assert!(!scratch.join("cells").exists());
    assert!(outcomes.iter().any(|(cell, _)| cell.arm == Arm::Truncated));

    let first = fs::read(scratch.join("measurements.parquet")).unwrap();
    let (folder, _) = open(&scratch.0, "a");
    folder.finish(&outcomes).unwrap();
    assert_eq!(fs::read(scratch.join("measurements.parquet")).unwrap(), first);
}

#[test]
fn a_run_that_was_broken_off_resumes_and_tries_failed_cells_again() {
    let scratch = Scratch::new();
    let cells = plan();
    let (mut folder, _) = open(&scratch.0, "a");
    folder.save_cell(&cells[0], &measured(&cells[0])).unwrap();
    folder.save_cell(&cells[1], &failed("out of memory")).unwrap();
    folder.save_cell(&cells[2], &measured(&cells[2])).unwrap();
    drop(folder);
    let (mut folder, before) = RunFolder::open(&scratch.0, "a", Resume::Require).unwrap();
    let expected = [&cells[0], &cells[2]].map(|cell| (cell.id(), measured(cell)));
    assert_eq!(sorted(before), sorted(expected.to_vec()));
    folder.save_cell(&cells[1], &measured(&cells[1])).unwrap();
    drop(folder);
    assert_eq!(open(&scratch.0, "a").1.len(), 3);
}

#[test]
fn another_fingerprint_or_a_wish_starts_afresh() {
    for (fingerprint, resume) in [("b", Resume::Automatic), ("a", Resume::Fresh)] {
        let scratch = Scratch::new();
        let (mut folder, _) = open(&scratch.0, "a");
        folder.save_cell(&cell("yarn", 4.0), &measured(&cell("yarn", 4.0))).unwrap();
        fs::write(scratch.join("cells/mine.txt"), "the user's own").unwrap();
        fs::write(scratch.join("report.md"), "an older page").unwrap();
        drop(folder);
        let (folder, before) = RunFolder::open(&scratch.0, fingerprint, resume).unwrap();
        assert!(before.is_empty());
        drop(folder);
        assert!(open(&scratch.0, fingerprint).1.is_empty(), "the parts are gone for good");
        assert_eq!(fs::read_to_string(scratch.join("cells/mine.txt")).unwrap(), "the user's own");
        assert_eq!(fs::read_to_string(scratch.join("report.md")).unwrap(), "an older page");
    }
}

#[test]
fn a_demanded_resume_says_why_there_is_none() {
    let scratch = Scratch::new();
    let demand = |fingerprint| RunFolder::open(&scratch.0, fingerprint, Resume::Require).unwrap_err().to_string();
    assert!(demand("a").contains("there is no unfinished run\nhint: leave out --resume"));
    let (mut folder, _) = open(&scratch.0, "a");
    folder.save_cell(&Cell::unscaled(), &measured(&Cell::unscaled())).unwrap();
    drop(folder);
    assert!(demand("b").contains("is of another scenario"));
    let (folder, before) = RunFolder::open(&scratch.0, "a", Resume::Require).unwrap();
    assert_eq!(before.len(), 1, "the refused demand dropped nothing");
    folder.finish(&[(Cell::unscaled(), measured(&Cell::unscaled()))]).unwrap();
    assert!(demand("a").contains("there is no unfinished run"));
}

#[test]
fn the_finished_run_stays_until_the_next_one_replaces_it() {
    let scratch = Scratch::new();
    let old = [(Cell::unscaled(), measured(&Cell::unscaled()))];
    open(&scratch.0, "a").0.finish(&old).unwrap();
    let (mut folder, _) = open(&scratch.0, "b");
    let new = [(cell("ntk", 2.0), measured(&cell("ntk", 2.0)))];
    folder.save_cell(&new[0].0, &new[0].1).unwrap();
    assert_eq!(read_run(&scratch.0).unwrap(), old);
    // A crash between the two files of the whole record: new rows beside the old description.
    fs::copy(scratch.join("cells").join(format!("{}.parquet", new[0].0.id())), scratch.join("measurements.parquet"))
        .unwrap();
    assert_eq!(read_run(&scratch.0).unwrap(), new);
    folder.finish(&new).unwrap();
    assert_eq!(read_run(&scratch.0).unwrap(), new);
}

#[test]
fn a_second_writer_in_the_same_folder_is_refused() {
    let scratch = Scratch::new();
    let (folder, _) = open(&scratch.0, "a");
    let error = RunFolder::open(&scratch.0, "a", Resume::Automatic).unwrap_err();
    assert!(error.to_string().starts_with("another run is writing here: "), "{error}");
    drop(folder);
    assert!(RunFolder::open(&scratch.0, "a", Resume::Automatic).is_ok());
}

const CHILD: &str = "GYRO_TEST_STORE_CHILD";

/// The process that the next test kills; by itself it has nothing to do.
#[test]
fn the_child_of_the_kill_test() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let (mut folder, _) = open(Path::new(&dir), "a");
    for cell in plan().iter().take(3) {
        folder.save_cell(cell, &measured(cell)).unwrap();
    }
    println!("\nthree cells are saved");
    std::thread::sleep(std::time::Duration::from_secs(120));
}

#[test]
fn a_killed_process_loses_no_cell_and_leaves_no_lock() {
    let scratch = Scratch::new();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["store::folder::the_child_of_the_kill_test", "--exact", "--nocapture"])
        .env(CHILD, &scratch.0)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let saved = lines.map_while(Result::ok).any(|line| line == "three cells are saved");
    let locked = RunFolder::open(&scratch.0, "a", Resume::Automatic);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(saved, "the child ended early");
    assert!(matches!(locked, Err(StoreError::Locked { .. })));
    let (folder, before) = RunFolder::open(&scratch.0, "a", Resume::Require).unwrap();
    let expected: Vec<_> = plan().iter().take(3).map(|cell| (cell.id(), measured(cell))).collect();
    assert_eq!(sorted(before), sorted(expected));
    assert!(folder.notes().is_empty());
}

#[test]
fn a_crash_inside_a_save_costs_only_that_cell() {
    let scratch = Scratch::new();
    let (whole, torn) = (Cell::unscaled(), cell("linear", 4.0));
    let (mut folder, _) = open(&scratch.0, "a");
    folder.save_cell(&whole, &measured(&whole)).unwrap();
    folder.save_cell(&torn, &measured(&torn)).unwrap();
    drop(folder);
    // Where a crash can stop: in the temporary file of the rows, after the rows, in the temporary file of the cell.
    let part = |ending: &str| scratch.join("cells").join(format!("{}.{ending}", torn.id()));
    let temporary = |ending: &str| scratch.join("cells").join(format!(".{}.{ending}.gyro-tmp", torn.id()));
    let (rows, json) = (fs::read(part("parquet")).unwrap(), fs::read(part("json")).unwrap());
    let stops: [&[(PathBuf, &[u8])]; 3] = [
        &[(temporary("parquet"), &rows[..rows.len() / 2])],
        &[(part("parquet"), &rows)],
        &[(part("parquet"), &rows), (temporary("json"), &json[..9])],
    ];
    for files in stops {
        for path in [part("parquet"), part("json"), temporary("parquet"), temporary("json")] {
            let _ = fs::remove_file(path);
        }
        for (path, bytes) in files {
            fs::write(path, bytes).unwrap();
        }
        assert_eq!(read_run(&scratch.0).unwrap(), [(whole.clone(), measured(&whole))]);
        let (folder, before) = open(&scratch.0, "a");
        assert_eq!(before, [(whole.id(), measured(&whole))]);
        assert!(folder.notes().is_empty(), "{:?}", folder.notes());
    }
    let (mut folder, _) = open(&scratch.0, "a");
    folder.save_cell(&torn, &measured(&torn)).unwrap();
    folder.finish(&[(whole.clone(), measured(&whole)), (torn.clone(), measured(&torn))]).unwrap();
    assert!(!scratch.join("cells").exists(), "leftovers of the crashes are swept away");
}

#[test]
fn a_damaged_part_is_measured_again_and_said() {
    let scratch = Scratch::new();
    let (good, bad) = (Cell::unscaled(), cell("linear", 4.0));
    let (mut folder, _) = open(&scratch.0, "a");
    for cell in [&good, &bad] {
        folder.save_cell(cell, &measured(cell)).unwrap();
    }
    drop(folder);
    for ending in ["parquet", "json"] {
        let path = scratch.join("cells").join(format!("{}.{ending}", bad.id()));
        let bytes = fs::read(&path).unwrap();
        let mut broken: Vec<_> = (0..bytes.len()).step_by(97).map(|length| bytes[..length].to_vec()).collect();
        if ending == "parquet" {
            broken.extend((0..bytes.len()).step_by(41).map(|n| with_byte(&bytes, n, !bytes[n])));
        }
        for broken in broken {
            fs::write(&path, broken).unwrap();
            let (folder, before) = open(&scratch.0, "a");
            assert_eq!(before, [(good.id(), measured(&good))]);
            let [note] = folder.notes() else { panic!("{:?}", folder.notes()) };
            assert!(note.contains(&bad.id().0) && note.contains(&format!(".{ending} is damaged")), "{note}");
            assert!(read_run(&scratch.0).is_err());
        }
        fs::write(&path, bytes).unwrap();
    }
    assert_eq!(open(&scratch.0, "a").1.len(), 2);
}

#[test]
fn a_part_under_another_cells_name_is_not_believed() {
    let scratch = Scratch::new();
    let (mut folder, _) = open(&scratch.0, "a");
    folder.save_cell(&Cell::unscaled(), &measured(&Cell::unscaled())).unwrap();
    let wrong = folder.save_cell(&Cell::truncated(), &measured(&Cell::unscaled())).unwrap_err();
    assert!(matches!(wrong, StoreError::RowOfAnotherCell { .. }), "{wrong}");
    drop(folder);
    for ending in ["json", "parquet"] {
        let part = |cell: Cell| scratch.join("cells").join(format!("{}.{ending}", cell.id()));
        fs::rename(part(Cell::unscaled()), part(Cell::truncated())).unwrap();
    }
    let (folder, before) = open(&scratch.0, "a");
    assert!(before.is_empty());
    assert_eq!(folder.notes().len(), 1);
}

#[test]
fn a_folder_without_a_run_and_a_later_format_say_what_to_do() {
    let scratch = Scratch::new();
    assert!(matches!(read_run(&scratch.0), Err(StoreError::NoRun { .. })));
    assert!(matches!(read_run(&scratch.join("nowhere")), Err(StoreError::NoRun { .. })));
    open(&scratch.0, "a").0.finish(&[]).unwrap();
    assert_eq!(read_run(&scratch.0).unwrap(), []);
    let path = scratch.join("cells.json");
    fs::write(&path, fs::read_to_string(&path).unwrap().replace("\"format\": 1", "\"format\": 2")).unwrap();
    let error = read_run(&scratch.0).unwrap_err().to_string();
    assert!(error.contains("cells.json has format 2, this gyro reads up to 1\nhint: "), "{error}");
}

#[test]
fn refusals_of_the_system_name_the_file_and_keep_what_is_finished() {
    let scratch = Scratch::new();
    fs::write(scratch.join("file"), "").unwrap();
    let error = RunFolder::open(&scratch.join("file/run"), "a", Resume::Automatic).unwrap_err().to_string();
    assert!(error.contains("file/run: ") && error.contains("\nhint: something else has this name"), "{error}");

    let dir = scratch.join("run");
    let (mut folder, _) = open(&dir, "a");
    let cells = [(Cell::unscaled(), measured(&Cell::unscaled()))];
    folder.save_cell(&cells[0].0, &cells[0].1).unwrap();
    fs::create_dir(dir.join("cells.json")).unwrap();
    let error = folder.finish(&cells).unwrap_err().to_string();
    assert!(error.starts_with("cannot write ") && error.contains("run/cells.json: "), "{error}");
    fs::remove_dir(dir.join("cells.json")).unwrap();
    let (folder, before) = open(&dir, "a");
    assert_eq!(before.len(), 1, "the parts survive a failed finish");
    folder.finish(&cells).unwrap();
    assert_eq!(read_run(&dir).unwrap(), cells);
}

#[test]
fn pages_are_written_below_the_folder_and_nowhere_else() {
    let scratch = Scratch::new();
    let (folder, _) = open(&scratch.join("run"), "a");
    folder.write(Path::new("charts/loss.svg"), b"<svg/>").unwrap();
    folder.write(Path::new("charts/loss.svg"), b"<svg></svg>").unwrap();
    assert_eq!(fs::read(scratch.join("run/charts/loss.svg")).unwrap(), b"<svg></svg>");
    assert_eq!(fs::read_dir(scratch.join("run/charts")).unwrap().count(), 1, "no temporary file stays");
    let absolute = scratch.join("x.md");
    for page in [Path::new("../x.md"), Path::new("charts/../../x.md"), Path::new(""), &absolute] {
        assert!(matches!(folder.write(page, b""), Err(StoreError::Name { .. })), "{}", page.display());
    }
    assert!(!absolute.exists());
}

#[test]
fn every_factor_survives_the_json() {
    let scratch = Scratch::new();
    let mut factor = 1.0_f64;
    let cells: Vec<_> = (0..400)
        .map(|_| {
            factor = factor.mul_add(1.007_3, 0.000_123);
            (cell("linear", factor), failed("not tried"))
        })
        .collect();
    open(&scratch.0, "a").0.finish(&cells).unwrap();
    assert_eq!(read_run(&scratch.0).unwrap(), cells);
}
