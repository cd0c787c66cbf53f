//! Retrieval: recall of facts by distance, and by their depth in the document.

use super::{Probe, Session};
use crate::measurement::{Place, Quantity, Reading};
use crate::scenario::ProbeName;
use crate::subject::{Scores, SubjectError};
use crate::text::{Question, distance_bins};

/// The retrieval probe.
pub(super) struct Retrieval;

/// Parts of equal length that a document's depth is told in.
const DEPTHS: usize = 4;

impl Probe for Retrieval {
    fn name(&self) -> ProbeName {
        ProbeName::Retrieval
    }

    fn summary(&self) -> &'static str {
        "recall of random facts by distance to the question and by depth in the document"
    }

    fn reads_truncated(&self) -> bool {
        true
    }

    fn read(&self, session: &mut Session<'_>) -> Result<Vec<Reading>, SubjectError> {
        let scores = session.whole()?;
        let document = session.document();
        let length = document.tokens.len();
        let row = |probe: &str, at: Place, questions: &[&Question]| {
            let right = questions.iter().filter(|question| is_right(question, &scores)).count();
            (!questions.is_empty()).then(|| Reading {
                quantity: Quantity::Recall,
                probe: probe.to_owned(),
                protocol: format!("retrieval/1 length={length} answer=all-tokens-top1 forced=teacher"),
                document: session.index(),
                repeat: 0,
                at,
                value: right as f64 / questions.len() as f64,
                count: questions.len() as u32,
            })
        };
        let mut readings = Vec::new();
        for bin in distance_bins(length) {
            let asked: Vec<&Question> =
                document.questions.iter().filter(|question| bin.contains(&question.distance())).collect();
            let at =
                Place { distance_from: Some(bin.start as u32), distance_to: Some(bin.end as u32), ..Place::default() };
            readings.extend(row("retrieval", at, &asked));
        }
        for depth in 0..DEPTHS {
            let bin = depth * length / DEPTHS..(depth + 1) * length / DEPTHS;
            let asked: Vec<&Question> =
                document.questions.iter().filter(|question| bin.contains(&question.fact)).collect();
            let at = Place { depth: Some((depth as f64 + 0.5) / DEPTHS as f64), ..Place::default() };
            readings.extend(row("retrieval_by_depth", at, &asked));
        }
        Ok(readings)
    }
}

/// Whether every token of the answer is the most likely one, given the right tokens before it.
fn is_right(question: &Question, scores: &Scores) -> bool {
    // Score `i` is of token `i + 1`.
    question.answer.clone().all(|at| at > 0 && scores.is_top.get(at - 1).copied().unwrap_or(false))
}
