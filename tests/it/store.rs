//! Rows on disk: nothing that was finished is lost, and nothing that is broken is believed.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use gyro::baselines::{Resume, RunFolder, Side, StoreError, compare, decode, encode, list, read_run, save, show};
use gyro::findings::{Findings, Question, Ruling, Verdict};
use gyro::measurement::{Arm, Cell, CellId, Measurement, Outcome, Place, Quantity, Reading};
use gyro::positions::AnyMethod;
use gyro::scenario::Tolerance;
use gyro::stats::Estimate;
use gyro::units::{Stretch, Tokens};
use proptest::prelude::*;

/// A folder of its own for each test, removed when the test passes.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("store-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

fn cell(method: &str, factor: f64) -> Cell {
    Cell::grid(AnyMethod::named(method).unwrap(), Stretch(factor))
}

/// Cells whose ids do not come in the order of the plan, one of them with a factor that has no short decimal form.
fn plan() -> Vec<Cell> {
    let odd = std::f64::consts::E * 1.000_000_000_1;
    vec![Cell::unscaled(), cell("linear", 4.0), cell("yarn", odd), cell("ntk", 8.0), Cell::truncated()]
}

fn row(cell: &Cell, probe: &str, quantity: Quantity, document: u32, value: f64) -> Measurement {
    let reading = Reading {
        quantity,
        probe: probe.to_owned(),
        protocol: format!("{probe}:256/256:bos"),
        document,
        repeat: 0,
        at: Place { from: Some(0), to: Some(256), ..Place::default() },
        value,
        count: 255,
    };
    Measurement { cell: cell.id(), reading }
}

fn measured(cell: &Cell) -> Outcome {
    Outcome::Measured((0..40).map(|n| row(cell, "short_range", Quantity::Nll, n, 3.0 + f64::from(n) / 7.0)).collect())
}

fn failed(reason: &str) -> Outcome {
    Outcome::Failed { reason: reason.to_owned() }
}

fn open(dir: &Path, fingerprint: &str) -> (RunFolder, Vec<(CellId, Outcome)>) {
    RunFolder::open(dir, fingerprint, Resume::Automatic).unwrap()
}

fn sorted(mut outcomes: Vec<(CellId, Outcome)>) -> Vec<(CellId, Outcome)> {
    outcomes.sort_by(|a, b| a.0.cmp(&b.0));
    outcomes
}

/// A file's content with the `n`-th of its bytes replaced.
fn with_byte(bytes: &[u8], n: usize, byte: u8) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    changed[n] = byte;
    changed
}

fn position(bytes: &[u8], wanted: &[u8]) -> usize {
    bytes.windows(wanted.len()).position(|window| window == wanted).unwrap()
}

mod rows {
    use super::*;

    fn any_place() -> impl Strategy<Value = Place> {
        let at = || any::<Option<u32>>();
        let depth = proptest::option::of(any::<u64>().prop_map(f64::from_bits));
        (at(), at(), at(), at(), at(), at(), depth).prop_map(
            |(length, from, to, distance_from, distance_to, layer, depth)| Place {
                length,
                from,
                to,
                distance_from,
                distance_to,
                layer,
                depth,
            },
        )
    }

    fn any_row() -> impl Strategy<Value = Measurement> {
        let value = prop_oneof![
            any::<u64>().prop_map(f64::from_bits),
            Just(-0.0),
            Just(0.0),
            Just(f64::NAN),
            Just(f64::INFINITY),
            Just(f64::NEG_INFINITY)
        ];
        let quantity = (0..Quantity::ALL.len()).prop_map(|n| Quantity::ALL[n]);
        (any::<[String; 3]>(), quantity, any::<[u32; 3]>(), any_place(), value).prop_map(
            |([cell, probe, protocol], quantity, [document, repeat, count], at, value)| Measurement {
                cell: CellId(cell),
                reading: Reading { quantity, probe, protocol, document, repeat, at, value, count },
            },
        )
    }

    /// The row with its numbers as bits, so that NaN equals NaN and -0 differs from 0.
    fn exact(row: &Measurement) -> (CellId, String, [u64; 2], bool) {
        let mut rest = row.clone();
        rest.reading.value = 0.0;
        let depth = rest.reading.at.depth.take();
        let bits = [row.reading.value.to_bits(), depth.unwrap_or_default().to_bits()];
        (row.cell.clone(), format!("{:?}", rest.reading), bits, depth.is_some())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_row_comes_back_bit_for_bit(rows in proptest::collection::vec(any_row(), 0..30)) {
            let bytes = encode(&rows).unwrap();
            prop_assert_eq!(&bytes, &encode(&rows).unwrap(), "the same rows gave other bytes");
            let back = decode(&bytes, Path::new("x.parquet")).unwrap();
            prop_assert_eq!(back.iter().map(exact).collect::<Vec<_>>(), rows.iter().map(exact).collect::<Vec<_>>());
        }
    }

    fn some_bytes() -> Vec<u8> {
        let Outcome::Measured(rows) = measured(&cell("yarn", 4.0)) else { unreachable!() };
        encode(&rows).unwrap()
    }

    #[test]
    fn a_truncated_file_is_an_error_that_names_it() {
        let bytes = some_bytes();
        for length in (0..bytes.len()).step_by(97).chain([bytes.len() - 1, 4, 8, 12]) {
            let error = decode(&bytes[..length], Path::new("some/m.parquet")).unwrap_err().to_string();
            assert!(error.starts_with("some/m.parquet is "), "{length} bytes: {error}");
            assert!(error.contains("\nhint: "), "{length} bytes: {error}");
        }
    }

    #[test]
    fn every_flipped_byte_is_noticed_before_anything_is_decoded() {
        let bytes = some_bytes();
        for n in 0..bytes.len() {
            for flip in [0x01, 0x80, 0xff] {
                let error = decode(&with_byte(&bytes, n, bytes[n] ^ flip), Path::new("m")).unwrap_err();
                assert!(matches!(error, StoreError::Damaged { .. } | StoreError::Foreign { .. }), "byte {n}: {error}");
            }
        }
    }

    /// The file with the seal that its content would have, as another program of gyro's line would write it.
    fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
        let seal = position(&bytes, b"gyro.blake3") + "gyro.blake3".len() + 2;
        bytes[seal..seal + 64].fill(b'0');
        let hash = blake3::hash(&bytes).to_hex();
        bytes[seal..seal + 64].copy_from_slice(hash.as_bytes());
        bytes
    }

    #[test]
    fn foreign_and_later_files_are_refused_by_name() {
        let path = Path::new("some/m.parquet");
        let bytes = some_bytes();
        assert_eq!(sealed(bytes.clone()), bytes);
        let version = position(&bytes, b"gyro.schema") + "gyro.schema".len() + 2;
        assert_eq!(bytes[version], b'1');

        let later = decode(&sealed(with_byte(&bytes, version, b'7')), path).unwrap_err();
        assert!(matches!(later, StoreError::Newer { found: 7, known: 1, .. }), "{later}");
        let nonsense = decode(&sealed(with_byte(&bytes, version, b'x')), path).unwrap_err();
        assert!(matches!(nonsense, StoreError::Damaged { .. }), "{nonsense}");
        let unknown = decode(&sealed(with_byte(&bytes, position(&bytes, b"nll"), b'x')), path).unwrap_err();
        assert!(unknown.to_string().contains("row 0 has the unknown quantity `xll`"), "{unknown}");
        let foreign = decode(&with_byte(&bytes, position(&bytes, b"gyro.blake3"), b'G'), path).unwrap_err();
        assert!(matches!(foreign, StoreError::Foreign { .. }), "{foreign}");
        let text = decode(b"cell,quantity\n", path).unwrap_err();
        assert!(matches!(text, StoreError::Foreign { .. }), "{text}");
        for error in [later, nonsense, unknown, foreign, text] {
            assert!(error.to_string().starts_with("some/m.parquet "), "{error}");
        }
    }
}

mod folder {
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
        fs::copy(
            scratch.join("cells").join(format!("{}.parquet", new[0].0.id())),
            scratch.join("measurements.parquet"),
        )
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
}

mod baseline {
    use super::*;

    fn findings(deployed: &Cell) -> Findings {
        Findings {
            schema: 1,
            scenario: "s".to_owned(),
            question: "why?".to_owned(),
            answer: "because.".to_owned(),
            deployed: deployed.label(),
            verdicts: Vec::new(),
            causes: Vec::new(),
            grid: Vec::new(),
            cells: Vec::new(),
            recommendation: None,
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
}

mod comparison {
    use super::*;

    const TOLERANCE: Tolerance = Tolerance { short_range: 0.02, long_range: 0.02, retrieval: 0.05, latency: 1.05 };

    /// Mean of the differences, two standard errors to each side.
    fn difference(now: &[f64], before: &[f64]) -> Option<Estimate> {
        let differences: Vec<f64> = now.iter().zip(before).map(|(now, before)| now - before).collect();
        let n = differences.len();
        if n < 2 {
            return None;
        }
        let point = differences.iter().sum::<f64>() / n as f64;
        let variance = differences.iter().map(|d| (d - point).powi(2)).sum::<f64>() / (n - 1) as f64;
        let reach = 2.0 * (variance / n as f64).sqrt();
        Some(Estimate { point, low: point - reach, high: point + reach, confidence: 0.95, n })
    }

    fn judge(change: Estimate, tolerance: f64) -> Ruling {
        match (change.low, change.high) {
            (low, _) if low > tolerance => Ruling::Worse,
            (_, high) if high < -tolerance => Ruling::Better,
            (low, high) if low >= -tolerance && high <= tolerance => Ruling::WithinNoise,
            _ => Ruling::Undecided,
        }
    }

    fn deployed() -> Cell {
        cell("linear", 4.0)
    }

    /// A run's cells: every quantity of the deployed cell, each document a little different.
    fn cells(machine: f64) -> Vec<(Cell, Outcome)> {
        let cell = deployed();
        let (mut rows, mut unscaled) = (Vec::new(), Vec::new());
        for document in 0..6 {
            let own = f64::from(document) / 10.0;
            rows.push(row(&cell, "short_range", Quantity::Nll, document, 3.0 + own));
            for (from, value) in [(0, 2.0), (2048, 3.0), (4096, 4.0)] {
                let mut bin = row(&cell, "long_range", Quantity::Nll, document, value + own);
                bin.reading.at = Place { from: Some(from), to: Some(from + 2048), ..Place::default() };
                rows.push(bin);
            }
            rows.push(row(&cell, "retrieval", Quantity::Recall, document, 0.9 - own / 10.0));
            for (length, seconds) in [(512, 0.1), (2048, 0.7)] {
                let wobble = 1.0 + own / 50.0;
                let mut timed = row(&cell, "latency", Quantity::Prefill, document, seconds * machine * wobble * 1.2);
                timed.reading.at = Place { length: Some(length), ..Place::default() };
                rows.push(timed.clone());
                timed.cell = Cell::unscaled().id();
                timed.reading.value = seconds * machine;
                unscaled.push(timed);
            }
        }
        vec![(Cell::unscaled(), Outcome::Measured(unscaled)), (cell, Outcome::Measured(rows))]
    }

    fn changed(change: impl Fn(&mut Measurement)) -> Vec<(Cell, Outcome)> {
        let mut cells = cells(1.0);
        if let Outcome::Measured(rows) = &mut cells[1].1 {
            rows.iter_mut().for_each(change);
        }
        cells
    }

    fn verdicts_of_texts(run: &[(Cell, Outcome)], text: &str) -> Vec<Verdict> {
        let (before, id) = (cells(1.0), deployed().id());
        let baseline = Side { cells: &before, deployed: &id, text: "t" };
        let run = Side { cells: run, deployed: &id, text };
        compare("v1", baseline, run, Tokens(2048), &TOLERANCE, difference, judge)
    }

    fn verdict(run: &[(Cell, Outcome)], question: Question) -> Verdict {
        verdicts_of_texts(run, "t").into_iter().find(|verdict| verdict.question == question).unwrap()
    }

    fn of(probe: &str) -> impl Fn(&Measurement) -> bool {
        move |row| row.reading.probe == probe
    }

    #[test]
    fn the_same_rows_are_within_noise_on_a_faster_machine_too() {
        for machine in [1.0, 0.25] {
            let verdicts = verdicts_of_texts(&cells(machine), "t");
            let questions: Vec<_> = verdicts.iter().map(|verdict| verdict.question).collect();
            assert_eq!(questions, [Question::ShortRange, Question::LongRange, Question::Retrieval, Question::Latency]);
            for verdict in verdicts {
                assert_eq!(verdict.ruling, Ruling::WithinNoise, "{verdict:?}");
                assert_eq!((verdict.against.as_str(), &verdict.why), ("v1", &None));
            }
        }
        let latency = verdict(&cells(0.25), Question::Latency);
        assert!((latency.change.unwrap().point - 1.0).abs() < 1e-9);
        assert!((latency.deployed.unwrap().point - 1.2 * 1.005).abs() < 1e-3, "{latency:?}");
    }

    #[test]
    fn each_question_sees_its_own_damage() {
        let short = changed(|row| row.reading.value += f64::from(u8::from(of("short_range")(row))) * 0.3);
        let verdict_short = verdict(&short, Question::ShortRange);
        assert_eq!(verdict_short.ruling, Ruling::Worse);
        assert!((verdict_short.change.unwrap().point - 0.3).abs() < 1e-9);
        assert!((verdict_short.reference.unwrap().point - 3.25).abs() < 1e-9);
        assert_eq!(verdict(&short, Question::LongRange).ruling, Ruling::WithinNoise);

        let inside = changed(|row| row.reading.value += f64::from(u8::from(row.reading.at.to == Some(2048))));
        assert_eq!(verdict(&inside, Question::LongRange).ruling, Ruling::WithinNoise, "below the trained length");
        let beyond = changed(|row| row.reading.value -= f64::from(u8::from(row.reading.at.from == Some(4096))));
        let verdict_beyond = verdict(&beyond, Question::LongRange);
        assert_eq!(verdict_beyond.ruling, Ruling::Better);
        assert!((verdict_beyond.change.unwrap().point + 0.5).abs() < 1e-9);

        let forgetful = changed(|row| row.reading.value -= f64::from(u8::from(of("retrieval")(row))) * 0.4);
        let verdict_recall = verdict(&forgetful, Question::Retrieval);
        assert_eq!(verdict_recall.ruling, Ruling::Worse, "less recall is worse");
        assert!((verdict_recall.change.unwrap().point + 0.4).abs() < 1e-9);

        let slow = changed(|row| row.reading.value *= if of("latency")(row) { 1.5 } else { 1.0 });
        let verdict_latency = verdict(&slow, Question::Latency);
        assert_eq!(verdict_latency.ruling, Ruling::Worse);
        assert!((verdict_latency.change.unwrap().point - 1.5).abs() < 1e-9);
    }

    #[test]
    fn what_was_measured_differently_is_incomparable_and_says_why() {
        let because = |run: &[(Cell, Outcome)], question, why: &str| {
            let verdict = verdict(run, question);
            assert_eq!(verdict.ruling, Ruling::Incomparable, "{verdict:?}");
            assert!(verdict.change.is_none());
            assert!(verdict.why.as_deref().is_some_and(|given| given.contains(why)), "{verdict:?}");
        };
        let other = changed(|row| row.reading.protocol.push_str(":no-bos"));
        because(&other, Question::ShortRange, "protocols differ");
        because(&other, Question::Latency, "protocols differ");
        because(&changed(|row| row.reading.document += 1), Question::ShortRange, "documents");
        because(
            &changed(|row| row.reading.count = 99),
            Question::Retrieval,
            "255 scored places in the baseline and 99",
        );
        because(&changed(|row| row.reading.at.length = Some(1)), Question::Latency, "not timed beside");
        because(&changed(|row| row.reading.probe = "x".to_owned()), Question::LongRange, "did not measure");
        let text = verdicts_of_texts(&cells(1.0), "another");
        assert_eq!(text[0].ruling, Ruling::Incomparable);
        assert!(text[0].why.as_deref().is_some_and(|why| why.contains("different text")));
    }

    #[test]
    fn a_loss_that_is_not_a_number_is_worse_without_an_average() {
        let broken = changed(|row| {
            if of("short_range")(row) && row.reading.document == 3 {
                row.reading.value = f64::NAN;
            }
        });
        let verdict = verdict(&broken, Question::ShortRange);
        assert_eq!((verdict.ruling, verdict.change), (Ruling::Worse, None));
        assert!(verdict.why.is_some_and(|why| why.contains("1 of 6 documents")));
    }

    #[test]
    fn few_or_scattered_pairs_are_undecided() {
        let scattered = changed(|row| row.reading.value += f64::from(row.reading.document) / 60.0);
        let verdict = verdict(&scattered, Question::ShortRange);
        assert_eq!(verdict.ruling, Ruling::Undecided, "{verdict:?}");
        assert!(verdict.why.is_some());
    }
}
