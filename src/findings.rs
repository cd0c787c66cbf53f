//! `findings.json`: verdicts, causes, cells and the recommendation of a run, as data.
//!
//! The names are a contract with users' CI (`schema` says which one); they are added to, never changed.

mod audit;
mod speed;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::measurement::label;
use crate::stats::Estimate;
use crate::units::{Stretch, Tokens};

pub use audit::{AuditFinding, Severity};
pub use speed::{MachineNoise, PartTime, Peak, Slope, Speed, TimedRatio};

/// The version of the format; raised when a name changes its meaning.
pub const SCHEMA: u32 = 1;

/// Everything that a run found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The scenario's name (its file name without the ending).
    pub scenario: String,
    /// The scenario's question, in its author's words.
    pub question: String,
    /// The answer in at most two sentences, computed from the verdicts and causes.
    pub answer: String,
    /// The deployed cell's label, for example `linear x4`.
    pub deployed: String,
    /// One ruling for each question that was asked.
    pub verdicts: Vec<Verdict>,
    /// Causes, ranked within each question.
    pub causes: Vec<Cause>,
    /// What the deployment does otherwise than its healthy replay, the surest first, whether it harms a question or not;
    /// empty where the two were not compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deviations: Vec<Deviation>,
    /// Main effects and interaction of method and factor over the grid, for each quality question.
    pub grid: Vec<GridSummary>,
    /// Every cell and what became of it.
    pub cells: Vec<CellSummary>,
    /// Where each cell breaks beyond the trained length, against its own level inside.
    #[serde(default)]
    pub stability: Vec<Stability>,
    /// Timing taken apart; absent where nothing was timed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<Speed>,
    /// The cell to deploy instead, if the grid holds one.
    pub recommendation: Option<Recommendation>,
    /// What the checkpoint's files say before anything runs; empty where they agree.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audit: Vec<AuditFinding>,
    /// What would settle an undecided question, and other remarks about this run.
    pub notes: Vec<String>,
    /// Questions that must be decided: undecided or incomparable ends the run with exit code 2.
    #[serde(default)]
    pub decide: Vec<Question>,
    /// What the scenario expected and whether it was found; empty when it expects nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expectations: Vec<Expectation>,
}

/// One of the questions that get a separate ruling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Loss with at most 256 tokens of context.
    ShortRange,
    /// Loss beyond the trained length.
    LongRange,
    /// Recall of facts at every distance up to the target length.
    Retrieval,
    /// Prefill and decode time.
    Latency,
}

impl Question {
    /// Every question, in the order of the reports.
    pub const ALL: [Self; 4] = [Self::ShortRange, Self::LongRange, Self::Retrieval, Self::Latency];

    /// The name in files: `short_range`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ShortRange => "short_range",
            Self::LongRange => "long_range",
            Self::Retrieval => "retrieval",
            Self::Latency => "latency",
        }
    }

    /// The words for people: `short range`.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::ShortRange => "short range",
            Self::LongRange => "long range",
            Self::Retrieval => "retrieval",
            Self::Latency => "latency",
        }
    }

    /// A difference of this question's quantity, its interval cut to what is possible: no recall changes by more than 1.
    #[must_use]
    pub fn possible(self, difference: Estimate) -> Estimate {
        if self == Self::Retrieval { difference.within(-1.0, 1.0) } else { difference }
    }

    /// A level of this question's quantity, its interval cut to what is possible: recall is a share.
    #[must_use]
    pub fn level(self, level: Estimate) -> Estimate {
        if self == Self::Retrieval { level.within(0.0, 1.0) } else { level }
    }
}

/// What the interval says against the tolerance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// The whole interval is worse than the tolerance.
    Worse,
    /// The whole interval is better than the tolerance.
    Better,
    /// The whole interval is inside the tolerance.
    WithinNoise,
    /// The interval touches a tolerance: more documents are needed.
    Undecided,
    /// There is nothing that it may be compared with.
    Incomparable,
}

impl Ruling {
    /// The words for people: `within noise`.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Worse => "worse",
            Self::Better => "better",
            Self::WithinNoise => "within noise",
            Self::Undecided => "undecided",
            Self::Incomparable => "incomparable",
        }
    }
}

/// The ruling on one question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Which question.
    pub question: Question,
    /// What the interval says.
    pub ruling: Ruling,
    /// `nll`, `recall`, or `prefill` and `decode` for latency.
    pub quantity: String,
    /// The unit of `change` and `tolerance`: `nats/token`, `share`, or `ratio` for latency.
    pub unit: String,
    /// `reference`, or the baseline's name.
    pub against: String,
    /// Deployed minus reference (ratio for latency); absent when incomparable.
    pub change: Option<Estimate>,
    /// The deployed value.
    pub deployed: Option<Estimate>,
    /// The value of what it is compared with.
    pub reference: Option<Estimate>,
    /// A change of at most this much is accepted.
    pub tolerance: f64,
    /// What the reference is, what was scored: one sentence.
    pub protocol: String,
    /// Why it is undecided or incomparable; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What a cause varies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// The positional method.
    Method,
    /// The scaling factor.
    Factor,
    /// An implementation condition.
    Condition,
    /// Only method and factor together.
    Interaction,
    /// Nothing is wrong.
    None,
    /// The intervals do not say.
    Undecided,
}

impl Axis {
    /// The name in files: `method`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Factor => "factor",
            Self::Condition => "condition",
            Self::Interaction => "interaction",
            Self::None => "none",
            Self::Undecided => "undecided",
        }
    }
}

/// One ranked cause of one question's damage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    /// The question whose damage it explains.
    pub question: Question,
    /// The axis that is to blame.
    pub axis: Axis,
    /// The deployed level that is to blame: a method, a factor, a condition.
    pub name: String,
    /// Share of bootstrap resamples in which the rule of the decision names this cause, 0 to 1.
    pub confidence: f64,
    /// What repairs it; absent when nothing measured does.
    pub repair: Option<Repair>,
    /// Shapley shares of the gap by axis, and the `interaction`; empty when no repair exists.
    pub shapley: BTreeMap<String, f64>,
    /// Where the damage is: `constant`, `growing`, `step@2048`, `cache_only`, `batch_only`, `order_only`, `latency_only`,
    /// `none`, or `unclear` where the intervals do not say.
    pub shape: String,
    /// The place in the engine that a `condition` sits in: `cache`, `table`; absent for the other axes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The first position that a `condition` changes, in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub onset: Option<Estimate>,
    /// Sentences with their numbers.
    pub evidence: Vec<String>,
}

/// Something that the deployment does otherwise than the healthy replay of what it declares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deviation {
    /// The fault's name in the catalogue, or `unknown (PLACE)`; `healthy` where nothing differs.
    pub name: String,
    /// The place in the engine: `frequencies`, `cache`, `latency`; absent where none can be named.
    pub place: Option<String>,
    /// Where it shows, in the words of [`Cause::shape`].
    pub shape: String,
    /// The first position that it changes, in tokens.
    pub onset: Option<Estimate>,
    /// Share of the difference that a replay with it explains, at most 1; absent for an unknown fault.
    pub explained: Option<f64>,
    /// Whether a replay with it answers every request of the battery as the deployment does.
    pub exact: bool,
    /// Sentences with their numbers.
    pub evidence: Vec<String>,
}

/// A cell that undoes the damage, and how much of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Repair {
    /// The level to switch to on the blamed axis: `ntk`, or `8` for a factor.
    pub by: String,
    /// The repaired cell's label.
    pub cell: String,
    /// Share of the damage that it removes: 1 is all of it.
    pub fraction: Estimate,
}

/// The two-way table of one question over the grid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GridSummary {
    /// Which question.
    pub question: Question,
    /// Unit of the values.
    pub unit: String,
    /// One entry for each measured cell of the grid.
    pub cells: Vec<GridCell>,
    /// Mean change by method over the factors above 1, in the unit.
    pub method_effects: BTreeMap<String, f64>,
    /// Mean change by factor over the scaled methods, in the unit.
    pub factor_effects: BTreeMap<String, f64>,
}

/// A cell's value in the two-way table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GridCell {
    /// The method's label.
    pub method: String,
    /// The factor.
    pub factor: f64,
    /// The cell's value.
    pub value: Estimate,
    /// Change against the reference.
    pub change: Estimate,
    /// The ruling on that change.
    pub ruling: Ruling,
}

/// A cell and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellSummary {
    /// The cell's identity.
    pub id: String,
    /// The method's name.
    pub method: String,
    /// The factor.
    pub factor: f64,
    /// Tokens of adaptation before it was measured.
    #[serde(default)]
    pub adapted: usize,
    /// `training-free`, `own weights` or `adapted`.
    #[serde(default)]
    pub training: String,
    /// `healthy`, `truncated_context`, or a fault's name.
    pub condition: String,
    /// `measured` or `failed`.
    pub outcome: String,
    /// Why it failed; null when it was measured.
    pub reason: Option<String>,
}

/// How a cell holds its own level beyond the trained length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stability {
    /// The cell's identity.
    pub id: String,
    /// The cell's label.
    pub label: String,
    /// `training-free`, `own weights` or `adapted`.
    pub training: String,
    /// Loss in the last bin of positions inside the trained length, nats per token.
    pub inside: Estimate,
    /// The bins beyond it.
    pub beyond: Vec<Beyond>,
    /// Where the first bin begins in which the loss has risen by more than the tolerance; null where there is none.
    pub breaks: Option<usize>,
    /// Share of facts recalled at distances inside the trained length.
    pub recall_inside: Option<Estimate>,
    /// Share of facts recalled at distances beyond it.
    pub recall_beyond: Option<Estimate>,
}

/// A bin of positions beyond the trained length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Beyond {
    /// First position.
    pub from: usize,
    /// The position after the last.
    pub to: usize,
    /// Rise of the loss over the level inside, nats per token, paired by document and less what the text itself is harder.
    pub rise: Estimate,
    /// What the rise's interval says against the long-range tolerance.
    pub ruling: Ruling,
}

/// The cell to deploy, and why not the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recommendation {
    /// The method's name, with the parameters that the scenario gives it.
    pub method: String,
    /// The factor.
    pub factor: f64,
    /// Tokens of adaptation.
    #[serde(default)]
    pub adapted: usize,
    /// Reasons with their numbers.
    pub because: Vec<String>,
    /// The other methods, each at its best factor.
    pub rejected: Vec<Rejected>,
}

/// A method that is not recommended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rejected {
    /// The method's name, with the parameters that the scenario gives it.
    pub method: String,
    /// Its best factor.
    pub factor: f64,
    /// Tokens of adaptation of its best cell.
    #[serde(default)]
    pub adapted: usize,
    /// Reasons with their numbers.
    pub because: Vec<String>,
}

impl CellSummary {
    /// The cell as cells are written.
    #[must_use]
    pub fn label(&self) -> String {
        label(&self.method, Tokens(self.adapted), Stretch(self.factor))
    }
}

impl Recommendation {
    /// The cell to deploy, as cells are written.
    #[must_use]
    pub fn label(&self) -> String {
        label(&self.method, Tokens(self.adapted), Stretch(self.factor))
    }
}

impl Rejected {
    /// The method at its best, as cells are written.
    #[must_use]
    pub fn label(&self) -> String {
        label(&self.method, Tokens(self.adapted), Stretch(self.factor))
    }
}

/// What the scenario expected of one question, and what was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expectation {
    /// Which question.
    pub question: Question,
    /// The expected axis.
    pub expected: Axis,
    /// The axis that was found.
    pub found: Axis,
    /// Whether they agree.
    pub met: bool,
}

impl Findings {
    /// The verdict on a question, if it was asked.
    #[must_use]
    pub fn verdict(&self, question: Question) -> Option<&Verdict> {
        self.verdicts.iter().find(|verdict| verdict.question == question)
    }

    /// The process's exit code.
    ///
    /// 2 if an expectation is unmet: the scenario is a test of the diagnosis, and the test failed, whatever was found.
    /// Else 1 if anything is worse; else 2 if a question that the scenario wants decided could not be judged; else 0.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let unjudged = |verdict: &Verdict| {
            matches!(verdict.ruling, Ruling::Undecided | Ruling::Incomparable)
                && self.decide.contains(&verdict.question)
        };
        if self.expectations.iter().any(|expectation| !expectation.met) {
            2
        } else if self.verdicts.iter().any(|verdict| verdict.ruling == Ruling::Worse) {
            1
        } else if self.verdicts.iter().any(unjudged) {
            2
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_recall_is_below_nothing_or_above_all() {
        let wide = Estimate { point: 0.98, low: -0.2, high: 1.04, confidence: 0.95, n: 2 };
        let level = Question::Retrieval.level(wide);
        assert_eq!((level.point, level.low, level.high), (0.98, 0.0, 1.0));
        assert_eq!(Question::Retrieval.possible(wide).low, -0.2, "recall may fall");
        assert_eq!(Question::LongRange.level(wide), wide);
    }
}
