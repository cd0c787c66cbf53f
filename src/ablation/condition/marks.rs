//! Which place of the engine the battery blames, and why.

use super::signature::{MATERIAL, Signature};
use crate::faults::Site;
use crate::measurement::{Quantity, Reading};
use crate::probes::battery::Family;
use crate::stats::{CONFIDENCE, Estimate};

/// Rounding to 8 bits of mantissa (bfloat16) changes a number by up to this share; a wrong formula changes some pair by more.
const ROUNDING: f64 = 1.0 / 256.0;

/// What rounding leaves of a phase or a bias is at most this share of it: positions, frequencies and tables may all be rounded.
const ROUNDED: f64 = 4.0 * ROUNDING;

/// Readings of the engine's insides are exact up to this share; single precision is a thousand times finer.
const EXACT: f64 = 1e-4;

/// A bias that is off by more logits than this is another one.
const BIAS: f64 = 1e-3;

/// A place that the battery blames.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// The place.
    pub site: Site,
    /// The numbers that say so.
    pub evidence: String,
    /// The first position where the engine's insides are wrong, if they say so.
    pub onset: Option<Estimate>,
}

impl Mark {
    fn new(site: Site, evidence: String) -> Self {
        Self { site, evidence, onset: None }
    }
}

/// The places that are to blame, the surest first; empty where nothing differs.
///
/// Outputs decide whether anything is wrong; insides say where. A rotation that differs and changes no output is none.
#[must_use]
pub fn marks(signature: &Signature, readings: &[Reading]) -> Vec<Mark> {
    if signature.divergent.is_empty() {
        return Vec::new();
    }
    let differs = |family: Family| signature.divergent.iter().any(|one| Family::of(&one.witness) == family);
    let plain = signature.divergent.iter().filter(|one| Family::of(&one.witness) == Family::Plain);
    let short = plain.clone().any(|one| one.witness == "alone");
    let mut marks = Vec::new();
    if plain.count() > 0 {
        let inside = insides(readings);
        let stays = signature.divergent.iter().find(|one| one.witness == "order").filter(|_| !short);
        if let Some(order) = stays {
            marks.push(Mark::new(
                Site::State,
                format!(
                    "a short request is answered as by the healthy replay in a fresh process, and {} nats/token away from it after a long one",
                    words(order.mean)
                ),
            ));
        }
        if inside.is_empty() && stays.is_none() {
            marks.push(unseen(readings));
        }
        marks.extend(inside);
    }
    // Where a request by itself is answered wrongly, its company is to blame only if it makes a difference of its own.
    for (family, site, what) in [
        (Family::Cache, Site::Cache, "through the cache"),
        (Family::Batch, Site::Batch, "in a batch"),
        (Family::Order, Site::State, "after another request"),
    ] {
        let own = signature.inconsistent.iter().find(|(other, _)| *other == family).map(|(_, worst)| *worst);
        if let (true, Some(worst)) = (differs(family), own)
            && marks.iter().all(|mark| mark.site != site)
        {
            marks.push(Mark::new(
                site,
                format!(
                    "{what} the same tokens are answered up to {} nats/token away from the engine's own answer without",
                    words(worst)
                ),
            ));
        }
    }
    if marks.is_empty() {
        let by_family = [(Family::Cache, Site::Cache), (Family::Batch, Site::Batch), (Family::Order, Site::State)];
        marks.extend(by_family.into_iter().filter(|(family, _)| differs(*family)).map(|(_, site)| {
            Mark::new(site, "only requests of this kind are answered otherwise than by the healthy replay".to_owned())
        }));
    }
    marks
}

/// What is left where outputs differ and every reading of rotation, bias and temperature is as declared.
fn unseen(readings: &[Reading]) -> Mark {
    let mut why =
        "rotation, bias and temperature are applied as declared, so what differs is which tokens are seen".to_owned();
    let influence = |repeat: u32| {
        let rows = readings.iter().filter(|row| row.quantity == Quantity::Influence && row.repeat == repeat);
        rows.map(|row| row.value).collect::<Vec<_>>()
    };
    if let (Some(own), Some(healthy)) = (crate::stats::mean(&influence(0)), crate::stats::mean(&influence(1))) {
        why.push_str(&format!(
            "; replacing the first tokens moves later outputs by {} nats/token, in the healthy replay by {}",
            words(own),
            words(healthy)
        ));
    }
    Mark::new(Site::Mask, why)
}

/// The places whose readings differ from the healthy replay's.
fn insides(readings: &[Reading]) -> Vec<Mark> {
    let mut marks = Vec::new();
    marks.extend(layout(readings));
    if marks.is_empty() {
        marks.extend(rotation(readings));
    }
    let has_table = marks.iter().any(|mark| mark.site == Site::Table);
    marks.extend(temperature(readings).filter(|_| !has_table));
    marks.extend(bias(readings));
    marks.extend(sight(readings));
    marks
}

fn values<'a>(readings: &'a [Reading], probe: &'a str, quantity: Quantity) -> impl Iterator<Item = &'a Reading> {
    readings.iter().filter(move |reading| reading.probe == probe && reading.quantity == quantity)
}

fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |most, value| if value.is_nan() { f64::INFINITY } else { most.max(value.abs()) })
}

fn layout(readings: &[Reading]) -> Option<Mark> {
    let mixing = largest(values(readings, "rotation", Quantity::Mixing).map(|reading| reading.value));
    if mixing > EXACT {
        let why = format!(
            "up to {} % of a pair of dimensions lands outside of what its rotation explains",
            words(100.0 * mixing)
        );
        return Some(Mark::new(Site::Layout, why));
    }
    let ratios: Vec<f64> =
        values(readings, "rotation", Quantity::FrequencyRatio).map(|reading| reading.value).collect();
    let backwards = !ratios.is_empty() && ratios.iter().all(|ratio| (ratio + 1.0).abs() < ROUNDED);
    // Queries that turn one way and keys the other show in the phases of one side alone.
    let negated = backwards || one_side(readings);
    negated.then(|| Mark::new(Site::Layout, "queries and keys do not turn the same way".to_owned()))
}

/// Whether only queries, or only keys, have errors of the phase.
fn one_side(readings: &[Reading]) -> bool {
    let side = |repeat: u32| {
        largest(
            values(readings, "rotation", Quantity::PhaseError)
                .filter(|reading| reading.repeat == repeat && reading.at.from == Some(1))
                .map(|reading| reading.value),
        )
    };
    let (queries, keys) = (side(0), side(1));
    (queries > ROUNDED) != (keys > ROUNDED)
}

/// Frequencies, tables and their precision.
fn rotation(readings: &[Reading]) -> Vec<Mark> {
    let mut marks = Vec::new();
    let off = largest(values(readings, "rotation", Quantity::FrequencyRatio).map(|reading| reading.value - 1.0));
    let left = values(readings, "precision", Quantity::RelativeError).next();
    // Where far phases are right again, it is the near rows of a table that are wrong.
    let far = readings
        .iter()
        .filter(|reading| reading.probe == "rotation" && reading.quantity == Quantity::PhaseError)
        .filter_map(|reading| reading.at.from)
        .max();
    let far_error = largest(
        values(readings, "rotation", Quantity::PhaseError)
            .filter(|reading| far.is_some() && reading.at.from == far)
            .map(|reading| reading.value),
    );
    let right_again = far.is_some() && far_error < EXACT * 10.0;
    if off > ROUNDING && !right_again {
        let slowest =
            values(readings, "rotation", Quantity::FrequencyRatio).last().map_or(1.0, |reading| reading.value);
        marks.push(Mark::new(
            Site::Frequencies,
            format!(
                "effective inverse frequencies differ from the declared ones by up to {} %; the slowest pair turns {} times as fast",
                words(100.0 * off),
                words(slowest)
            ),
        ));
    } else if off > EXACT && !right_again {
        let why = format!("effective inverse frequencies differ by up to {} %, which is rounding", words(100.0 * off));
        marks.push(Mark::new(Site::Precision, why));
    }
    if let Some(left) = left {
        let (from, to) = (left.at.from.unwrap_or(0), left.at.to.unwrap_or(0));
        let begins = if right_again && off > ROUNDING { 0 } else { from };
        let (site, what) =
            if left.value > ROUNDED { (Site::Table, "another rotation") } else { (Site::Precision, "rounding") };
        // Beside wrong frequencies the fit itself leaves a little; only a table is then a place of its own.
        if marks.iter().all(|mark| mark.site != site) && (marks.is_empty() || site == Site::Table) {
            let why = format!(
                "from position {begins} on phases are off by up to {} of themselves, which is {what}",
                words(left.value)
            );
            let onset = Estimate {
                point: f64::from(to.saturating_sub(1)),
                low: f64::from(from),
                high: f64::from(to.saturating_sub(1)),
                confidence: CONFIDENCE,
                n: left.count as usize,
            };
            marks.push(Mark { site, evidence: why, onset: (begins > 0).then_some(onset) });
        }
    }
    marks
}

fn temperature(readings: &[Reading]) -> impl Iterator<Item = Mark> {
    let all: Vec<f64> = readings
        .iter()
        .filter(|reading| reading.quantity == Quantity::Temperature)
        .map(|reading| reading.value)
        .collect();
    let off = largest(all.iter().map(|ratio| ratio - 1.0));
    // Rounded tables are a little longer or shorter than 1.
    (off > ROUNDED)
        .then(|| {
            let extreme = all.iter().copied().max_by(|a, b| (a - 1.0).abs().total_cmp(&(b - 1.0).abs())).unwrap_or(1.0);
            Mark::new(Site::Temperature, format!("attention logits are {} times the declared ones", words(extreme)))
        })
        .into_iter()
}

fn bias(readings: &[Reading]) -> Option<Mark> {
    let errors = || values(readings, "bias", Quantity::BiasError);
    let off = largest(errors().map(|reading| reading.value));
    if off <= BIAS {
        return None;
    }
    let relative = largest(values(readings, "bias", Quantity::RelativeError).map(|reading| reading.value));
    let rounded = relative <= ROUNDED && relative > 0.0;
    let (site, what) = if rounded { (Site::Precision, "rounding") } else { (Site::Bias, "another bias") };
    Some(Mark::new(
        site,
        format!("the bias is off by up to {} logits, {} of its largest value: {what}", words(off), words(relative)),
    ))
}

fn sight(readings: &[Reading]) -> Option<Mark> {
    let wrong: Vec<&Reading> = readings
        .iter()
        .filter(|reading| reading.probe == "bias" && reading.quantity == Quantity::Sight && reading.value != 0.0)
        .collect();
    let nearest = wrong.iter().filter_map(|reading| reading.at.distance_from).min()?;
    let seen = wrong.iter().any(|reading| reading.value > 0.0);
    let what = if seen { "seen that the declared mask hides" } else { "hidden that the declared mask shows" };
    Some(Mark::new(Site::Mask, format!("keys at a distance of {nearest} tokens and more are {what}")))
}

fn words(value: f64) -> String {
    super::words::number(value)
}

/// The smallest difference that is spoken of, in words.
pub(super) fn threshold() -> String {
    format!("{MATERIAL} nats/token")
}
