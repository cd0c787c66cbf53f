//! Who may use whom: modules use only those above them in `src/lib.rs`, and each large dependency is named in one place.

use std::fs;
use std::path::Path;

/// Crates that one place each may name, so that they stay replaceable: crate and the beginning of the path that may.
const EDGES: [(&str, &str); 5] = [
    ("tch", "src/replay/"),
    ("torch_sys", "src/replay/"),
    ("polars", "src/baselines/"),
    ("plotters", "src/reports/charts"),
    ("serde_yaml", "src/scenario/"),
];

/// A longer file holds more than one idea.
const LONGEST: usize = 500;

/// A source file: its path from the root of the crate, with `/`, and its text.
struct Source {
    path: String,
    text: String,
}

/// The modules that `lib.rs` declares, in its order.
fn modules(lib: &str) -> Vec<&str> {
    lib.lines()
        .filter_map(|line| line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod ")?.strip_suffix(';'))
        .collect()
}

/// The code without its comments: prose may point anywhere.
fn code(text: &str) -> String {
    let without = |line: &str| line.split(" //").next().unwrap_or_default().to_owned();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).map(without).collect::<Vec<_>>().join("\n")
}

/// The name at the beginning of a text.
fn name(text: &str) -> &str {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// What stands behind every `prefix` that begins a path.
fn behind<'code>(code: &'code str, prefix: &'code str) -> impl Iterator<Item = &'code str> {
    code.match_indices(prefix).filter_map(move |(at, _)| {
        let inside_of_a_word = code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        (!inside_of_a_word).then_some(&code[at + prefix.len()..])
    })
}

/// The names at the root of the crate that a path after `crate::` uses: one, or those of a `{..}` list.
fn roots(path: &str) -> Vec<&str> {
    let Some(list) = path.trim_start().strip_prefix('{') else {
        return if name(path).is_empty() || path[name(path).len()..].starts_with('!') {
            vec![]
        } else {
            vec![name(path)]
        };
    };
    let mut found = vec![name(list)];
    let mut depth = 0;
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => found.push(name(&list[at + 1..])),
            _ => {}
        }
    }
    found.retain(|name| !name.is_empty());
    found
}

/// Every breach of the rules, as `path: what`.
fn breaches(lib: &str, sources: &[Source]) -> Vec<String> {
    let order = modules(lib);
    let place = |module: &str| order.iter().position(|&other| other == module);
    let mut found = Vec::new();
    for Source { path, text } in sources {
        let mut breach = |what: String| found.push(format!("{path}: {what}"));
        let code = code(text);
        let length = text.lines().count();
        if length > LONGEST {
            breach(format!("{length} lines, at most {LONGEST}"));
        }
        for (krate, home) in EDGES {
            let named = behind(&code, krate)
                .any(|rest| rest.starts_with("::") || rest.starts_with(';') || rest.starts_with(" as "));
            if named && !path.starts_with(home) {
                breach(format!("names {krate}, which only {home} may"));
            }
        }
        let own = name(path.trim_start_matches("src/"));
        if own == "main" || own == "lib" {
            continue;
        }
        let Some(here) = place(own) else {
            breach(format!("{own} is not in lib.rs"));
            continue;
        };
        for used in behind(&code, "crate::").flat_map(roots) {
            match place(used) {
                Some(there) if there <= here => {}
                Some(_) => breach(format!("uses {used}, which stands below {own}")),
                None => breach(format!("uses crate::{used}, which is no module of lib.rs")),
            }
        }
        // `super` must not be a second road to the root of the crate.
        let depth = path.trim_end_matches("/mod.rs").matches('/').count();
        let road = format!("use {}", "super::".repeat(depth));
        if code.lines().any(|line| line.strip_prefix("pub ").unwrap_or(line).starts_with(&road)) {
            breach("reaches the crate's root by super, not by crate".to_owned());
        }
    }
    found
}

fn read(folder: &Path, root: &Path, into: &mut Vec<Source>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            read(&path, root, into);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let name = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
            into.push(Source { path: name, text: fs::read_to_string(&path).unwrap() });
        }
    }
}

#[test]
fn modules_use_only_those_above_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    read(&root.join("src"), root, &mut sources);
    let lib = sources.iter().find(|source| source.path == "src/lib.rs").unwrap().text.clone();
    assert!(modules(&lib).len() > 10, "the order of the modules was not found in lib.rs: {:?}", modules(&lib));
    assert_eq!(breaches(&lib, &sources), Vec::<String>::new());
}

const LIB: &str =
    "//! Modules.\n\npub mod units;\nmod stats;\n#[cfg(feature = \"x\")]\npub mod replay;\npub mod run;\n";

fn judged(path: &str, text: &str) -> Vec<String> {
    breaches(LIB, &[Source { path: path.to_owned(), text: text.to_owned() }])
}

#[test]
fn the_order_is_read_from_lib() {
    assert_eq!(modules(LIB), ["units", "stats", "replay", "run"]);
}

#[test]
fn allowed_uses_pass() {
    for (path, text) in [
        ("src/stats.rs", "use crate::units::Seconds;\nuse crate::stats::mean;"),
        ("src/stats.rs", "/// See [`crate::run::run`] and tch::Tensor.\nfn f() {} // crate::run\nlet torch_sys_x = 1;"),
        ("src/stats/mod.rs", "mod tests {\n    use super::*;\n}\npub(crate) fn f() { crate::some_macro!(); }"),
        ("src/stats/deep.rs", "use super::Estimate;\npub use crate::{stats::{Run, run}, units};"),
        ("src/replay/mod.rs", "use tch::Tensor;\nlet x = torch_sys::x;"),
        ("src/main.rs", "use gyro::run;\nuse crate::anything;"),
    ] {
        assert_eq!(judged(path, text), Vec::<String>::new(), "{path}: {text}");
    }
}

#[test]
fn planted_breaches_are_found() {
    for (path, text, expected) in [
        ("src/units.rs", "use crate::stats::mean;", "uses stats, which stands below units"),
        ("src/units/deep/er.rs", "    let x = crate::run::go();", "uses run, which stands below units"),
        (
            "src/stats.rs",
            "use crate::{\n    units::{Seconds, Tokens},\n    run,\n};",
            "uses run, which stands below stats",
        ),
        ("src/stats.rs", "use crate::{run::{self, x}};", "uses run, which stands below stats"),
        ("src/stats.rs", "use crate::gone::x;", "uses crate::gone, which is no module of lib.rs"),
        ("src/stray.rs", "", "stray is not in lib.rs"),
        ("src/units.rs", "pub use super::run;", "reaches the crate's root by super, not by crate"),
        ("src/units/mod.rs", "use super::run;", "reaches the crate's root by super, not by crate"),
        ("src/units/deep.rs", "use super::super::run;", "reaches the crate's root by super, not by crate"),
        ("src/main.rs", "use tch::Tensor;", "names tch, which only src/replay/ may"),
        ("src/run.rs", "let x: ::polars::Frame;", "names polars, which only src/baselines/ may"),
        ("src/run.rs", "use plotters as p;", "names plotters, which only src/reports/charts may"),
        ("src/run.rs", "fn f(e: serde_yaml::Error) {}", "names serde_yaml, which only src/scenario/ may"),
    ] {
        assert_eq!(judged(path, text), [format!("{path}: {expected}")], "{text}");
    }
    assert_eq!(judged("src/run.rs", &"\n".repeat(501)), ["src/run.rs: 501 lines, at most 500"]);
    assert_eq!(judged("src/run.rs", &"\n".repeat(500)), Vec::<String>::new());
}
