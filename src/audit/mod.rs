//! `gyro audit`: what a checkpoint's files say before anything runs, and where they contradict each other or what is asked.
//!
//! Static and instant: no weights are loaded and no libtorch is needed. A check is one file here and one line in
//! `CHECKS`; it looks at a `Case` and returns findings, each with its key, the key's line, what it means, what to write
//! instead and the public threads about it.

mod attention_factor;
mod case;
mod dynamic_factor;
mod factor_ratio;
mod head_width;
mod llama3;
mod longrope;
mod missing_original;
mod misspelt_keys;
mod no_scaling;
mod partial_rotation;
mod readable;
mod repeated_keys;
mod sliding_window;
mod table_length;
mod tensors;
mod text;
mod theta_fallback;
mod tokenizer;
mod two_lengths;
mod two_scalings;
mod two_thetas;
mod two_types;
mod unread_keys;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::checkpoint::{CheckpointError, Written};
use crate::findings::{AuditFinding, Severity};
use crate::positions::{AnyMethod, Mechanism, Method, fingerprint};
use crate::units::{Stretch, Tokens};

use case::Case;

pub use text::text;

/// One check: what it finds in a case.
type Check = fn(&Case<'_>) -> Vec<AuditFinding>;

/// Every check with its name, which is that of its file; findings of one weight keep this order.
const CHECKS: &[(&str, Check)] = &[
    ("readable", readable::check),
    ("repeated_keys", repeated_keys::check),
    ("two_scalings", two_scalings::check),
    ("two_types", two_types::check),
    ("two_thetas", two_thetas::check),
    ("two_lengths", two_lengths::check),
    ("no_scaling", no_scaling::check),
    ("missing_original", missing_original::check),
    ("factor_ratio", factor_ratio::check),
    ("table_length", table_length::check),
    ("sliding_window", sliding_window::check),
    ("theta_fallback", theta_fallback::check),
    ("partial_rotation", partial_rotation::check),
    ("attention_factor", attention_factor::check),
    ("dynamic_factor", dynamic_factor::check),
    ("longrope", longrope::check),
    ("llama3", llama3::check),
    ("unread_keys", unread_keys::check),
    ("misspelt_keys", misspelt_keys::check),
    ("head_width", head_width::check),
    ("tensors", tensors::check),
    ("tokenizer", tokenizer::check),
];

/// What the checkpoint is to serve; what is absent is taken from its own files.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Served {
    /// The context length to serve.
    pub target: Option<Tokens>,
    /// The factor that the deployment means to run.
    pub factor: Option<Stretch>,
}

/// What the audit found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Audit {
    /// The configuration that was read.
    pub config: PathBuf,
    /// Heaviest first.
    pub findings: Vec<AuditFinding>,
    /// What a healthy engine makes of the files; absent where they declare no rotation or bias that can be applied.
    pub effective: Option<Effective>,
}

/// What a healthy engine applies.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Effective {
    /// The method with its parameters.
    pub method: String,
    /// Its factor.
    pub factor: Stretch,
    /// The base of the rotary frequencies.
    pub theta: f64,
    /// How many of a head's dimensions rotate, and how many there are.
    pub rotated: [usize; 2],
    /// The trained length.
    pub trained: Tokens,
    /// What multiplies cosine and sine; absent where nothing rotates.
    pub attention_factor: Option<f64>,
    /// The mechanism's fingerprint at a length, once for all lengths at which it is the same.
    pub fingerprints: Vec<(Tokens, String)>,
}

impl Audit {
    /// 1 where something contradicts, else 0.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        u8::from(self.count(Severity::Error) > 0)
    }

    /// How many findings have a weight.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

/// The names of all checks, in the order of the documentation.
pub fn checks() -> impl Iterator<Item = &'static str> {
    CHECKS.iter().map(|(name, _)| *name)
}

/// Audits a checkpoint's folder, or a `config.json` alone.
///
/// # Errors
/// [`CheckpointError::Read`] and [`CheckpointError::Json`] where `config.json` cannot be read; what it says is no error but
/// a finding.
pub fn audit(path: &Path, served: Served) -> Result<Audit, CheckpointError> {
    Ok(audit_written(&Written::read(path)?, Some(path).filter(|path| path.is_dir()), served))
}

/// Audits a configuration that was read before, with the files of a folder where there is one.
#[must_use]
pub fn audit_written(config: &Written, dir: Option<&Path>, served: Served) -> Audit {
    let positions = config.positions();
    let case = Case::new(config, dir, &positions, served);
    let mut findings: Vec<AuditFinding> = CHECKS
        .iter()
        .flat_map(|(name, check)| {
            let named = |finding| AuditFinding { check: (*name).to_owned(), ..finding };
            check(&case).into_iter().map(named).collect::<Vec<_>>()
        })
        .collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    Audit { config: config.path().to_owned(), findings, effective: effective(&case) }
}

/// Audits a retrofit that is described in words: its factor against the lengths.
#[must_use]
pub fn audit_described(method: &AnyMethod, factor: Stretch, trained: Tokens, target: Tokens) -> Vec<AuditFinding> {
    factor_ratio::described(method, factor, trained, target)
        .map(|finding| AuditFinding { check: "factor_ratio".to_owned(), ..finding })
        .into_iter()
        .collect()
}

/// What a healthy engine applies at the trained length and at the served one.
fn effective(case: &Case<'_>) -> Option<Effective> {
    let positions = case.positions?;
    let (method, factor) = &positions.declared;
    let heads = &positions.heads;
    let mechanism = |length| method.mechanism(heads, *factor, length).ok();
    let attention_factor = match mechanism(heads.trained)? {
        Mechanism::Rotate(rotation) => Some(rotation.attention_factor),
        Mechanism::Group(grouping) => Some(grouping.rotation.attention_factor),
        Mechanism::Nothing | Mechanism::Bias(_) | Mechanism::Add(_) => None,
    };
    let served = Tokens(case.target() as usize).max(heads.trained);
    let mut fingerprints: Vec<(Tokens, String)> = [heads.trained, served]
        .into_iter()
        .filter_map(|length| Some((length, fingerprint(&mechanism(length)?))))
        .collect();
    fingerprints.dedup_by(|a, b| a.1 == b.1);
    Some(Effective {
        method: method.label(),
        factor: *factor,
        theta: heads.theta,
        rotated: [heads.rotary_dim, heads.head_dim],
        trained: heads.trained,
        attention_factor,
        fingerprints,
    })
}
