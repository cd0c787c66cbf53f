//! `gyro identify`: what an engine really runs, from its observed outputs.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use crate::baselines;
use crate::checkpoint::Architecture;
use crate::identify::{self, Candidate, Identification, Oracle, Question};
use crate::observed::{self, Observation, Precision};
use crate::reports;
use crate::units::Seconds;

/// What the user asked of `gyro identify`.
#[derive(Clone, Debug)]
pub struct Inquiry {
    /// The file of observed outputs.
    pub observed: PathBuf,
    /// The configuration that was meant.
    pub declared: Candidate,
    /// How long it may take; absent: as long as it takes.
    pub budget: Option<Seconds>,
    /// Where the files go; absent: `reports/identify/<name of the observed file>`.
    pub out: Option<PathBuf>,
}

/// Identifies what an engine runs and writes `identification.json` and the page; returns the findings and the folder.
///
/// `examine` makes the oracle from the precision that the engine computes in.
///
/// # Errors
/// Observed outputs that cannot be used, a failing replay, a folder that cannot be written.
pub fn identify(
    inquiry: &Inquiry,
    architecture: &Architecture,
    examine: impl FnOnce(Option<Precision>) -> anyhow::Result<Box<dyn Oracle>>,
) -> anyhow::Result<(Identification, PathBuf)> {
    let observations = observed::read(&inquiry.observed, architecture.vocabulary)?;
    within_window(architecture, &observations)?;
    let mut oracle = examine(identify::precision(&observations))?;
    let question = Question { observations: &observations, declared: inquiry.declared.clone(), budget: inquiry.budget };
    let found = identify::identify(oracle.as_mut(), &question)?;
    let stem = inquiry.observed.file_stem().unwrap_or_default();
    let dir = inquiry.out.clone().unwrap_or_else(|| Path::new("reports/identify").join(stem));
    let title = inquiry.observed.file_name().unwrap_or_default().to_string_lossy().into_owned();
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot write {}", dir.display()))?;
    for page in reports::identification(&title, &found, &inquiry.declared, oracle.heads())? {
        baselines::write_page(&dir, &page.path, &page.bytes)?;
    }
    Ok((found, dir))
}

/// Refuses requests beyond a checkpoint's own window: hypotheses are replayed with every key in sight, and an engine that keeps
/// the window would be called wrong.
fn within_window(architecture: &Architecture, observations: &[Observation]) -> anyhow::Result<()> {
    let Some(window) = architecture.window else { return Ok(()) };
    let longest = observations.iter().map(|observation| observation.tokens.len()).max().unwrap_or_default();
    ensure!(
        longest <= window,
        "the checkpoint has a sliding window of {window} tokens and a request has {longest}: what an engine does beyond its \
         window is not identified\nhint: record requests of at most {window} tokens"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::checkpoint::Config;

    #[test]
    fn requests_beyond_a_checkpoints_window_are_refused() {
        let mut architecture = Config::read(Path::new("models/reference/rope-2k")).unwrap().architecture;
        let request = Observation { tokens: vec![1; 9], logprobs: Vec::new(), phase: None, batch: None, dtype: None };
        let requests = [request];
        assert!(within_window(&architecture, &requests).is_ok(), "it has none");
        architecture.window = Some(9);
        assert!(within_window(&architecture, &requests).is_ok());
        architecture.window = Some(8);
        let error = within_window(&architecture, &requests).unwrap_err().to_string();
        assert!(error.contains("window of 8 tokens and a request has 9") && error.contains("hint:"), "{error}");
    }
}
