//! How much may still be asked.

use std::time::Instant;

use super::oracle::{Configuration, Hypothesis, Oracle, Prompt};
use crate::positions::HeadShape;
use crate::subject::SubjectError;
use crate::units::Seconds;

/// An oracle with a clock: it knows what a token costs, and when the time is up.
pub(super) struct Metered<'a> {
    oracle: &'a mut dyn Oracle,
    begun: Instant,
    limit: Option<Seconds>,
    tokens: usize,
    seconds: f64,
}

impl<'a> Metered<'a> {
    pub(super) fn new(oracle: &'a mut dyn Oracle, limit: Option<Seconds>) -> Self {
        Self { oracle, begun: Instant::now(), limit, tokens: 0, seconds: 0.0 }
    }

    /// Whether so many tokens can still be scored in time.
    pub(super) fn affords(&self, tokens: usize) -> bool {
        let Some(limit) = self.limit else { return true };
        let each = if self.tokens == 0 { 0.0 } else { self.seconds / self.tokens as f64 };
        self.begun.elapsed().as_secs_f64() + each * tokens as f64 <= limit.0
    }
}

impl Oracle for Metered<'_> {
    fn heads(&self) -> &HeadShape {
        self.oracle.heads()
    }

    fn learned(&self) -> Option<Vec<f64>> {
        self.oracle.learned()
    }

    fn resolution(&self) -> f64 {
        self.oracle.resolution()
    }

    fn score(&mut self, hypothesis: Hypothesis<'_>, prompts: &[Prompt<'_>]) -> Result<Vec<Vec<f64>>, SubjectError> {
        let clock = Instant::now();
        let answer = self.oracle.score(hypothesis, prompts)?;
        self.seconds += clock.elapsed().as_secs_f64();
        self.tokens += prompts.iter().map(|prompt| prompt.upto).sum::<usize>();
        Ok(answer)
    }

    fn slopes(
        &mut self,
        configuration: &Configuration,
        prompts: &[Prompt<'_>],
    ) -> Result<Option<Vec<Vec<Vec<f64>>>>, SubjectError> {
        let clock = Instant::now();
        let answer = self.oracle.slopes(configuration, prompts)?;
        if answer.is_some() {
            // A pass back for each token of a prompt costs about as much as scoring the prompt.
            self.seconds += clock.elapsed().as_secs_f64();
            self.tokens += prompts.iter().map(|prompt| prompt.upto.pow(2)).sum::<usize>();
        }
        Ok(answer)
    }
}
