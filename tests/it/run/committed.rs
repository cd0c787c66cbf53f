//! The example in `reports/`: its pages are those that its stored rows and findings give today.

use super::*;

/// Every file below a folder, by its path from there.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.file_name().unwrap().to_string_lossy().starts_with('.') {
                found.insert(path.strip_prefix(root).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// If this fails after a change of the pages: `gyro report reports/example`, and look at what changed.
#[test]
fn the_committed_example_is_what_its_rows_say() {
    let copy = folder("committed");
    let committed = files(Path::new("reports/example"));
    for (path, bytes) in &committed {
        fs::create_dir_all(copy.join(path).parent().unwrap()).unwrap();
        // Pages are made again; what they are made of stays.
        if ["measurements.parquet", "cells.json", "run.json", "findings.json"]
            .iter()
            .any(|name| path == Path::new(name))
        {
            fs::write(copy.join(path), bytes).unwrap();
        }
    }
    run::report(&copy).unwrap();
    let made = files(&copy);
    assert_eq!(made.keys().collect::<Vec<_>>(), committed.keys().collect::<Vec<_>>());
    for (path, bytes) in &committed {
        assert!(made[path] == *bytes, "{} differs; hint: gyro report reports/example", path.display());
    }
    assert!(committed.len() > 5);
}
