//! The implementation as a cause of damage, beside method and factor.
//!
//! The damage of a deployment `D` against the healthy reference `R` is parted at `H`, the healthy replay of the same method and
//! factor: `D - H` is the implementation's, `H - R` is the method's and the factor's, which the grid of healthy cells explains.

use std::collections::BTreeMap;

use crate::faults::AnyFault;
use crate::findings::{Axis, Cause, Deviation, Findings, Question, Repair, Ruling, Verdict};
use crate::measurement::{Arm, Cell, Outcome, Reading};
use crate::scenario::Scenario;
use crate::stats::{CONFIDENCE, Standing, mean, ratio, standing};

use super::blame::{bare, verdict_line};
use super::board::{Board, boards};
use super::condition::{Candidate, Replayed, Suspicion, suspect};
use super::words::{amount, percent, share};
use super::{Evidence, answer, expectations, of_method_and_factor, speed, summary, unjudged, verdicts};

/// The findings on a deployment whose implementation may be to blame.
pub(super) fn diagnose(evidence: &Evidence) -> Findings {
    let scenario = Scenario { conditions: Vec::new(), ..evidence.scenario.clone() };
    let cells = healthy(evidence.cells);
    let method = of_method_and_factor(&Evidence { scenario: &scenario, cells: &cells });
    let boards = boards(evidence);
    let verdicts = verdicts::verdicts(evidence, &boards);
    let suspicions = suspicions(evidence);
    let mut findings = Findings { deployed: evidence.deployed().label(), causes: Vec::new(), ..method.clone() };
    let mut notes: Vec<String> = verdicts.iter().filter_map(|verdict| unjudged(verdict, &boards)).collect();
    for verdict in &verdicts {
        let parted = Parted { evidence, boards: &boards, method: &method, suspicions: &suspicions, verdict };
        findings.causes.extend(parted.causes(&mut notes));
    }
    findings.answer = sentence(evidence, &verdicts, &findings, &method);
    findings.deviations = suspicions.iter().map(deviation).collect();
    findings.speed = speed::speed(evidence);
    findings.cells = evidence
        .cells
        .iter()
        .filter(|(cell, _)| cell.arm != Arm::Latency)
        .map(|cell| summary(scenario_of(evidence), cell))
        .collect();
    findings.expectations = expectations::expectations(&evidence.scenario.expect, &findings.causes);
    findings.notes = notes;
    findings.verdicts = verdicts;
    findings
}

fn scenario_of<'a>(evidence: &Evidence<'a>) -> &'a Scenario {
    evidence.scenario
}

/// The cells without faults, which alone say something of method and factor.
pub(super) fn healthy(cells: &[(Cell, Outcome)]) -> Vec<(Cell, Outcome)> {
    let grid = |cell: &Cell| !matches!(cell.arm, Arm::Parity | Arm::Hypothesis);
    cells.iter().filter(|(cell, _)| cell.faults.is_empty() && grid(cell)).cloned().collect()
}

/// What the rows of the battery and of the hypotheses say; empty where the battery did not run.
pub(super) fn suspicions(evidence: &Evidence) -> Vec<Suspicion> {
    let rows = |outcome: &Outcome| match outcome {
        Outcome::Measured(rows) => rows.iter().map(|row| row.reading.clone()).collect::<Vec<Reading>>(),
        Outcome::Failed { .. } => Vec::new(),
    };
    let Some((_, battery)) = evidence.cells.iter().find(|(cell, _)| cell.arm == Arm::Parity) else { return Vec::new() };
    let candidate = |fault: &AnyFault| Candidate { name: fault.label(), fault: fault.clone() };
    let replayed: Vec<Replayed> = evidence
        .cells
        .iter()
        .filter(|(cell, _)| cell.arm == Arm::Hypothesis)
        .map(|(cell, outcome)| Replayed {
            candidates: cell.faults.iter().map(candidate).collect(),
            readings: rows(outcome),
        })
        .collect();
    let battery = rows(battery);
    if battery.is_empty() { Vec::new() } else { suspect(&battery, &replayed) }
}

fn deviation(suspicion: &Suspicion) -> Deviation {
    Deviation {
        name: suspicion.name.clone(),
        place: suspicion.site.map(|site| site.name().to_owned()),
        shape: suspicion.shape.clone(),
        onset: suspicion.onset,
        explained: suspicion.explained,
        exact: suspicion.exact,
        evidence: suspicion.evidence.clone(),
    }
}

/// The damage of one question, parted at the healthy replay.
struct Parted<'a> {
    evidence: &'a Evidence<'a>,
    boards: &'a [Board<'a>],
    /// The findings on the healthy replay as if it were deployed.
    method: &'a Findings,
    suspicions: &'a [Suspicion],
    verdict: &'a Verdict,
}

impl Parted<'_> {
    /// Causes, the larger part first.
    fn causes(&self, notes: &mut Vec<String>) -> Vec<Cause> {
        let question = self.verdict.question;
        let lines = verdict_line(self.verdict);
        match self.verdict.ruling {
            Ruling::Better | Ruling::WithinNoise => return vec![bare(Axis::None, self.evidence, question, lines)],
            Ruling::Undecided | Ruling::Incomparable => {
                return vec![bare(Axis::Undecided, self.evidence, question, lines)];
            }
            Ruling::Worse => {}
        }
        if question == Question::Latency {
            return self.slow(lines);
        }
        let of_method: Vec<Cause> = self
            .method
            .causes
            .iter()
            .filter(|cause| cause.question == question && cause.axis != Axis::None)
            .cloned()
            .collect();
        let Some((condition, ours, rest)) = self.condition(lines.clone(), notes) else { return of_method };
        let worse = self.method.verdict(question).is_some_and(|verdict| verdict.ruling == Ruling::Worse);
        let mut causes = condition;
        if worse && rest > ours {
            causes.splice(0..0, of_method);
        } else if worse {
            causes.extend(of_method);
        }
        if causes.is_empty() {
            let why = "neither the implementation nor the method alone is shown to do this much damage: measure more documents";
            let mut undecided = bare(Axis::Undecided, self.evidence, question, lines);
            undecided.evidence.push(why.to_owned());
            notes.push(format!("{}: {why}", question.words()));
            causes.push(undecided);
        }
        causes
    }

    /// The implementation's causes with the mean damage that is theirs and that which is the method's; nothing where there is
    /// no healthy replay to part them at.
    fn condition(&self, lines: Vec<String>, notes: &mut Vec<String>) -> Option<(Vec<Cause>, f64, f64)> {
        let board = self.boards.iter().find(|board| board.question == self.verdict.question)?;
        let (deployed, replay) = (self.evidence.deployed(), self.evidence.deployed().healthy());
        let damage = board.entry(&deployed)?.damage.measured();
        let left = board.entry(&replay)?.damage.measured()?;
        let Some(damage) = damage else {
            // The deployment gives no numbers and its healthy replay does.
            let mut cause = self.named(lines, None);
            for cause in &mut cause {
                cause.confidence = 1.0;
            }
            return Some((cause, f64::INFINITY, mean(left)?));
        };
        let own: Vec<f64> = damage.iter().zip(left).map(|(damage, left)| damage - left).collect();
        let interval = board.interval(&own)?;
        let means = (mean(&own)?, mean(left)?);
        let sentence = format!(
            "the healthy replay of the same method and factor has {} less, so this much is the implementation's",
            amount(board.question, &interval)
        );
        match standing(&interval, board.tolerance) {
            Standing::Above => {}
            Standing::Across => {
                notes.push(format!("{}: {sentence}, which crosses the tolerance", board.question.words()));
                return Some((Vec::new(), means.0, means.1));
            }
            Standing::Inside | Standing::Below => return Some((Vec::new(), means.0, means.1)),
        }
        let resamples = board.resamples.as_ref()?;
        let draws = resamples.means(&own)?;
        let fraction = ratio(&own, damage, CONFIDENCE);
        let named = draws.iter().filter(|own| **own > board.tolerance).count() as f64 / draws.len().max(1) as f64;
        let mut causes = self.named(lines, Some(sentence));
        for cause in &mut causes {
            cause.confidence = named;
            cause.repair = fraction.map(|fraction| Repair { by: "healthy".to_owned(), cell: replay.label(), fraction });
            cause.shapley = self.shares(board, means);
            cause
                .evidence
                .extend(fraction.map(|fraction| format!("repairing it removes {} of the damage", share(&fraction))));
        }
        Some((causes, means.0, means.1))
    }

    /// The causes under the names of the suspicions that are sure, or of the first one.
    fn named(&self, lines: Vec<String>, sentence: Option<String>) -> Vec<Cause> {
        let question = self.verdict.question;
        let outputs: Vec<&Suspicion> = self.suspicions.iter().filter(|one| one.shape != "latency_only").collect();
        let sure: Vec<&Suspicion> = outputs.iter().copied().take_while(|one| one.exact).collect();
        let first: Vec<&Suspicion> =
            outputs.iter().copied().take(1).filter(|one| one.axis == Axis::Condition).collect();
        let all = if sure.is_empty() { first } else { sure };
        let mut causes: Vec<Cause> = all.iter().map(|one| self.cause(question, one, &lines)).collect();
        if causes.is_empty() {
            let mut cause = bare(Axis::Condition, self.evidence, question, lines);
            cause.name = "implementation".to_owned();
            cause.shape = "unclear".to_owned();
            cause.evidence.push("the battery of requests names no place for it".to_owned());
            causes.push(cause);
        }
        for cause in &mut causes {
            cause.evidence.extend(sentence.clone());
        }
        causes
    }

    fn cause(&self, question: Question, suspicion: &Suspicion, lines: &[String]) -> Cause {
        let mut cause = bare(Axis::Condition, self.evidence, question, lines.to_vec());
        cause.name.clone_from(&suspicion.name);
        cause.shape.clone_from(&suspicion.shape);
        cause.place = suspicion.site.map(|site| site.name().to_owned());
        cause.onset = suspicion.onset;
        cause.evidence.extend(suspicion.evidence.iter().cloned());
        cause
    }

    /// Shares of the way from the repair over the healthy replay to the deployment.
    ///
    /// Where the repaired method was also measured under the same conditions, both orders are averaged (Shapley); else the one
    /// order that was measured stands.
    fn shares(&self, board: &Board, (own, rest): (f64, f64)) -> BTreeMap<String, f64> {
        let question = self.verdict.question;
        let first = self.method.causes.iter().find(|cause| cause.question == question);
        let repair = first.filter(|cause| !cause.shapley.is_empty()).and_then(|cause| {
            let label = &cause.repair.as_ref()?.cell;
            board.entries.iter().find(|entry| entry.cell.label() == *label).map(|entry| (cause, entry))
        });
        let value = |cell: &Cell| board.entry(cell)?.damage.measured().and_then(mean);
        let Some((cause, base)) = repair.and_then(|(cause, entry)| Some((cause, (entry.cell, value(entry.cell)?))))
        else {
            return BTreeMap::from([("condition".to_owned(), 1.0)]);
        };
        let (cell, least) = base;
        let gap = own + rest - least;
        let under = value(&cell.clone().under(self.evidence.deployed().faults));
        let condition = under.map_or(own, |under| 0.5 * (own + under - least));
        let interaction = under.map_or(0.0, |under| own - (under - least));
        let others = (gap - condition) / gap;
        let mut shares: BTreeMap<String, f64> =
            cause.shapley.iter().map(|(axis, part)| (axis.clone(), part * others)).collect();
        shares.insert("condition".to_owned(), condition / gap);
        shares.insert("condition_interaction".to_owned(), interaction / gap);
        shares
    }

    /// What slows the deployment: the battery's timings name it, the grid cannot.
    fn slow(&self, lines: Vec<String>) -> Vec<Cause> {
        let late: Vec<&Suspicion> = self
            .suspicions
            .iter()
            .filter(|one| one.shape == "latency_only" && one.axis == Axis::Condition)
            .take(1)
            .collect();
        if late.is_empty() {
            let question = self.verdict.question;
            let of_method =
                self.method.causes.iter().filter(|cause| cause.question == question && cause.axis != Axis::None);
            let mut causes: Vec<Cause> = of_method.cloned().collect();
            if causes.is_empty() {
                causes.push(bare(Axis::Undecided, self.evidence, question, lines));
            }
            return causes;
        }
        let mut causes: Vec<Cause> = late.iter().map(|one| self.cause(Question::Latency, one, &lines)).collect();
        for cause in &mut causes {
            cause.confidence = CONFIDENCE;
        }
        causes
    }
}

/// What got worse and why, and what to do first.
fn sentence(evidence: &Evidence, verdicts: &[Verdict], findings: &Findings, method: &Findings) -> String {
    let first = answer::answer(evidence, verdicts, &findings.causes, None);
    let mut names: Vec<String> = Vec::new();
    for cause in findings.causes.iter().filter(|cause| cause.axis == Axis::Condition) {
        let place = cause.place.as_ref().map_or(String::new(), |place| format!(" ({place})"));
        let name = format!("{}{place}, sure to {}", cause.name, percent(cause.confidence));
        if !names.iter().any(|other| other.starts_with(&cause.name)) {
            names.push(name);
        }
    }
    let blames_method = method.verdicts.iter().any(|verdict| verdict.ruling == Ruling::Worse);
    let deploy = method
        .recommendation
        .as_ref()
        .filter(|_| blames_method)
        .map(|best| format!(" Then deploy {}.", crate::measurement::spoken(&best.label())));
    if names.is_empty() {
        return format!("{first}{}", deploy.unwrap_or_default());
    }
    format!("{first} Repair the engine: {}.{}", names.join("; "), deploy.unwrap_or_default())
}
