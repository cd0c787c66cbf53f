//! The retrofit as deployed: written in the scenario, or read from the deployment's own `config.json`.

use std::path::{Path, PathBuf};

use super::check::Check;
use super::error::Place;
use super::explain::missing;
use super::written::{Retrofit, Written};
use crate::checkpoint::{self, Config, Positions};
use crate::positions::{AnyMethod, Rope};
use crate::units::Stretch;

/// What is deployed, and the file that says so, if one does.
pub(super) struct Deployed {
    pub(super) retrofit: (AnyMethod, Stretch),
    pub(super) config: Option<PathBuf>,
}

/// Reads the retrofit; where it is missing or contradicts itself, notes the mistakes.
pub(super) fn read(check: &mut Check<'_>, written: &Written) -> Deployed {
    let Retrofit { method, factor, config, .. } = &written.deployed;
    let as_written = || (method.clone().unwrap_or_else(AnyMethod::unscaled), factor.map_or(Stretch::ONE, Stretch));
    let Some(file) = config else {
        for (key, is_missing) in [("method", method.is_none()), ("factor", factor.is_none())] {
            if is_missing {
                check.note(missing(check.source, "deployed", key, Place::START));
            }
        }
        return Deployed { retrofit: as_written(), config: None };
    };
    let folder = check.source.path().parent().unwrap_or(Path::new(""));
    let path = folder.join(file);
    let positions = match checkpoint::Written::read(&path).and_then(|config| config.positions()) {
        Ok(positions) => positions,
        Err(error) => {
            let text = error.to_string();
            let (what, hint) = text.split_once("\nhint: ").unwrap_or((&text, "`gyro audit` says more of it"));
            check.wrong("deployed.config", what, "a `config.json` whose positions can be read", hint);
            return Deployed { retrofit: as_written(), config: None };
        }
    };
    let retrofit = declared(&positions, &folder.join(&written.checkpoint));
    conflicts(check, written, file, &positions, &retrofit);
    Deployed { retrofit, config: Some(path) }
}

/// What the configuration declares. Another base than the checkpoint's, without a scaling, is RoPE with that base.
fn declared(positions: &Positions, checkpoint: &Path) -> (AnyMethod, Stretch) {
    let theta = positions.heads.theta;
    let native = Config::read(checkpoint).map_or(theta, |config| config.heads.theta);
    if positions.declared.0 == AnyMethod::unscaled() && theta != native {
        return (AnyMethod::Rope(Rope { theta: Some(theta) }), Stretch::ONE);
    }
    positions.declared.clone()
}

/// Notes what the scenario says otherwise than the configuration.
fn conflicts(
    check: &mut Check<'_>,
    written: &Written,
    file: &str,
    positions: &Positions,
    (method, factor): &(AnyMethod, Stretch),
) {
    let remove = "remove it here, or correct the file: `config` alone says what is deployed";
    if let Some(other) = written.deployed.method.as_ref().filter(|other| *other != method) {
        let what = format!("the scenario says `{}`, and `{file}` says `{}`", other.label(), method.label());
        check.wrong("deployed.method", what, format!("`{}`, or no method", method.label()), remove);
    }
    if let Some(other) = written.deployed.factor.filter(|other| *other != factor.0) {
        let what = format!("the scenario says factor {other}, and `{file}` says {factor}");
        check.wrong("deployed.factor", what, format!("{factor}, or no factor"), remove);
    }
    // Without an original length the file knows only the longest, which may be the stretched one.
    let trained = positions.heads.trained;
    if trained != positions.max_positions && trained.0 != written.trained {
        let what = format!("the scenario says {} trained tokens, and `{file}` says {}", written.trained, trained.0);
        check.wrong("trained", what, format!("`{}`", trained.0), "correct one of the two");
    }
}
