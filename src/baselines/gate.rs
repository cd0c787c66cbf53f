//! The gate: what a run's comparison with its baseline comes to, after suspicions were measured again.

use serde::{Deserialize, Serialize};

use super::compare::{Test, compare};
use super::side::Side;
use crate::findings::{Question, Ruling, Verdict};
use crate::measurement::{Arm, Cell, Outcome};
use crate::scenario::Tolerance;
use crate::units::Tokens;

/// The version of `gate.json`.
pub const GATE: u32 = 1;

/// A run against its baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// [`GATE`].
    pub schema: u32,
    /// The scenario's name.
    pub scenario: String,
    /// The baseline's name, and when it was saved.
    pub baseline: String,
    /// When the baseline was saved, in UTC.
    pub saved: String,
    /// One test for each question, and for each timed quantity and length.
    pub tests: Vec<Test>,
    /// Cells that one side has and the other has not.
    pub cells: CellChanges,
    /// What differs between the two states, one sentence each.
    pub differences: Vec<String>,
    /// Questions that may not stay undecided.
    pub decide: Vec<Question>,
}

/// Cells that one side has and the other has not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellChanges {
    /// Measured now and not then.
    pub new: Vec<String>,
    /// Measured then and not part of this run.
    pub missing: Vec<String>,
    /// Measured then, and failed now, each with its reason.
    pub failed: Vec<String>,
}

/// The cells of a run that are not those of its baseline.
#[must_use]
pub fn cell_changes(baseline: &[(Cell, Outcome)], run: &[(Cell, Outcome)]) -> CellChanges {
    let grid = |cells: &[(Cell, Outcome)]| -> Vec<(Cell, Option<String>)> {
        // Which hypotheses an examination replays depends on what it finds: they are no part of the grid.
        let cells = cells.iter().filter(|(cell, _)| matches!(cell.arm, Arm::Grid | Arm::Truncated));
        cells
            .map(|(cell, outcome)| match outcome {
                Outcome::Measured(_) => (cell.clone(), None),
                Outcome::Failed { reason } => (cell.clone(), Some(reason.clone())),
            })
            .collect()
    };
    let (before, now) = (grid(baseline), grid(run));
    let find = |cells: &[(Cell, Option<String>)], wanted: &Cell| {
        cells.iter().find(|(cell, _)| cell == wanted).map(|(_, failure)| failure.clone())
    };
    let mut changes = CellChanges::default();
    for (cell, failure) in &before {
        match (failure, find(&now, cell)) {
            (None, None) => changes.missing.push(cell.label()),
            (None, Some(Some(reason))) => changes.failed.push(format!("{}: {reason}", cell.label())),
            _ => {}
        }
    }
    for (cell, failure) in &now {
        if failure.is_none() && !matches!(find(&before, cell), Some(None)) {
            changes.new.push(cell.label());
        }
    }
    changes
}

impl Gate {
    /// The questions that look worse.
    #[must_use]
    pub fn suspects(&self) -> Vec<Question> {
        let mut questions: Vec<Question> = self.worse().map(|test| test.verdict.question).collect();
        questions.dedup();
        questions
    }

    /// The tests that say worse.
    pub fn worse(&self) -> impl Iterator<Item = &Test> {
        self.tests.iter().filter(|test| test.verdict.ruling == Ruling::Worse)
    }

    /// Takes back every suspicion that a second measurement of the same cells does not share.
    ///
    /// `again` are the tests of the second measurement; `control` says of a question why its own null control (the
    /// unscaled arm, measured twice) fired.
    pub fn confirm(&mut self, again: &[Test], control: impl Fn(Question) -> Option<String>) {
        for test in self.tests.iter_mut().filter(|test| test.verdict.ruling == Ruling::Worse) {
            let second = again.iter().find(|other| other.asks_as(test));
            let doubt = match (control(test.verdict.question), second) {
                (Some(fired), _) => Some(fired),
                (None, None) => Some("the second measurement did not come to this question".to_owned()),
                (None, Some(second)) if second.verdict.ruling != Ruling::Worse => {
                    Some(format!("measured again it was {}", said(&second.verdict)))
                }
                (None, Some(second)) => {
                    test.again = Some(format!("confirmed: {}", said(&second.verdict)));
                    None
                }
            };
            if let Some(doubt) = doubt {
                test.again = Some(doubt.clone());
                test.verdict.ruling = Ruling::Undecided;
                test.verdict.why = Some(doubt);
            }
        }
    }

    /// What to know beside the tests, one sentence each: cells that changed, and, where something is worse, what differs.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let mut notes = self.cell_notes();
        if self.worse().next().is_some() {
            notes.extend(self.differences.iter().map(|difference| format!("changed since the baseline: {difference}")));
        }
        notes
    }

    /// Cells that are new, missing or failed, a sentence for each kind.
    #[must_use]
    pub fn cell_notes(&self) -> Vec<String> {
        let cells = &self.cells;
        [("new", &cells.new), ("missing", &cells.missing), ("failed", &cells.failed)]
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(what, names)| format!("{what} cells against baseline `{}`: {}", self.baseline, names.join(", ")))
            .collect()
    }

    /// The verdicts for `findings.json`: one for each question and quantity, the gravest of its lengths.
    #[must_use]
    pub fn verdicts(&self) -> Vec<Verdict> {
        let mut verdicts: Vec<Verdict> = Vec::new();
        for test in &self.tests {
            let mut verdict = test.verdict.clone();
            if let Some(length) = test.length {
                verdict.protocol = format!("{} tokens: {}", Tokens(length as usize), verdict.protocol);
            }
            let same = verdicts
                .iter_mut()
                .find(|other| other.question == verdict.question && other.quantity == verdict.quantity);
            match same {
                None => verdicts.push(verdict),
                Some(other) if weight(&verdict) > weight(other) => *other = verdict,
                Some(_) => {}
            }
        }
        verdicts
    }

    /// Leaves every test incomparable for one reason, whatever it found.
    pub fn leave_incomparable(&mut self, why: &str) {
        for test in &mut self.tests {
            let verdict = &mut test.verdict;
            verdict.ruling = Ruling::Incomparable;
            verdict.why = Some(why.to_owned());
            (verdict.change, verdict.deployed, verdict.reference) = (None, None, None);
            (test.p, test.begins, test.again) = (None, None, None);
        }
    }

    /// Whether a test leaves its question open: it compared nothing, or did not decide what must be decided.
    #[must_use]
    pub fn leaves_open(&self, test: &Test) -> bool {
        match test.verdict.ruling {
            // Nobody chose that; a scenario says what may stay undecided, and not what need not be compared.
            Ruling::Incomparable => true,
            Ruling::Undecided => self.decide.contains(&test.verdict.question),
            Ruling::Worse | Ruling::Better | Ruling::WithinNoise => false,
        }
    }

    /// 1 if anything is worse; else 2 if a test leaves its question open, there is none, or a cell is missing or failed;
    /// else 0.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let unjudged = self.tests.iter().any(|test| self.leaves_open(test));
        if self.worse().next().is_some() {
            1
        } else if unjudged || self.tests.is_empty() || !self.cells.missing.is_empty() || !self.cells.failed.is_empty() {
            2
        } else {
            0
        }
    }
}

/// Which of two verdicts on the same quantity is told: the ruling first, then how large the change is.
fn weight(verdict: &Verdict) -> (u8, f64) {
    let severity = match verdict.ruling {
        Ruling::Worse => 4,
        Ruling::Undecided => 3,
        Ruling::Incomparable => 2,
        Ruling::WithinNoise => 1,
        Ruling::Better => 0,
    };
    (severity, verdict.change.map_or(0.0, |change| change.point))
}

fn said(verdict: &Verdict) -> String {
    let ruling = verdict.ruling.words();
    verdict.change.map_or_else(
        || ruling.to_owned(),
        |c| format!("{ruling}: {:.4} [{:.4}, {:.4}] {}, n = {}", c.point, c.low, c.high, verdict.unit, c.n),
    )
}

/// Why a null control fired: the unscaled arm measured twice differs from itself; nothing where it is silent, or where
/// there is none.
#[must_use]
pub fn null_control(
    first: Side<'_>,
    second: Side<'_>,
    trained: Tokens,
    tolerance: &Tolerance,
    of: Question,
) -> Option<String> {
    let unscaled = Cell::unscaled().id();
    let arm = |side| Side { deployed: &unscaled, ..side };
    let tests = compare("itself", arm(first), arm(second), trained, tolerance);
    let test = tests.into_iter().find(|test| test.verdict.question == of && of != Question::Latency)?;
    matches!(test.verdict.ruling, Ruling::Worse | Ruling::Better).then(|| {
        format!(
            "the null control fired: the unscaled model measured twice differs from itself, {}",
            said(&test.verdict)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(question: Question, ruling: Ruling) -> Test {
        let verdict = Verdict {
            question,
            ruling,
            quantity: "nll".to_owned(),
            unit: "nats/token".to_owned(),
            against: "main".to_owned(),
            change: None,
            deployed: None,
            reference: None,
            tolerance: 0.02,
            protocol: String::new(),
            why: None,
        };
        Test { verdict, length: None, p: Some(0.5), begins: None, again: None }
    }

    fn gate(tests: Vec<Test>) -> Gate {
        Gate {
            schema: GATE,
            scenario: "s".to_owned(),
            baseline: "main".to_owned(),
            saved: "2026-03-01T09:05:00Z".to_owned(),
            tests,
            cells: CellChanges::default(),
            differences: Vec::new(),
            decide: vec![Question::ShortRange],
        }
    }

    #[test]
    fn what_was_not_compared_is_always_open_and_what_is_undecided_where_it_must_be_decided() {
        for (question, ruling, code) in [
            (Question::ShortRange, Ruling::Incomparable, 2),
            (Question::LongRange, Ruling::Incomparable, 2),
            (Question::ShortRange, Ruling::Undecided, 2),
            (Question::LongRange, Ruling::Undecided, 0),
            (Question::LongRange, Ruling::WithinNoise, 0),
            (Question::LongRange, Ruling::Worse, 1),
        ] {
            let gate = gate(vec![test(Question::ShortRange, Ruling::WithinNoise), test(question, ruling)]);
            assert_eq!(gate.exit_code(), code, "{question:?} {ruling:?}");
        }
        assert_eq!(gate(Vec::new()).exit_code(), 2, "a comparison of nothing is no pass");
    }

    #[test]
    fn a_gate_that_is_left_incomparable_suspects_nothing() {
        let mut gate = gate(vec![test(Question::ShortRange, Ruling::Worse), test(Question::LongRange, Ruling::Better)]);
        gate.leave_incomparable("nobody knows");
        assert!(gate.suspects().is_empty());
        assert_eq!(gate.exit_code(), 2);
        for test in &gate.tests {
            assert_eq!((test.verdict.ruling, test.p), (Ruling::Incomparable, None));
            assert_eq!(test.verdict.why.as_deref(), Some("nobody knows"));
        }
    }
}
