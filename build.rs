//! Tells the program where libtorch lies and from which commit it was built.

use std::env;
use std::path::Path;
use std::process::Command;

/// What the commit must describe: a change anywhere else does not change the program.
const COMPILED: [&str; 4] = ["src", "Cargo.toml", "Cargo.lock", "build.rs"];

fn main() {
    find_libtorch_at_start();
    for path in COMPILED {
        println!("cargo::rerun-if-changed={path}");
    }
    println!("cargo::rustc-env=GYRO_COMMIT={}", commit().unwrap_or_else(|| "unknown".to_owned()));
    let variable = |name| env::var(name).unwrap_or_else(|_| "unknown".to_owned());
    println!("cargo::rustc-env=GYRO_TARGET={}", variable("TARGET"));
    println!("cargo::rustc-env=GYRO_PROFILE={}, opt-level {}", variable("PROFILE"), variable("OPT_LEVEL"));
}

/// Writes libtorch's folder into the programs, tests and benches, so that they start without `LD_LIBRARY_PATH`.
///
/// The folder is the symbolic link that the set-up makes: when it moves from the CPU's libraries to CUDA's, nothing is
/// built again.
fn find_libtorch_at_start() {
    if env::var_os("CARGO_CFG_UNIX").is_none() {
        return;
    }
    // Set by torch-sys (`links = "tch"`) because it is a direct dependency; absent without the feature.
    if let Ok(folder) = env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
    }
}

/// The commit of this checkout, with `-dirty` where the compiled files differ from it; nothing outside of git.
fn commit() -> Option<String> {
    // A copy inside of someone else's repository is not described by that repository's commits.
    if !git(&["rev-parse", "--show-prefix"])?.is_empty() {
        return None;
    }
    watch_commits();
    let commit = git(&["rev-parse", "HEAD"])?;
    let mut status = vec!["status", "--porcelain", "--"];
    status.extend(COMPILED);
    let dirty = if git(&status)?.is_empty() { "" } else { "-dirty" };
    Some(format!("{commit}{dirty}"))
}

/// Has cargo ask again after a commit or a checkout.
fn watch_commits() {
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    for name in ["HEAD", "logs/HEAD", "packed-refs"].into_iter().chain(branch.as_deref()) {
        // A watched file that does not exist would make cargo build again every time.
        if let Some(path) = git(&["rev-parse", "--git-path", name])
            && Path::new(&path).exists()
        {
            println!("cargo::rerun-if-changed={path}");
        }
    }
}

/// What git prints, trimmed; nothing where git is missing or refuses.
fn git(arguments: &[&str]) -> Option<String> {
    // `status` would otherwise take the index's lock, which a git running elsewhere may want.
    let output = Command::new("git").arg("--no-optional-locks").args(arguments).output().ok()?;
    let text = output.status.success().then(|| String::from_utf8(output.stdout).ok())??;
    Some(text.trim().to_owned())
}
