//! From a question that got worse to its ranked causes.

use std::collections::BTreeMap;

use crate::findings::{Axis, Cause, Question, Repair, Ruling, Verdict};
use crate::measurement::{Cell, spoken};
use crate::stats::{mean, shapley};
use crate::units::Stretch;

use super::Evidence;
use super::admission::admit;
use super::board::{Board, Damage};
use super::decision::{Contest, Decision, Doubt, decide};
use super::repair::{Candidate, Repaired, repaired};
use super::shape::shape;
use super::words::{amount, number, percent, share};

/// The causes of one question, and what would help to decide it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Blame {
    pub(super) causes: Vec<Cause>,
    pub(super) notes: Vec<String>,
}

/// What the grid offers instead of the deployed cell.
#[derive(Debug)]
struct Alternatives<'a> {
    method: Way<'a>,
    factor: Way<'a>,
    both: Way<'a>,
    /// Sentences on cells that would repair the question but not for free.
    refused: Vec<String>,
}

/// One way to move away from the deployed cell.
#[derive(Debug, Default)]
struct Way<'a> {
    best: Option<Repaired<'a>>,
    /// How many scaled cells were measured this way, admitted or not.
    measured: usize,
}

impl Way<'_> {
    fn left(&self) -> Option<&[f64]> {
        self.best.as_ref().map(|repaired| repaired.left.as_slice())
    }
}

impl Alternatives<'_> {
    fn way(&self, axis: Axis) -> Option<&Way<'_>> {
        match axis {
            Axis::Method => Some(&self.method),
            Axis::Factor => Some(&self.factor),
            Axis::Interaction => Some(&self.both),
            _ => None,
        }
    }
}

/// The causes of one verdict, ranked.
pub(super) fn blame(evidence: &Evidence, boards: &[Board], verdicts: &[Verdict], verdict: &Verdict) -> Blame {
    let question = verdict.question;
    let only = |axis, evidence_lines| Blame {
        causes: vec![bare(axis, evidence, question, evidence_lines)],
        notes: Vec::new(),
    };
    match verdict.ruling {
        Ruling::Better | Ruling::WithinNoise => return only(Axis::None, verdict_line(verdict)),
        Ruling::Undecided | Ruling::Incomparable => return only(Axis::Undecided, verdict_line(verdict)),
        Ruling::Worse => {}
    }
    let Some(board) = boards.iter().find(|board| board.question == question) else {
        return slow(evidence, verdicts, verdict);
    };
    let cell = evidence.deployed();
    let alternatives = alternatives(evidence, boards, board);
    let (shape, shape_lines) = shape(evidence, board);
    let mut lines = verdict_line(verdict);
    lines.extend(shape_lines);
    lines.extend(alternatives.refused.iter().cloned());
    let decision = board.entry(&cell).and_then(|entry| entry.damage.measured()).zip(board.resamples.as_ref()).and_then(
        |(damage, resamples)| {
            decide(&Contest {
                damage,
                method: alternatives.method.left(),
                factor: alternatives.factor.left(),
                both: alternatives.both.left(),
                tolerance: board.tolerance,
                resamples,
            })
        },
    );
    let mut blame = match decision {
        Some(decision) => ranked(evidence, board, &alternatives, decision, &lines),
        None => broken(evidence, board, &alternatives, &lines),
    };
    for cause in &mut blame.causes {
        cause.shape.clone_from(&shape);
    }
    blame
}

/// The best admissible repair each way, by cross-fitting.
fn alternatives<'a>(evidence: &Evidence, boards: &[Board], board: &'a Board<'a>) -> Alternatives<'a> {
    let (method, factor) = &evidence.scenario.deployed;
    let (deployed, unscaled) = (evidence.deployed(), Cell::unscaled());
    let mut ways: [(Vec<Candidate<'a>>, usize); 3] = Default::default();
    let mut refused = Vec::new();
    // Cells under faults say nothing of method and factor.
    for entry in board.entries.iter().filter(|entry| *entry.cell != deployed && entry.cell.faults.is_empty()) {
        let cell = entry.cell;
        // More training would repair much, and say nothing of method or factor.
        if cell.adapted != deployed.adapted && *cell != unscaled {
            continue;
        }
        // The unscaled cell is factor 1 of every method.
        let way = if cell.factor == *factor && cell.method != *method {
            0
        } else if cell.method == *method || (*cell == unscaled && *factor != Stretch::ONE) {
            1
        } else {
            2
        };
        let Some((candidates, measured)) = ways.get_mut(way) else { continue };
        if !matches!(entry.damage, Damage::Absent(_)) && *cell != unscaled {
            *measured += 1;
        }
        let Some(damage) = entry.damage.measured() else { continue };
        match admit(evidence, boards, board.question, cell) {
            Ok(()) => candidates.push((cell, damage)),
            // Cells that differ in both axes are many, and none is the obvious switch.
            Err(_) if way == 2 => {}
            Err(why) => refused.extend(refusal(board, &deployed, cell, damage, &why)),
        }
    }
    let [method, factor, both] = ways
        .map(|(candidates, measured)| Way { best: repaired(&candidates), measured: measured.max(candidates.len()) });
    Alternatives { method, factor, both, refused }
}

/// A refused cell is worth a sentence only if it would have repaired half of the damage.
fn refusal(board: &Board, deployed: &Cell, cell: &Cell, damage: &[f64], why: &str) -> Option<String> {
    let left = mean(damage)?;
    let of = board.entry(deployed)?.damage.measured().and_then(mean);
    let would = of.is_none_or(|of| left < 0.5 * of);
    would.then(|| {
        format!("{} would repair {}, but is no repair: {why}", unscaled_or_label(cell), board.question.words())
    })
}

fn unscaled_or_label(cell: &Cell) -> String {
    if *cell == Cell::unscaled() { "factor 1 (the unscaled model)".to_owned() } else { spoken(&cell.label()) }
}

/// The causes where the damage is a number.
fn ranked(
    evidence: &Evidence,
    board: &Board,
    alternatives: &Alternatives,
    mut decision: Decision,
    lines: &[String],
) -> Blame {
    let unmeasured: Vec<&str> = [("method", &alternatives.method), ("factor", &alternatives.factor)]
        .into_iter()
        // Where nothing was stretched, changing one axis alone may be no other cell at all.
        .filter(|(_, way)| way.measured == 0 && evidence.deployed() != Cell::unscaled())
        .map(|(axis, _)| axis)
        .collect();
    let mut blame = Blame::default();
    if matches!(decision.axis, Axis::Method | Axis::Factor | Axis::Interaction) && !unmeasured.is_empty() {
        decision.axis = Axis::Undecided;
    }
    let causes: Vec<Cause> = order(alternatives, &decision)
        .into_iter()
        .map(|axis| cause(evidence, board, alternatives, &decision, axis, lines))
        .collect();
    if decision.axis == Axis::Undecided {
        let why = if unmeasured.is_empty() {
            undecided(board, alternatives, &decision)
        } else {
            let axes = unmeasured.join(" and no other ");
            // More training repairs much whatever the method, so cells of another adaptation say nothing of it.
            let deployed = evidence.deployed().adapted;
            let others = evidence.cells.iter().any(|(cell, _)| cell.adapted != deployed);
            let trained = if others { " with as much adaptation as the deployed cell" } else { "" };
            format!("the grid holds no other {axes}{trained} to compare with: add one under `ablate`")
        };
        let mut head = bare(Axis::Undecided, evidence, board.question, lines.to_vec());
        head.confidence = decision.share(Axis::Undecided);
        head.evidence.push(why.clone());
        blame.notes.push(format!("{}: {why}", board.question.words()));
        blame.causes.push(head);
    }
    blame.causes.extend(causes);
    blame
}

/// The axes worth naming: the decided one, then those whose repair removes half, most often named first.
fn order(alternatives: &Alternatives, decision: &Decision) -> Vec<Axis> {
    let fraction = |axis: Axis| decision.fraction(axis).map_or(0.0, |fraction| fraction.point);
    let mut axes: Vec<Axis> = [Axis::Method, Axis::Factor, Axis::Interaction]
        .into_iter()
        .filter(|axis| alternatives.way(*axis).is_some_and(|way| way.best.is_some()))
        .filter(|axis| *axis == decision.axis || (fraction(*axis) >= 0.5 && *axis != Axis::Interaction))
        .collect();
    let key = |axis: Axis| (axis == decision.axis, decision.share(axis), fraction(axis));
    axes.sort_by(|a, b| key(*b).partial_cmp(&key(*a)).unwrap_or(std::cmp::Ordering::Equal));
    axes
}

/// One cause with its repair, its shares and its evidence.
fn cause(
    evidence: &Evidence,
    board: &Board,
    alternatives: &Alternatives,
    decision: &Decision,
    axis: Axis,
    lines: &[String],
) -> Cause {
    let (method, factor) = &evidence.scenario.deployed;
    let deployed = evidence.deployed();
    let mut cause = bare(axis, evidence, board.question, lines.to_vec());
    cause.name = match axis {
        Axis::Method => method.label(),
        Axis::Factor => factor.to_string(),
        _ => deployed.label(),
    };
    cause.confidence = decision.share(axis);
    let Some(best) = alternatives.way(axis).and_then(|way| way.best.as_ref()) else { return cause };
    let by = match axis {
        Axis::Method => best.cell.method.label(),
        Axis::Factor => best.cell.factor.to_string(),
        _ => best.cell.label(),
    };
    if let Some(fraction) = decision.fraction(axis) {
        cause.repair = Some(Repair { by, cell: best.cell.label(), fraction });
    }
    match shares(evidence, board, best.cell) {
        Some(shares) => cause.shapley = shares,
        None => cause.evidence.push(
            "a cell between the repair and the deployed one is missing, so the damage is not shared out".to_owned(),
        ),
    }
    for (axis, what) in [
        (Axis::Method, "the best other method at the same factor"),
        (Axis::Factor, "the best other factor of the same method"),
        (Axis::Interaction, "the best cell that changes both"),
    ] {
        cause.evidence.push(repair_line(board, alternatives, decision, axis, what));
    }
    cause.evidence.extend(best.remark.clone());
    cause
}

fn repair_line(board: &Board, alternatives: &Alternatives, decision: &Decision, axis: Axis, what: &str) -> String {
    let way = alternatives.way(axis);
    let best = way.and_then(|way| way.best.as_ref());
    match (best, decision.fraction(axis)) {
        (Some(best), Some(fraction)) => {
            let left = board.interval(&best.left).map(|left| amount(board.question, &left)).unwrap_or_default();
            format!(
                "{what}, {}, removes {} of the damage and leaves {left}, n = {}",
                unscaled_or_label(best.cell),
                share(&fraction),
                fraction.n
            )
        }
        _ if way.is_some_and(|way| way.measured > 0) => format!("{what} does not exist: none may count as a repair"),
        _ => format!("{what} was not measured"),
    }
}

/// Why no axis is named, and what would help.
fn undecided(board: &Board, alternatives: &Alternatives, decision: &Decision) -> String {
    let none = [&alternatives.method, &alternatives.factor, &alternatives.both].iter().all(|way| way.best.is_none());
    if none {
        return "no cell of the grid may count as a repair: add methods, and factors that reach the target length, under `ablate`".to_owned();
    }
    match decision.doubt {
        Some(Doubt::EitherRepairs) => {
            "another method and another factor each repair it equally well, so this grid cannot tell them apart"
                .to_owned()
        }
        Some(Doubt::NothingRepairs) => {
            let most = decision
                .fractions
                .iter()
                .filter_map(|(_, fraction)| *fraction)
                .max_by(|a, b| a.point.total_cmp(&b.point));
            let most = most.map_or_else(|| "nothing".to_owned(), |fraction| share(&fraction));
            format!(
                "no method and no factor of the grid repairs it (the best removes {most}): what remains is the implementation, or weights that were not adapted"
            )
        }
        _ => format!(
            "the repairs' intervals overlap with {} documents: measure more (`documents` under the probes' sizes)",
            board.reference.len()
        ),
    }
}

/// Shapley shares of the way from the repair to the deployed cell, and the interaction, as parts of the gap.
fn shares(evidence: &Evidence, board: &Board, repair: &Cell) -> Option<BTreeMap<String, f64>> {
    let deployed = evidence.deployed();
    let (method, factor) = &evidence.scenario.deployed;
    let value = |cell: &Cell| board.entry(cell)?.damage.measured().and_then(mean);
    let (first, last) = (value(repair)?, value(&deployed)?);
    let gap = last - first;
    if gap == 0.0 {
        return None;
    }
    let unscaled = Cell::unscaled();
    let named = |method: f64, factor: f64, interaction: f64| {
        let shares = [("method", method), ("factor", factor), ("interaction", interaction)];
        shares.into_iter().map(|(axis, part)| (axis.to_owned(), part / gap)).collect()
    };
    if repair.factor == *factor && repair.method != *method {
        return Some(named(gap, 0.0, 0.0));
    }
    if repair.method == *method || *repair == unscaled {
        return Some(named(0.0, gap, 0.0));
    }
    let adapted = evidence.scenario.deployed_adapted;
    let by_method = value(&Cell::grid(method.clone(), repair.factor).after(adapted))?;
    let by_factor = value(&Cell::grid(repair.method.clone(), *factor).after(adapted))?;
    let values = [first, by_method, by_factor, last];
    let parts = shapley(2, &values)?;
    let interaction = last - by_method - by_factor + first;
    Some(named(*parts.first()?, *parts.get(1)?, interaction))
}

/// The cause where the deployed cell gave no number: there is no fraction, only cells that are healthy and cells that are not.
fn broken(evidence: &Evidence, board: &Board, alternatives: &Alternatives, lines: &[String]) -> Blame {
    let healthy = |way: &Way| {
        let best = way.best.as_ref()?;
        // Beside a value that is no number, a finite one that is not shown to be worse is a repair.
        (board.ruling(best.cell) != Ruling::Worse).then(|| best.cell.clone())
    };
    let fails =
        |way: &Way| way.measured > 0 && way.best.as_ref().is_none_or(|best| board.ruling(best.cell) == Ruling::Worse);
    let (by_method, by_factor) = (healthy(&alternatives.method), healthy(&alternatives.factor));
    let (axis, repair) = match (&by_method, &by_factor) {
        (Some(cell), None) if fails(&alternatives.factor) => (Axis::Method, Some(cell)),
        (None, Some(cell)) if fails(&alternatives.method) => (Axis::Factor, Some(cell)),
        (None, None) if fails(&alternatives.method) && fails(&alternatives.factor) => {
            match healthy(&alternatives.both) {
                Some(cell) => return named_broken(evidence, board, lines, Axis::Interaction, &cell),
                None => (Axis::Undecided, None),
            }
        }
        _ => (Axis::Undecided, None),
    };
    if let Some(cell) = repair {
        return named_broken(evidence, board, lines, axis, cell);
    }
    let why = "the deployed cell gave values that are not numbers, and the grid does not say whether method or factor does it";
    let mut head = bare(Axis::Undecided, evidence, board.question, lines.to_vec());
    head.evidence.push(why.to_owned());
    Blame { causes: vec![head], notes: vec![format!("{}: {why}", board.question.words())] }
}

fn named_broken(evidence: &Evidence, board: &Board, lines: &[String], axis: Axis, repair: &Cell) -> Blame {
    let mut cause = bare(axis, evidence, board.question, lines.to_vec());
    let (method, factor) = &evidence.scenario.deployed;
    match axis {
        Axis::Method => cause.name = method.label(),
        Axis::Factor => cause.name = factor.to_string(),
        _ => {}
    }
    // Every resample holds the same finite and the same broken cells.
    cause.confidence = 1.0;
    cause.evidence.push(format!(
        "{} gives numbers, and its {} is {} against the reference",
        spoken(&repair.label()),
        board.question.words(),
        board.ruling(repair).words()
    ));
    Blame { causes: vec![cause], notes: Vec::new() }
}

/// Times are taken of the deployed cell, the unscaled one and the best candidates, so the grid cannot share them out.
fn slow(evidence: &Evidence, verdicts: &[Verdict], verdict: &Verdict) -> Blame {
    let alone = verdicts.iter().all(|other| {
        other.question == verdict.question || matches!(other.ruling, Ruling::Better | Ruling::WithinNoise)
    });
    let mut lines = verdict_line(verdict);
    lines.push(
        "of the grid only the deployed cell, the unscaled one and the best candidates (`sizes.latency_candidates`) are \
         timed, so method and factor cannot be told apart"
            .to_owned(),
    );
    lines.extend(super::speed::speed(evidence).and_then(|speed| speed.slow));
    let mut cause = bare(Axis::Undecided, evidence, verdict.question, lines);
    cause.shape = if alone { "latency_only" } else { "unclear" }.to_owned();
    Blame { causes: vec![cause], notes: Vec::new() }
}

pub(super) fn bare(axis: Axis, evidence: &Evidence, question: Question, lines: Vec<String>) -> Cause {
    Cause {
        question,
        axis,
        name: evidence.deployed().label(),
        confidence: if axis == Axis::None { 1.0 } else { 0.0 },
        repair: None,
        shapley: BTreeMap::new(),
        shape: "none".to_owned(),
        place: None,
        onset: None,
        evidence: lines,
    }
}

/// The verdict as a sentence.
pub(super) fn verdict_line(verdict: &Verdict) -> Vec<String> {
    let mut lines: Vec<String> = verdict.why.iter().cloned().collect();
    if let Some(change) = verdict.change {
        let what = if verdict.unit == "ratio" { "ratio" } else { "change" };
        lines.insert(
            0,
            format!(
                "{} is {}: {what} {} {} [{}, {}] at {} confidence, tolerance {}, n = {}",
                verdict.question.words(),
                verdict.ruling.words(),
                number(change.point),
                verdict.unit,
                number(change.low),
                number(change.high),
                percent(change.confidence),
                number(verdict.tolerance),
                change.n
            ),
        );
    }
    lines
}
