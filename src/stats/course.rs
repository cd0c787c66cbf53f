//! Where along the sequence damage begins, and how it goes on from there.
//!
//! # What it does
//! Fits four courses to the damage by position: the same everywhere; growing with the position; a step at `N`; growing
//! from `N` on. The simplest that fits is chosen by the criterion of Schwarz (1978), and whole documents are drawn again
//! for how sure the choice is and for the interval of `N`.
//!
//! # Formula
//! The mean of a bin is `level + rise * phi`, with `phi` the bin's mean of `x`, of `[x >= N]` or of `max(0, x - N)`, so that
//! a change inside of a bin shows as a part of it. Weights are `1 / (error^2 + allowance^2)`: two bins are as different
//! as their documents and the allowance say. The criterion adds `ln(bins)` for each number that is fitted; an `N` that was
//! named in advance (the trained length, a window, the end of a table) is none.
//!
//! The interval of `N` holds every place whose misfit exceeds the best by no more than what 95 % of the draws lose at the
//! place of the whole sample: a likelihood ratio calibrated by the bootstrap, since percentiles of a change point's
//! draws are known to be short.

use super::bootstrap::{CONFIDENCE, Resamples, quantile, student_quantile};
use super::{Estimate, mean};

/// Draws of documents; the shares of four courses need no more.
const DRAWS: usize = 1_000;

/// Places tried within a bin, besides its ends.
const WITHIN: usize = 8;

/// Places tried in all; more bins have fewer places within each.
const MOST_PLACES: usize = 256;

/// The quantile of the normal distribution at 97.5 %.
const NORMAL: f64 = 1.959_963_984_540_054;

/// A half-open range of positions in tokens.
pub type Bin = (u32, u32);

/// Damage by bin of positions, document by document.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    bins: Vec<Bin>,
    /// One row a document, one value a bin.
    documents: Vec<Vec<f64>>,
}

/// What a fit is told in advance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setting<'a> {
    /// Damages that differ by less are alike, in the unit of the damage; above 0.
    pub allowance: f64,
    /// Positions at which something is known to change: the trained length, a window, the end of a table.
    pub landmarks: &'a [u32],
}

/// How damage goes along the sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// The same everywhere.
    Constant,
    /// In proportion to the position.
    Growing,
    /// One level before a place, another from it on.
    Step,
    /// One level before a place, growing from it on.
    Bend,
}

/// The course that fits, and where it changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Which one.
    pub course: Course,
    /// Share of the draws in which the same course is chosen, 0 to 1.
    pub confidence: f64,
    /// Where the damage changes, in tokens; only of [`Course::Step`] and [`Course::Bend`].
    pub onset: Option<Estimate>,
    /// The damage before the change; at the first bin where it grows throughout.
    pub level: Estimate,
    /// What the change adds: in all for a step, per 1,000 tokens where it grows; absent where nothing changes.
    pub rise: Option<Estimate>,
    /// Squared misfit in errors and allowances, per bin beyond the fitted numbers; about 1 or less where the course fits.
    pub misfit: f64,
}

/// One course at one place, ready to be fitted to any values.
#[derive(Clone, Debug)]
struct Candidate {
    course: Course,
    place: f64,
    /// Numbers that are fitted.
    numbers: f64,
    phi: Vec<f64>,
    /// `w (phi - mean)`, and the sum of `w (phi - mean)^2`.
    leverage: Vec<f64>,
    spread: f64,
    /// The weighted mean of `phi`.
    centre: f64,
}

impl Profile {
    /// A profile; nothing unless there are at least 2 documents with one finite value for each of at least 2 ascending
    /// bins.
    #[must_use]
    pub fn new(bins: Vec<Bin>, documents: Vec<Vec<f64>>) -> Option<Self> {
        let whole = |row: &Vec<f64>| row.len() == bins.len() && row.iter().all(|value| value.is_finite());
        let ascend = bins.iter().all(|(from, to)| from < to) && bins.windows(2).all(|pair| pair[0].1 <= pair[1].0);
        let fits = bins.len() >= 2 && ascend && documents.len() >= 2 && documents.iter().all(whole);
        fits.then_some(Self { bins, documents })
    }

    /// The course that fits the damage; nothing where the allowance is no number above 0.
    #[must_use]
    pub fn shape(&self, setting: &Setting<'_>) -> Option<Shape> {
        if !(setting.allowance.is_finite() && setting.allowance > 0.0) {
            return None;
        }
        let weights = self.weights(setting.allowance)?;
        let candidates = self.candidates(setting.landmarks, &weights);
        let means = self.means(0..self.documents.len());
        let (best, misfit) = choose(&candidates, &weights, &means)?;
        let resamples = Resamples::new(self.documents.len())?;
        let draws: Vec<Vec<f64>> =
            resamples.picks().take(DRAWS).map(|pick| self.means(pick.iter().map(|&i| i as usize))).collect();
        let same = draws
            .iter()
            .filter(|draw| choose(&candidates, &weights, draw).is_some_and(|(chosen, _)| chosen.course == best.course));
        let confidence = same.count() as f64 / draws.len() as f64;
        let onset = matches!(best.course, Course::Step | Course::Bend)
            .then(|| self.onset(best, &candidates, &means, &draws))
            .flatten();
        let (levels, rises): (Vec<f64>, Vec<f64>) = self.documents.iter().map(|row| best.fit(&weights, row)).unzip();
        let start = if best.course == Course::Growing { *best.phi.first()? } else { 0.0 };
        let levels: Vec<f64> = levels.iter().zip(&rises).map(|(level, rise)| level + rise * start).collect();
        let unit = if best.course == Course::Step { 1.0 } else { 1_000.0 };
        let rises: Vec<f64> = rises.iter().map(|rise| rise * unit).collect();
        let free = (self.bins.len() as f64 - best.numbers).max(1.0);
        Some(Shape {
            course: best.course,
            confidence,
            onset,
            level: resamples.mean(&levels, CONFIDENCE)?,
            rise: if best.course == Course::Constant { None } else { resamples.mean(&rises, CONFIDENCE) },
            misfit: misfit / free,
        })
    }

    /// The mean of each bin over some documents.
    fn means(&self, documents: impl Iterator<Item = usize>) -> Vec<f64> {
        let mut sums = vec![0.0; self.bins.len()];
        let mut count = 0.0;
        for row in documents.filter_map(|i| self.documents.get(i)) {
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
            count += 1.0;
        }
        sums.into_iter().map(|sum| sum / count).collect()
    }

    /// The weight of each bin: its documents' error and the allowance, squared and turned over.
    fn weights(&self, allowance: f64) -> Option<Vec<f64>> {
        let n = self.documents.len() as f64;
        let weight = |bin: usize| {
            let values: Vec<f64> = self.documents.iter().filter_map(|row| row.get(bin)).copied().collect();
            let centre = mean(&values)?;
            let squares: f64 = values.iter().map(|value| (value - centre).powi(2)).sum();
            Some(1.0 / (squares / (n * (n - 1.0)) + allowance * allowance))
        };
        (0..self.bins.len()).map(weight).collect()
    }

    /// Every course at every place, simplest first: of equal ones the first is chosen.
    fn candidates(&self, landmarks: &[u32], weights: &[f64]) -> Vec<Candidate> {
        let middles: Vec<f64> =
            self.bins.iter().map(|(from, to)| f64::midpoint(f64::from(*from), f64::from(*to))).collect();
        let ready = |course, place, numbers, phi| Candidate::new(course, place, numbers, phi, weights);
        let mut all = vec![ready(Course::Constant, 0.0, 1.0, vec![0.0; self.bins.len()])];
        let at = |course: Course, place: f64, numbers: f64| {
            let phi = self.bins.iter().map(|bin| phi(course, *bin, place)).collect();
            Candidate::new(course, place, numbers, phi, weights)
        };
        let named: Vec<f64> = landmarks.iter().map(|&place| f64::from(place)).collect();
        let within = |places: &[f64], course| -> Vec<f64> {
            places.iter().copied().filter(|place| self.tells(course, *place)).collect()
        };
        for course in [Course::Step, Course::Bend] {
            all.extend(within(&named, course).into_iter().map(|place| at(course, place, 2.0)));
        }
        all.push(ready(Course::Growing, 0.0, 2.0, middles));
        let places = self.places();
        for course in [Course::Step, Course::Bend] {
            all.extend(within(&places, course).into_iter().map(|place| at(course, place, 3.0)));
        }
        all
    }

    /// Whether a change there shows: one whole bin lies before it, and one (for a step) or two after it.
    fn tells(&self, course: Course, place: f64) -> bool {
        let before = self.bins.first().is_some_and(|(_, to)| f64::from(*to) <= place);
        let after = self.bins.iter().rev().nth(usize::from(course == Course::Bend));
        before && after.is_some_and(|(from, _)| place <= f64::from(*from))
    }

    /// Where a change may be: at the beginnings of bins, then within them.
    fn places(&self) -> Vec<f64> {
        let parts = WITHIN.min(MOST_PLACES / self.bins.len()).max(1);
        let inside = self.bins.iter().flat_map(|(from, to)| {
            let (from, to) = (f64::from(*from), f64::from(*to));
            (1..parts).map(move |part| from + (to - from) * part as f64 / parts as f64)
        });
        self.bins.iter().map(|(from, _)| f64::from(*from)).chain(inside).collect()
    }

    /// The place of the change with its interval.
    fn onset(&self, best: &Candidate, candidates: &[Candidate], means: &[f64], draws: &[Vec<f64>]) -> Option<Estimate> {
        let mut places: Vec<&Candidate> = candidates.iter().filter(|other| other.course == best.course).collect();
        places.sort_by(|a, b| a.place.total_cmp(&b.place));
        let best_of = |values: &[f64]| places.iter().map(|place| place.explained(values)).fold(0.0, f64::max);
        let mut draws: Vec<f64> = draws.iter().map(|draw| best_of(draw) - best.explained(draw)).collect();
        draws.sort_unstable_by(f64::total_cmp);
        let n = self.documents.len() as f64;
        // Draws of few documents vary less than documents do.
        let few = n / (n - 1.0) * (student_quantile(f64::midpoint(1.0, CONFIDENCE), n - 1.0)? / NORMAL).powi(2);
        let most = quantile(&draws, CONFIDENCE)? * few;
        let least = best_of(means) - most;
        let kept = |place: &&Candidate| place.explained(means) >= least || place.place == best.place;
        let (first, last) = (places.iter().position(kept)?, places.iter().rposition(kept)?);
        // The change may lie anywhere up to the next place that was tried.
        let (low, high) =
            (places.get(first.saturating_sub(1))?.place, places.get((last + 1).min(places.len() - 1))?.place);
        Some(Estimate { point: best.place, low, high, confidence: CONFIDENCE, n: self.documents.len() })
    }
}

impl Candidate {
    fn new(course: Course, place: f64, numbers: f64, phi: Vec<f64>, weights: &[f64]) -> Self {
        let centre = weighted(weights, &phi);
        let leverage: Vec<f64> = weights.iter().zip(&phi).map(|(w, phi)| w * (phi - centre)).collect();
        let spread = leverage.iter().zip(&phi).map(|(l, phi)| l * (phi - centre)).sum();
        Self { course, place, numbers, phi, leverage, spread, centre }
    }

    /// The rise by weighted least squares.
    fn rise(&self, values: &[f64]) -> f64 {
        let product: f64 = self.leverage.iter().zip(values).map(|(l, value)| l * value).sum();
        if self.spread > 0.0 { product / self.spread } else { 0.0 }
    }

    /// How much of the weighted squares around the mean the rise explains.
    fn explained(&self, values: &[f64]) -> f64 {
        self.rise(values).powi(2) * self.spread
    }

    /// The level before the change, and the rise.
    fn fit(&self, weights: &[f64], values: &[f64]) -> (f64, f64) {
        let rise = self.rise(values);
        (weighted(weights, values) - rise * self.centre, rise)
    }
}

/// The weighted mean.
fn weighted(weights: &[f64], values: &[f64]) -> f64 {
    weights.iter().zip(values).map(|(w, value)| w * value).sum::<f64>() / weights.iter().sum::<f64>()
}

/// Weighted squares around the weighted mean.
fn total(weights: &[f64], values: &[f64]) -> f64 {
    let centre = weighted(weights, values);
    weights.iter().zip(values).map(|(w, value)| w * (value - centre).powi(2)).sum()
}

/// The candidate with the least criterion, and its squared misfit.
fn choose<'a>(candidates: &'a [Candidate], weights: &[f64], values: &[f64]) -> Option<(&'a Candidate, f64)> {
    let price = (values.len() as f64).ln();
    let total = total(weights, values);
    let mut best: Option<(f64, &Candidate, f64)> = None;
    for candidate in candidates {
        let misfit = (total - candidate.explained(values)).max(0.0);
        let criterion = misfit + price * candidate.numbers;
        // Rounding alone must not prefer a later, less simple one.
        if best.as_ref().is_none_or(|(least, ..)| criterion < least - 1e-9) {
            best = Some((criterion, candidate, misfit));
        }
    }
    best.map(|(_, candidate, misfit)| (candidate, misfit))
}

/// What a change at a place adds to the mean of a bin, for a rise of 1.
fn phi(course: Course, (from, to): Bin, place: f64) -> f64 {
    let (from, to) = (f64::from(from), f64::from(to));
    let beyond = (to - place.max(from)).max(0.0);
    match course {
        Course::Constant => 0.0,
        Course::Growing => f64::midpoint(from, to),
        Course::Step => beyond / (to - from),
        Course::Bend => beyond * (f64::midpoint(place.max(from), to) - place) / (to - from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::random::Random;

    const BINS: [Bin; 6] = [(0, 64), (64, 256), (256, 1024), (1024, 2048), (2048, 4096), (4096, 8192)];

    /// The course of some means, with documents that differ by a little.
    fn course(points: [f64; 6], allowance: f64) -> Shape {
        let documents = (0..8).map(|i| points.map(|y| y + 0.01 * (f64::from(i) / 3.5 - 1.0)).to_vec()).collect();
        let profile = Profile::new(BINS.to_vec(), documents).unwrap();
        profile.shape(&Setting { allowance, landmarks: &[2048] }).unwrap()
    }

    #[test]
    fn courses_are_told_apart() {
        let constant = course([1.1, 1.3, 1.3, 1.4, 1.3, 1.4], 0.14);
        assert_eq!((constant.course, constant.onset, constant.rise), (Course::Constant, None, None));
        assert_eq!(course([0.05, 0.1, 0.2, 0.3, 0.6, 1.4], 0.14).course, Course::Growing);
        let step = course([0.0, 0.0, 0.0, 0.0, -0.02, 0.5], 0.05);
        assert_eq!((step.course, step.onset.unwrap().point), (Course::Step, 4096.0));
        assert!((step.rise.unwrap().point - 0.5).abs() < 0.02 && step.level.point.abs() < 0.02, "{step:?}");
        let bend = course([0.0, 0.0, 0.0, 0.0, 0.3, 1.4], 0.14);
        assert_eq!((bend.course, bend.onset.unwrap().point), (Course::Bend, 2048.0));
        assert!(course([0.5, 0.0, 0.5, 0.0, 0.5, 0.0], 0.05).misfit > 3.0);
        assert!(step.misfit < 1.0 && bend.misfit < 1.0 && constant.misfit < 1.0);
    }

    #[test]
    fn a_place_within_a_bin_is_seen_by_its_part() {
        let even: Vec<Bin> = (0..16).map(|i| (512 * i, 512 * (i + 1))).collect();
        let rows = (0..8).map(|i| {
            let own = 0.001 * f64::from(i);
            even.iter().map(|bin| own + 0.4 * phi(Course::Step, *bin, 3000.0)).collect()
        });
        let profile = Profile::new(even.clone(), rows.collect()).unwrap();
        let found = profile.shape(&Setting { allowance: 0.02, landmarks: &[2048] }).unwrap();
        let onset = found.onset.unwrap();
        assert_eq!(found.course, Course::Step);
        assert!(onset.low <= 3000.0 && 3000.0 <= onset.high && onset.high - onset.low < 600.0, "{onset:?}");
    }

    #[test]
    fn what_is_no_profile_is_refused() {
        let rows = |width: usize| vec![vec![0.0; width]; 3];
        assert!(Profile::new(BINS.to_vec(), rows(5)).is_none());
        assert!(Profile::new(vec![(0, 64)], rows(1)).is_none());
        assert!(Profile::new(vec![(64, 128), (0, 64)], rows(2)).is_none());
        assert!(Profile::new(BINS.to_vec(), vec![vec![0.0; 6]]).is_none());
        assert!(Profile::new(BINS.to_vec(), vec![vec![f64::NAN; 6]; 3]).is_none());
        let profile = Profile::new(BINS.to_vec(), rows(6)).unwrap();
        assert_eq!(profile.shape(&Setting { allowance: 0.0, landmarks: &[] }), None);
    }

    /// Share of simulated experiments whose onset's interval holds the truth, and the mean width of the intervals in bins.
    fn coverage(documents: usize, course: Course, truth: f64, noise: f64) -> (f64, f64) {
        let even: Vec<Bin> = (0..16).map(|i| (512 * i, 512 * (i + 1))).collect();
        let (experiments, mut covered, mut found, mut width) = (250, 0, 0, 0.0);
        let mut random = Random::new(21);
        let unit = if course == Course::Step { 0.3 } else { 0.3 / 2_000.0 };
        for _ in 0..experiments {
            let rows = (0..documents).map(|_| {
                let own = 0.05 * random.normal();
                even.iter().map(|bin| own + unit * phi(course, *bin, truth) + noise * random.normal()).collect()
            });
            let profile = Profile::new(even.clone(), rows.collect()).unwrap();
            let Some(onset) = profile.shape(&Setting { allowance: 0.02, landmarks: &[2048] }).unwrap().onset else {
                continue;
            };
            found += 1;
            covered += usize::from((onset.low..=onset.high).contains(&truth));
            width += (onset.high - onset.low) / 512.0;
        }
        assert!(found * 10 > experiments * 9, "{found} of {experiments} have an onset");
        (f64::from(covered as u32) / f64::from(found as u32), width / f64::from(found as u32))
    }

    #[test]
    fn the_interval_of_the_onset_holds_the_truth() {
        let measured: Vec<_> = [(8, 2048.0), (8, 2900.0), (16, 3300.0), (50, 2900.0)]
            .into_iter()
            .flat_map(|(n, truth)| {
                [Course::Step, Course::Bend].map(|course| (n, course, truth, coverage(n, course, truth, 0.1)))
            })
            .collect();
        assert!(measured.iter().all(|(.., (share, width))| *share >= 0.93 && *width < 4.0), "{measured:#?}");
    }
}
