//! The same state measured several times, to learn how large its tolerances must be.

use std::path::Path;

use super::{Request, diagnose, gate::side_of};
use crate::baselines::{self, Calibration, is_finished};
use crate::findings::Question;
use crate::scenario::Scenario;
use crate::subject::Engine;

/// Measures the deployed cell and its references `repeats` times, each into a folder of its own below `out`, and compares
/// every measurement with every other one. Those that are finished already are not measured again.
///
/// # Errors
/// Whatever keeps a run from ending.
pub fn repeats<E: Engine>(
    request: &Request,
    out: &Path,
    repeats: usize,
    load: impl Fn(&Scenario) -> anyhow::Result<E>,
) -> anyhow::Result<Calibration> {
    let request = Request { questions: Some(Question::ALL.to_vec()), baseline: None, ..request.clone() };
    let scenario = super::scenario_of(&request)?;
    let identity = super::fingerprint::Identity::of(&scenario, &request.device, request.threads)?;
    let mut runs = Vec::new();
    for repeat in 0..repeats {
        let dir = out.join(repeat.to_string());
        runs.push(if is_finished(&dir, &identity.fingerprint()) {
            super::load(&dir)?
        } else {
            eprintln!("repeat {} of {repeats}", repeat + 1);
            diagnose(&Request { out: Some(dir), ..request.clone() }, &load)?
        });
    }
    let deployed = scenario.deployed_cell().id();
    let machines: Vec<String> = runs.iter().map(|run| run.provenance.machine_words()).collect();
    let sides: Vec<_> = runs
        .iter()
        .zip(&machines)
        .map(|(run, machine)| side_of(&run.cells, &deployed, &run.provenance, machine))
        .collect();
    Ok(baselines::calibrate(&sides, scenario.trained, &scenario.tolerance))
}
