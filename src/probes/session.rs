//! One subject over one document, with the costly forward done at most once.

use std::rc::Rc;

use crate::scenario::{ProbeName, Sizes};
use crate::subject::{Scores, Subject, SubjectError, Window};
use crate::text::Document;
use crate::units::Tokens;

/// How much of what came before a token may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// Everything before it.
    Whole,
    /// At most the trained length: windows of that length, advanced by half of it.
    Truncated,
}

/// What is measured and how much of it; the same for every cell of a run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The probes that were asked for.
    pub probes: Vec<ProbeName>,
    /// How much each measures.
    pub sizes: Sizes,
    /// The length that the checkpoint was trained at.
    pub trained: Tokens,
    /// What a token may see.
    pub context: Context,
}

/// One subject over one document.
pub struct Session<'a> {
    subject: &'a mut dyn Subject,
    document: &'a Document,
    index: u32,
    plan: &'a Plan,
    whole: Option<Rc<Scores>>,
}

impl<'a> Session<'a> {
    /// A session over the document of that index.
    pub fn new(subject: &'a mut dyn Subject, document: &'a Document, index: u32, plan: &'a Plan) -> Self {
        Self { subject, document, index, plan, whole: None }
    }

    /// What is measured.
    #[must_use]
    pub fn plan(&self) -> &'a Plan {
        self.plan
    }

    /// The document.
    #[must_use]
    pub fn document(&self) -> &'a Document {
        self.document
    }

    /// The document's index, which pairs its readings across cells.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.index
    }

    /// The subject itself.
    pub fn subject(&mut self) -> &mut dyn Subject {
        self.subject
    }

    /// The score of every token of the document after the first, in the plan's context.
    ///
    /// # Errors
    /// [`SubjectError`] when the subject fails.
    pub fn whole(&mut self) -> Result<Rc<Scores>, SubjectError> {
        if let Some(scores) = &self.whole {
            return Ok(Rc::clone(scores));
        }
        let scores = Rc::new(match self.plan.context {
            Context::Whole => self.score(0, self.document.tokens.len())?,
            Context::Truncated => self.truncated()?,
        });
        self.whole = Some(Rc::clone(&scores));
        Ok(scores)
    }

    fn score(&mut self, from: usize, to: usize) -> Result<Scores, SubjectError> {
        let tokens = self.document.tokens.get(from..to).unwrap_or_default();
        let window = Window { tokens, first_position: Tokens(0) };
        Ok(self.subject.score(&[window])?.pop().unwrap_or_default())
    }

    /// Windows of the trained length, each starting at position 0; after the first only the second half is kept, so that
    /// every kept token has at least half of the trained length before it.
    fn truncated(&mut self) -> Result<Scores, SubjectError> {
        let (length, window) = (self.document.tokens.len(), self.plan.trained.0.max(2));
        let step = (window / 2).max(1);
        let mut all = self.score(0, window.min(length))?;
        let mut end = window.min(length);
        while end < length {
            let next = (end + step).min(length);
            let scores = self.score(next - window, next)?;
            let keep = next - end;
            let skip = scores.is_top.len().saturating_sub(keep);
            all.log_probability.extend(scores.log_probability.iter().skip(skip));
            all.is_top.extend(scores.is_top.iter().skip(skip));
            end = next;
        }
        Ok(all)
    }
}
