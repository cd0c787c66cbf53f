//! `gyro diagnose` of an engine whose outputs are at hand: what it really runs takes the place of what was meant.

use std::path::Path;

use super::{Inquiry, identify};
use crate::ablation::{self, Evidence};
use crate::checkpoint::Config;
use crate::findings::Findings;
use crate::identify::{Candidate, Identification, Oracle, Verdict};
use crate::measurement::{Cell, Outcome, with_latency};
use crate::observed::Precision;
use crate::scenario::{self, Scenario};
use crate::units::Stretch;

/// How it is said, of a test and of a run, that nobody knows what the engine runs.
pub(super) const UNIDENTIFIED: &str = "what the engine runs is not identified: ";

/// What an engine was found to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The identification's sentence.
    pub sentence: String,
    /// The known configuration that it runs; absent where none agrees.
    pub running: Option<Candidate>,
}

/// Identifies what the engine of a scenario runs; nothing where the scenario has no outputs of it.
///
/// `examine` makes the oracle from the checkpoint's folder and the precision that the engine computes in.
///
/// # Errors
/// A scenario or outputs that cannot be used, or a failing replay.
pub fn identified(
    path: &Path,
    examine: impl FnOnce(&Path, Option<Precision>) -> anyhow::Result<Box<dyn Oracle>>,
) -> anyhow::Result<Option<Found>> {
    let scenario = scenario::load(path)?;
    let Some(observed) = scenario.observed.clone() else { return Ok(None) };
    let (method, factor) = scenario.deployed.clone();
    let declared = Candidate { method, factor, faults: scenario.conditions.clone() };
    let architecture = Config::read(&scenario.checkpoint)?.architecture;
    let inquiry = Inquiry { observed, declared, budget: None, out: None };
    let (found, _) = identify(&inquiry, &architecture, |precision| examine(&scenario.checkpoint, precision))?;
    Ok(Some(Found { running: running(&found), sentence: found.sentence }))
}

/// The configuration that agrees.
fn running(found: &Identification) -> Option<Candidate> {
    let matched = found.matched.as_ref().filter(|_| found.verdict != Verdict::Unknown)?;
    let (method, factor) = (matched.runs.clone(), Stretch(matched.factor));
    Some(Candidate { method, factor, faults: matched.conditions.clone() })
}

impl Found {
    /// The scenario with what runs in the place of what was meant.
    #[must_use]
    pub fn applied(&self, scenario: Scenario) -> Scenario {
        let Some(Candidate { method, factor, faults }) = self.running.clone() else { return scenario };
        scenario.running(method, factor, faults)
    }

    /// Why the engine compares with no baseline; nothing where it is known what it runs.
    pub(super) fn unidentified(&self) -> Option<String> {
        self.running.is_none().then(|| format!("{UNIDENTIFIED}{}", self.sentence))
    }

    /// Says what runs, and after what that costs what the meant configuration would cost.
    pub fn tell(&self, findings: &mut Findings, meant: &Scenario, cells: &[(Cell, Outcome)]) {
        findings.answer = format!("{} {}", self.sentence, findings.answer);
        if self.running.is_none() {
            findings.notes.push(format!("{UNIDENTIFIED}every number here is of what was meant, {}", findings.deployed));
        }
        let shared = with_latency(cells.to_vec());
        let as_meant = ablation::diagnose(&Evidence { scenario: meant, cells: &shared });
        if as_meant.deployed == findings.deployed {
            return;
        }
        let costs: Vec<String> = as_meant
            .verdicts
            .iter()
            .filter_map(|verdict| {
                let change = verdict.change.as_ref()?;
                let (words, amount) = (verdict.question.words(), ablation::amount(verdict.question, change));
                Some(format!("{words} by {amount} (n = {})", change.n))
            })
            .collect();
        if !costs.is_empty() {
            findings.answer.push_str(&format!(
                " What was meant, {}, would change {} against the reference.",
                as_meant.deployed,
                ablation::join(&costs.iter().map(String::as_str).collect::<Vec<_>>())
            ));
        }
    }
}
