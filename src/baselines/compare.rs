//! A run against a baseline: paired by document, and only where both were measured in the same way.

use serde::{Deserialize, Serialize};

use super::side::Side;
use super::{quality, speed};
use crate::ablation::ruling;
use crate::findings::{Question, Ruling, Verdict};
use crate::scenario::Tolerance;
use crate::stats::{Estimate, Resamples, holm, paired_difference};
use crate::units::Tokens;

/// Corrected p-values from here on are no alarm; a single test's is below it exactly where its 95 % interval lies beyond the
/// tolerance ([`Resamples::p_above`]).
pub const ALPHA: f64 = 0.05;

/// One test of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test {
    /// What it says.
    pub verdict: Verdict,
    /// The context length in tokens; absent where documents are paired.
    pub length: Option<u32>,
    /// The p-value of a damage beyond the tolerance ([`Resamples::p_above`]), corrected for all tests (Holm); absent where nothing
    /// was compared.
    pub p: Option<f64>,
    /// The position from which on the damage lies beyond the tolerance, where it begins anywhere but at the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begins: Option<u32>,
    /// What a second measurement said of a suspicion; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<String>,
}

impl Test {
    /// What was tested, as one word for files: `short_range`, `decode@8192`.
    #[must_use]
    pub fn name(&self) -> String {
        let name = match self.verdict.question {
            Question::Latency => &self.verdict.quantity,
            question => question.name(),
        };
        self.length.map_or_else(|| name.to_owned(), |length| format!("{name}@{length}"))
    }

    /// What was tested, for people: `short range`, `decode at 8,192 tokens`, `decode in seconds`.
    #[must_use]
    pub fn words(&self) -> String {
        let quantity = &self.verdict.quantity;
        match (self.verdict.question, self.length) {
            (Question::Latency, Some(length)) => format!("{quantity} at {} tokens", Tokens(length as usize)),
            (Question::Latency, None) => quantity.replace('_', " in "),
            (question, _) => question.words().to_owned(),
        }
    }

    /// Whether the other test asks the same.
    pub(super) fn asks_as(&self, other: &Self) -> bool {
        self.verdict.question == other.verdict.question && self.name() == other.name()
    }
}

/// What two sides are compared by.
#[derive(Clone, Copy)]
pub(super) struct Comparison<'a> {
    pub(super) against: &'a str,
    pub(super) baseline: Side<'a>,
    pub(super) run: Side<'a>,
    pub(super) trained: Tokens,
    pub(super) tolerance: &'a Tolerance,
}

/// The tests of a run against the baseline called `against`, for everything that either side measured.
///
/// A damage is *worse* where the whole interval lies beyond the tolerance and the test stays significant after Holm's
/// correction over all of them. Latency is the ratio of the deployed cell to the unscaled cell of the same run, so that a
/// faster machine is no improvement; its change is the ratio of the two sides' ratios, at each length. Where both sides ran on
/// the same machine, absolute times are compared too. Blocks are not paired across runs, they are independent repeats, for
/// which pairing in order is as good as any.
#[must_use]
pub fn compare(against: &str, baseline: Side<'_>, run: Side<'_>, trained: Tokens, tolerance: &Tolerance) -> Vec<Test> {
    let comparison = Comparison { against, baseline, run, trained, tolerance };
    let mut tests: Vec<Test> = [Question::ShortRange, Question::LongRange, Question::Retrieval]
        .into_iter()
        .filter_map(|question| quality::test(&comparison, question))
        .collect();
    tests.extend(speed::tests(&comparison));
    correct(&mut tests);
    tests
}

impl Comparison<'_> {
    /// A test that is incomparable until shown otherwise.
    pub(super) fn open(&self, question: Question, quantity: &str, unit: &str, tolerance: f64) -> Test {
        let verdict = Verdict {
            question,
            ruling: Ruling::Incomparable,
            quantity: quantity.to_owned(),
            unit: unit.to_owned(),
            against: self.against.to_owned(),
            change: None,
            deployed: None,
            reference: None,
            tolerance,
            protocol: String::new(),
            why: None,
        };
        Test { verdict, length: None, p: None, begins: None, again: None }
    }

    /// Why rows under these protocols cannot be compared.
    pub(super) fn why_not(&self, before: &str, now: &str) -> Option<String> {
        if before.is_empty() {
            Some(format!("baseline `{}` did not measure it on its deployed cell", self.against))
        } else if now.is_empty() {
            Some("the run did not measure it on its deployed cell".to_owned())
        } else if before != now {
            Some(format!("the protocols differ: baseline `{before}`, run `{now}`"))
        } else {
            None
        }
    }
}

impl Test {
    /// Rules on paired values of which more is worse (`sign` 1) or less is (`sign` -1).
    pub(super) fn rule(&mut self, now: &[f64], before: &[f64], sign: f64, tolerance: f64) {
        let verdict = &mut self.verdict;
        verdict.deployed = mean(now);
        verdict.reference = mean(before);
        verdict.change = paired_difference(now, before).map(|change| verdict.question.possible(change));
        let Some(change) = verdict.change else {
            verdict.ruling = Ruling::Undecided;
            verdict.why = Some("there are too few pairs for an interval".to_owned());
            return;
        };
        let damage = if sign < 0.0 { change.negated() } else { change };
        verdict.ruling = ruling(&damage, tolerance);
        let damages: Vec<f64> = now.iter().zip(before).map(|(now, before)| sign * (now - before)).collect();
        self.p = Resamples::new(damages.len()).and_then(|resamples| resamples.p_above(&damages, tolerance));
        if verdict.ruling == Ruling::Undecided {
            verdict.why = Some("the interval touches the tolerance: more documents or blocks would decide".to_owned());
        }
    }

    /// The test with its logarithms turned back into ratios.
    pub(super) fn exponential(mut self) -> Self {
        for estimate in [&mut self.verdict.change, &mut self.verdict.deployed, &mut self.verdict.reference] {
            *estimate = estimate.map(|estimate: Estimate| estimate.rescaled(f64::exp));
        }
        self
    }
}

/// A mean with its interval is a paired difference against nothing.
fn mean(values: &[f64]) -> Option<Estimate> {
    paired_difference(values, &vec![0.0; values.len()])
}

/// Corrects the p-values for their number, and takes back what does not stay significant.
fn correct(tests: &mut [Test]) {
    let raw: Vec<f64> = tests.iter().filter_map(|test| test.p).collect();
    let mut corrected = holm(&raw).into_iter();
    for test in tests.iter_mut().filter(|test| test.p.is_some()) {
        test.p = corrected.next();
        if test.verdict.ruling == Ruling::Worse
            && let Some(p) = test.p.filter(|p| *p >= ALPHA)
        {
            test.verdict.ruling = Ruling::Undecided;
            let k = raw.len();
            test.verdict.why =
                Some(format!("beyond the tolerance by itself, but p = {p:.3} after Holm's correction over {k} tests"));
        }
    }
}
