//! The audit of what is deployed, before anything runs.

use crate::audit::{Served, audit, audit_described, audit_written};
use crate::checkpoint::{Config, Written};
use crate::findings::{AuditFinding, Severity};
use crate::scenario::Scenario;

/// What the checkpoint's files and the deployment say, and where they contradict each other.
///
/// # Errors
/// Where a `config.json` cannot be read.
pub(super) fn of(scenario: &Scenario) -> anyhow::Result<Vec<AuditFinding>> {
    // The checkpoint itself is served in another form than its own, so that only contradictions within it count.
    let mut findings = audit(&scenario.checkpoint, Served::default())?.findings;
    match &scenario.deployed_config {
        None => {
            let (method, factor) = &scenario.deployed;
            findings.extend(audit_described(method, *factor, scenario.trained, scenario.target));
        }
        Some(path) => {
            let config = Written::read(path)?;
            let served = Served { target: Some(scenario.target), factor: None };
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            let of_deployment = audit_written(&config, None, served).findings.into_iter();
            findings.extend(of_deployment.map(|finding| AuditFinding { file: format!("deployed {file}"), ..finding }));
            findings.extend(other_heads(scenario, &config, &file)?);
        }
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    Ok(findings)
}

/// Heads that the deployment's configuration describes otherwise than the weights' own.
fn other_heads(scenario: &Scenario, config: &Written, file: &str) -> anyhow::Result<Option<AuditFinding>> {
    let (deployed, trained) = (config.positions()?.heads, Config::read(&scenario.checkpoint)?.heads);
    let differences: Vec<(&str, f64, f64)> = [
        ("rope_theta", deployed.theta, trained.theta),
        ("partial_rotary_factor", deployed.rotary_dim as f64, trained.rotary_dim as f64),
        ("head_dim", deployed.head_dim as f64, trained.head_dim as f64),
        ("num_attention_heads", deployed.heads as f64, trained.heads as f64),
    ]
    .into_iter()
    .filter(|(_, deployed, trained)| deployed != trained)
    .collect();
    let Some((key, _, _)) = differences.first() else { return Ok(None) };
    let said: Vec<String> =
        differences.iter().map(|(key, ours, theirs)| format!("{key} {ours} for {theirs}")).collect();
    Ok(Some(AuditFinding {
        severity: Severity::Error,
        check: "other_heads".to_owned(),
        file: format!("deployed {file}"),
        line: config.line(key).or_else(|| config.line(&format!("rope_parameters.{key}"))),
        key: (*key).to_owned(),
        meaning: format!(
            "the deployment's configuration describes other heads than the weights' own: {}; the replay runs the weights' own, \
             but for a base without a scaling",
            said.join(", ")
        ),
        instead: "what the checkpoint's own config.json says".to_owned(),
        known: Vec::new(),
    }))
}
