//! The chain from mechanism to expected to measured behaviour, link by link.

use serde::Serialize;

use super::Dossier;
use super::candidates::{self, Candidate};
use super::contrast::{own_level, stability};
use super::facts::{Facts, cell_of, turning};
use super::mechanism::{local, seen_buckets};
use super::sources::Sources;
use crate::ablation::{Part, by_document};
use crate::explain::{Explanation, Facts as What};
use crate::findings::{Question, Ruling, Stability};
use crate::measurement::{Cell, spoken};
use crate::reports::{evidence, numbers};
use crate::stats::paired_difference;
use crate::units::Tokens;

/// A link: what the arithmetic says, what follows from it, and what the run measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Link {
    /// The arithmetic.
    pub mechanism: String,
    /// What it lets one expect.
    pub expected: String,
    /// What the run says.
    pub measured: String,
    /// Whether the two agree.
    pub mark: Mark,
    /// What the measured part rests on.
    pub sources: Vec<String>,
}

/// Whether a measurement bears an expectation out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// The interval is where it was expected.
    Confirmed,
    /// The interval is where it was not expected.
    Contradicted,
    /// The run did not measure it, or its interval does not say.
    NotTested,
}

impl Mark {
    /// In words: `not tested`.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Contradicted => "contradicted",
            Self::NotTested => "not tested",
        }
    }

    /// An expectation of damage, or of none, against a ruling.
    fn of(expects_damage: bool, ruling: Ruling) -> Self {
        match ruling {
            Ruling::Worse if expects_damage => Self::Confirmed,
            Ruling::Better | Ruling::WithinNoise if !expects_damage => Self::Confirmed,
            Ruling::Undecided | Ruling::Incomparable => Self::NotTested,
            _ => Self::Contradicted,
        }
    }
}

/// Every link that the run's methods have.
pub(super) fn links(dossier: &Dossier<'_>, all: &[Candidate], facts: &Facts, sources: &mut Sources) -> Vec<Link> {
    let Some(chosen) = all.first() else { return Vec::new() };
    let mut links = Vec::new();
    links.extend(facts.unscaled.as_ref().and_then(|unscaled| far(dossier, &Cell::unscaled(), unscaled, sources)));
    links.extend(far(dossier, &chosen.cell, &facts.chosen, sources));
    links.extend(near(dossier, chosen, facts, sources));
    links.extend(work(chosen, facts));
    for (name, explanation) in [("alibi", facts.alibi.as_ref()), ("t5", facts.t5.as_ref())] {
        let (Some(explanation), false) = (explanation, chosen.cell.method.name() == name) else { continue };
        match cell_of(dossier, all, name) {
            Some(cell) => links.extend(far(dossier, &cell, explanation, sources)),
            None => links.extend(untested(dossier, explanation)),
        }
    }
    links.extend(recency(dossier, all, facts, sources));
    links
}

/// Whether the target's positions were seen, and so whether the loss should hold beyond the trained length.
fn far(dossier: &Dossier<'_>, cell: &Cell, explanation: &Explanation, sources: &mut Sources) -> Option<Link> {
    let (mechanism, damage) = seen(dossier, &spoken(&cell.label()), explanation)?;
    let row = stability(dossier, cell).filter(|row| !row.beyond.is_empty());
    let (measured, mark) =
        row.map_or_else(|| ("not measured in this run".to_owned(), Mark::NotTested), |row| own(row, damage));
    let sources = if row.is_some() { vec![own_level(dossier, cell, sources)] } else { Vec::new() };
    Some(Link { mechanism, expected: expected(dossier, damage), measured, mark, sources })
}

fn untested(dossier: &Dossier<'_>, explanation: &Explanation) -> Option<Link> {
    let (mechanism, damage) = seen(dossier, &explanation.method, explanation)?;
    let measured = "not measured in this run".to_owned();
    Some(Link { mechanism, expected: expected(dossier, damage), measured, mark: Mark::NotTested, sources: Vec::new() })
}

fn expected(dossier: &Dossier<'_>, damage: bool) -> String {
    let trained = dossier.run.trained;
    if damage {
        format!("its loss rises beyond {trained} tokens")
    } else {
        format!("its loss holds its own level beyond {trained} tokens")
    }
}

/// What of the target training has seen, and whether damage follows.
fn seen(dossier: &Dossier<'_>, label: &str, explanation: &Explanation) -> Option<(String, bool)> {
    let target = dossier.run.target;
    Some(match &explanation.mechanism {
        What::Slopes(_) => (format!("{label}: a penalty is defined at every distance up to {target}"), false),
        What::Buckets(shared) => {
            let words = seen_buckets(shared.unseen.len());
            (format!("{label}: {words} at {target} tokens"), !shared.unseen.is_empty())
        }
        _ => {
            let turning = turning(explanation)?;
            let (leaves, pairs) = (turning.leaves.len(), turning.pairs.len());
            (format!("{label}: {leaves} of {pairs} pairs reach unseen angles at {target} tokens"), leaves > 0)
        }
    })
}

/// Where a cell's own level breaks, against the expectation.
fn own(row: &Stability, damage: bool) -> (String, Mark) {
    let last = row.beyond.last();
    let words = last.map_or_else(String::new, |last| {
        format!(
            "{} at {} to {} tokens over its own level ({}, n = {})",
            numbers::estimate("nats/token", &last.rise, numbers::change),
            Tokens(last.from),
            Tokens(last.to),
            last.ruling.words(),
            last.rise.n
        )
    });
    let holds = row.beyond.iter().all(|bin| matches!(bin.ruling, Ruling::WithinNoise | Ruling::Better));
    let ruling = if row.breaks.is_some() {
        Ruling::Worse
    } else if holds {
        Ruling::WithinNoise
    } else {
        Ruling::Undecided
    };
    (words, Mark::of(damage, ruling))
}

/// Local pairs that keep their periods should keep the short range better than a uniform stretch does.
fn near(dossier: &Dossier<'_>, chosen: &Candidate, facts: &Facts, sources: &mut Sources) -> Option<Link> {
    let turning = facts.turning()?;
    let stretch = local(turning).filter_map(|pair| pair.stretch).fold(1.0, f64::max);
    let mechanism = format!(
        "{}: the {} that turn within 256 tokens are stretched by at most {stretch:.2}x; uniform interpolation \
         stretches all of them {}x",
        chosen.label,
        numbers::counted(local(turning).count(), "pair"),
        chosen.cell.factor
    );
    let uniform = dossier.grid().find(|cell| {
        cell.method.name() == "linear" && cell.factor == chosen.cell.factor && cell.adapted == chosen.cell.adapted
    });
    let less = stretch < chosen.cell.factor.0 * 0.99;
    let expected = if less {
        "less short-range damage than `linear` at the same factor"
    } else {
        "the short-range damage of `linear`"
    };
    let untested = |why: &str| Link {
        mechanism: mechanism.clone(),
        expected: expected.to_owned(),
        measured: why.to_owned(),
        mark: Mark::NotTested,
        sources: Vec::new(),
    };
    let Some(uniform) = uniform.filter(|cell| !dossier.rows(cell).is_empty()) else {
        return Some(untested("`linear` was not measured at this factor"));
    };
    let question = Question::ShortRange;
    let values = |cell: &Cell| by_document(question, dossier.rows(cell), dossier.run.trained, Part::Whole);
    let (mine, theirs) = (values(&chosen.cell), values(uniform));
    let pairs: (Vec<f64>, Vec<f64>) = mine.iter().filter_map(|(key, value)| Some((*value, *theirs.get(key)?))).unzip();
    let Some(change) = paired_difference(&pairs.0, &pairs.1) else { return Some(untested("too few documents")) };
    let mark = match (less, change.high < 0.0, change.low > 0.0) {
        (true, true, _) => Mark::Confirmed,
        (true, _, true) => Mark::Contradicted,
        _ => Mark::NotTested,
    };
    let made = format!("{}; paired by document, this minus linear", evidence::made_of(question));
    Some(Link {
        measured: format!(
            "{} against {}, n = {}",
            numbers::estimate("nats/token", &change, numbers::change),
            uniform.label(),
            change.n
        ),
        sources: vec![sources.rows(
            question,
            &chosen.cell,
            Some(uniform),
            &evidence::filter(dossier.run, question),
            &made,
        )],
        mark,
        ..untested("")
    })
}

/// The same positional work should take the same time.
fn work(chosen: &Candidate, facts: &Facts) -> Option<Link> {
    let flops = |explanation: &Explanation| explanation.work.steps.last().map(|step| step.flops);
    let (mine, theirs) = (flops(&facts.chosen)?, flops(facts.unscaled.as_ref()?)?);
    let same = mine <= theirs;
    let standing = chosen.standing(Question::Latency);
    let measured = standing.and_then(|standing| standing.change.map(|ratio| (standing, ratio)));
    let (measured, mark, sources) = match measured {
        Some((standing, ratio)) => (
            format!(
                "{} {} of the unscaled model's time ({}, n = {})",
                standing.timing.as_deref().unwrap_or_default(),
                numbers::estimate("ratio", &ratio, numbers::change),
                standing.ruling.words(),
                ratio.n
            ),
            // What is expected to be slower is decoding; another timing says nothing of it.
            if same || standing.timing.as_deref().is_some_and(|timing| timing.starts_with("decode")) {
                Mark::of(!same, standing.ruling)
            } else {
                Mark::NotTested
            },
            standing.sources.clone(),
        ),
        None => (
            standing.and_then(|standing| standing.why.clone()).unwrap_or_else(|| "nothing was timed".to_owned()),
            Mark::NotTested,
            Vec::new(),
        ),
    };
    Some(Link {
        mechanism: format!(
            "{}: {} positional flops a decoded token, the unscaled model {}",
            chosen.label,
            Tokens(mine),
            Tokens(theirs)
        ),
        expected: if same { "latency unchanged" } else { "decoding slower" }.to_owned(),
        measured,
        mark,
        sources,
    })
}

/// A linear penalty at every distance should cost far recall, whatever the loss does.
fn recency(dossier: &Dossier<'_>, all: &[Candidate], facts: &Facts, sources: &mut Sources) -> Option<Link> {
    let explanation = facts.alibi.as_ref()?;
    let What::Slopes(slopes) = &explanation.mechanism else { return None };
    let (trained, target) = (dossier.run.trained, dossier.run.target);
    let far = slopes.heads.iter().filter(|head| head.falls_by_e_at >= target.as_f64()).count();
    let cell = cell_of(dossier, all, "alibi");
    let row = cell.as_ref().and_then(|cell| stability(dossier, cell));
    let recalled = row.and_then(|row| Some((row.recall_inside?, row.recall_beyond?)));
    let (measured, mark) = match recalled {
        Some((inside, beyond)) => (
            format!(
                "{} of the facts beyond, {} inside (n = {})",
                numbers::estimate("share", &beyond, numbers::value),
                numbers::estimate("share", &inside, numbers::value),
                beyond.n
            ),
            // Intervals that do not meet tell the two apart; where nothing is recalled inside, nothing can be lost beyond.
            if inside.low <= 0.0 {
                Mark::NotTested
            } else if beyond.high < inside.low {
                Mark::of(far == 0, Ruling::Worse)
            } else if beyond.low >= inside.high {
                Mark::of(far == 0, Ruling::Better)
            } else {
                Mark::NotTested
            },
        ),
        None => ("not measured in this run".to_owned(), Mark::NotTested),
    };
    let sources = match (&cell, recalled) {
        (Some(cell), Some(_)) => vec![candidates::rows(dossier, Question::Retrieval, cell, sources)],
        _ => Vec::new(),
    };
    Some(Link {
        mechanism: format!(
            "ALiBi: {} of {} heads keep a key's weight within a factor e at {} tokens",
            far,
            slopes.heads.len(),
            target
        ),
        expected: if far == 0 {
            format!("facts beyond {trained} tokens are recalled less often than nearer ones")
        } else {
            format!("facts beyond {trained} tokens are recalled as nearer ones are")
        },
        measured,
        mark,
        sources,
    })
}
