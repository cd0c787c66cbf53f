//! A cell of the experiment: method, factor and condition.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::faults::AnyFault;
use crate::positions::{AnyMethod, Method};
use crate::units::{Stretch, Tokens};

/// The identity of a cell: a hash of its canonical text, stable across runs and machines.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CellId(pub String);

impl fmt::Display for CellId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a cell is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// A cell of the grid: the method at the factor, in one shot over the whole text.
    Grid,
    /// The reference beyond the trained length: the unscaled model with its context truncated to that length.
    Truncated,
    /// Times of the deployed model and of the reference, measured in turns; its rows are shared out by
    /// [`with_latency`](super::with_latency).
    Latency,
    /// The parity battery: the deployed engine beside the healthy replay of the same method and factor.
    Parity,
    /// A replay with faults that the deployed engine is suspected of, beside the deployed engine.
    Hypothesis,
}

/// One combination of method, factor and implementation condition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The positional method with its parameters.
    pub method: AnyMethod,
    /// The stretch; a cell at 1 is the unscaled model, whatever its method.
    pub factor: Stretch,
    /// Whether this is a cell of the grid or the truncated reference.
    pub arm: Arm,
    /// Tokens of training under this method and factor before the measurement; 0 leaves the weights as they are.
    #[serde(default, skip_serializing_if = "is_none")]
    pub adapted: Tokens,
    /// The implementation faults that the engine has; none in a healthy one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<AnyFault>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for this form")]
fn is_none(tokens: &Tokens) -> bool {
    tokens.0 == 0
}

impl Cell {
    /// A cell of the grid; a scaling at factor 1 is the unscaled model and becomes that one cell.
    #[must_use]
    pub fn grid(method: AnyMethod, factor: Stretch) -> Self {
        if factor == Stretch::ONE && method.is_unscaled_at_one() || method == AnyMethod::unscaled() {
            return Self::of(AnyMethod::unscaled(), Stretch::ONE);
        }
        Self::of(method, factor)
    }

    fn of(method: AnyMethod, factor: Stretch) -> Self {
        Self { method, factor, arm: Arm::Grid, adapted: Tokens(0), faults: Vec::new() }
    }

    /// The same cell in an engine with these faults, and no others.
    #[must_use]
    pub fn under(self, faults: Vec<AnyFault>) -> Self {
        Self { faults, ..self }
    }

    /// The same cell after so many tokens of adaptation.
    #[must_use]
    pub fn after(self, adapted: Tokens) -> Self {
        Self { adapted, ..self }
    }

    /// The healthy reference at short range: the unscaled model.
    #[must_use]
    pub fn unscaled() -> Self {
        Self::grid(AnyMethod::unscaled(), Stretch::ONE)
    }

    /// The healthy reference beyond the trained length: unscaled, context truncated to the trained length.
    #[must_use]
    pub fn truncated() -> Self {
        Self { arm: Arm::Truncated, ..Self::unscaled() }
    }

    /// The timing of this cell against the unscaled model.
    #[must_use]
    pub fn latency(&self) -> Self {
        Self { arm: Arm::Latency, ..self.clone() }
    }

    /// The same cell without faults.
    #[must_use]
    pub fn healthy(&self) -> Self {
        self.clone().under(Vec::new())
    }

    /// The parity battery of this cell.
    #[must_use]
    pub fn parity(&self) -> Self {
        Self { arm: Arm::Parity, ..self.clone() }
    }

    /// The hypothesis that the deployed engine has these faults.
    #[must_use]
    pub fn hypothesis(&self, faults: Vec<AnyFault>) -> Self {
        Self { arm: Arm::Hypothesis, faults, ..self.clone() }
    }

    /// The condition's name as it appears in `findings.json`: `healthy`, or the faults' names joined by `+`.
    #[must_use]
    pub fn condition(&self) -> String {
        match self.arm {
            Arm::Grid => self.faults_or("healthy"),
            Arm::Truncated => "truncated_context".to_owned(),
            Arm::Latency => "latency".to_owned(),
            Arm::Parity => format!("{} beside its healthy replay", self.faults_or("healthy")),
            Arm::Hypothesis => format!("{} as a hypothesis", self.faults_or("healthy")),
        }
    }

    fn faults_or(&self, healthy: &str) -> String {
        if self.faults.is_empty() {
            return healthy.to_owned();
        }
        self.faults.iter().map(AnyFault::label).collect::<Vec<_>>().join("+")
    }

    /// The text that identifies the cell: `yarn{..} x4 healthy`.
    #[must_use]
    pub fn canonical(&self) -> String {
        let method = serde_json::to_string(&self.method).unwrap_or_else(|_| self.method.name().to_owned());
        let adapted = if is_none(&self.adapted) { String::new() } else { format!(" adapted {}", self.adapted.0) };
        // Times of a faulty engine are no others' times.
        let timed = if self.arm == Arm::Latency { self.faults_or("") } else { String::new() };
        format!("{method} x{} {}{timed}{adapted}", self.factor, self.condition())
    }

    /// The first 12 hexadecimal digits of the BLAKE3 hash of [`Cell::canonical`].
    #[must_use]
    pub fn id(&self) -> CellId {
        CellId(blake3::hash(self.canonical().as_bytes()).to_hex()[..12].to_owned())
    }

    /// The cell without its factor, which is its row in a table of factors: `yarn`, `yarn (adapted 400,000 tokens)`.
    #[must_use]
    pub fn row(&self) -> String {
        row(&self.method.label(), self.adapted)
    }

    /// A short label for people: `yarn x4`, `none`, `none, truncated context`.
    #[must_use]
    pub fn label(&self) -> String {
        let label = label(&self.method.label(), self.adapted, self.factor);
        let label = if self.faults.is_empty() { label } else { format!("{label} under {}", self.faults_or("")) };
        match self.arm {
            Arm::Grid => label,
            Arm::Truncated => format!("{label}, truncated context"),
            Arm::Latency => format!("latency of {label}"),
            Arm::Parity => format!("parity of {label}"),
            Arm::Hypothesis => format!("hypothesis: {label}"),
        }
    }
}

/// A method after so many tokens of adaptation.
fn row(method: &str, adapted: Tokens) -> String {
    if is_none(&adapted) { method.to_owned() } else { format!("{method} (adapted {adapted} tokens)") }
}

/// How a method, its adaptation and its factor are written for people, wherever they stand.
#[must_use]
pub fn label(method: &str, adapted: Tokens, factor: Stretch) -> String {
    let row = row(method, adapted);
    if factor == Stretch::ONE { row } else { format!("{row} x{factor}") }
}

/// A cell's label as a sentence says it: `none` would be read as nobody, or as nothing to deploy.
#[must_use]
pub fn spoken(label: &str) -> String {
    let rest = label.strip_prefix("none").filter(|rest| rest.is_empty() || rest.starts_with([' ', ',']));
    rest.map_or_else(|| label.to_owned(), |rest| format!("unscaled{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_scaling_is_said_as_unscaled_and_no_other_label_is_touched() {
        for (label, said) in [
            ("none", "unscaled"),
            ("none (adapted 131,072 tokens)", "unscaled (adapted 131,072 tokens)"),
            ("nope", "nope"),
            ("ntk x4", "ntk x4"),
        ] {
            assert_eq!(spoken(label), said);
        }
    }
}
