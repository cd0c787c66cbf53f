//! Method, factor or both: the rule that names an axis, and how sure it is.

use crate::findings::Axis;
use crate::stats::{CONFIDENCE, Estimate, Resamples, Standing, mean, ratio, standing};

/// A repair must remove at least this share of the damage to count as one.
const MENDS: f64 = 0.5;

/// Moving both axes must remove at least this share of the damage more than moving one, to be preferred.
const MORE_BY_BOTH: f64 = 0.25;

/// The damage of the deployed cell and what each repair leaves of it, document by document.
#[derive(Clone, Debug)]
pub(super) struct Contest<'a> {
    pub(super) damage: &'a [f64],
    /// Left by the best other method at the same factor; absent if no such cell may count.
    pub(super) method: Option<&'a [f64]>,
    /// Left by the best other factor of the same method.
    pub(super) factor: Option<&'a [f64]>,
    /// Left by the best cell that moves both.
    pub(super) both: Option<&'a [f64]>,
    pub(super) tolerance: f64,
    pub(super) resamples: &'a Resamples,
}

/// What the rule says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Decision {
    /// Method, factor, interaction or undecided.
    pub(super) axis: Axis,
    /// Why it is undecided.
    pub(super) doubt: Option<Doubt>,
    /// Share of resamples in which the rule names each axis.
    pub(super) shares: [(Axis, f64); 4],
    /// Share of the damage that each repair removes, where it has an interval.
    pub(super) fractions: [(Axis, Option<Estimate>); 3],
}

/// Why no axis is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// Either switch repairs it.
    EitherRepairs,
    /// No cell of the grid removes half of the damage.
    NothingRepairs,
    /// The intervals overlap.
    TooFewDocuments,
}

impl Decision {
    pub(super) fn share(&self, axis: Axis) -> f64 {
        self.shares.iter().find(|(other, _)| *other == axis).map_or(0.0, |(_, share)| *share)
    }

    pub(super) fn fraction(&self, axis: Axis) -> Option<Estimate> {
        self.fractions.iter().find(|(other, _)| *other == axis).and_then(|(_, fraction)| *fraction)
    }
}

/// Mean damages: of the deployed cell, and left by each repair.
#[derive(Clone, Copy, Debug)]
struct Means {
    damage: f64,
    method: f64,
    factor: f64,
    both: f64,
}

/// The rule on bare means; [`decide`] asks it of all documents and of every resample.
///
/// A repair mends if it removes half of the damage. The better single switch wins if the other leaves more by over the
/// tolerance; two switches win over one only where they remove decidedly more.
fn rule(means: Means, tolerance: f64) -> Axis {
    let mends = |left: f64| left <= (1.0 - MENDS) * means.damage;
    let single = means.method.min(means.factor);
    let both_is_better = single - means.both > margin(means.damage, tolerance);
    if mends(single) && !both_is_better {
        if means.factor - means.method > tolerance {
            Axis::Method
        } else if means.method - means.factor > tolerance {
            Axis::Factor
        } else {
            Axis::Undecided
        }
    } else if mends(means.both) {
        Axis::Interaction
    } else {
        Axis::Undecided
    }
}

fn margin(damage: f64, tolerance: f64) -> f64 {
    tolerance.max(MORE_BY_BOTH * damage)
}

/// Names the axis if the rule names it on all documents, in 95 % of the resamples, and the intervals agree.
pub(super) fn decide(contest: &Contest) -> Option<Decision> {
    let resamples = contest.resamples;
    let draws = |values: Option<&[f64]>| resamples.means(values.unwrap_or(contest.damage));
    let (damage, method) = (draws(Some(contest.damage))?, draws(contest.method)?);
    let (factor, both) = (draws(contest.factor)?, draws(contest.both)?);
    let of = |values: Option<&[f64]>| mean(values.unwrap_or(contest.damage));
    let all = Means {
        damage: of(Some(contest.damage))?,
        method: of(contest.method)?,
        factor: of(contest.factor)?,
        both: of(contest.both)?,
    };
    let mut shares = [(Axis::Method, 0.0), (Axis::Factor, 0.0), (Axis::Interaction, 0.0), (Axis::Undecided, 0.0)];
    for (((damage, method), factor), both) in damage.iter().zip(&method).zip(&factor).zip(&both) {
        let means = Means { damage: *damage, method: *method, factor: *factor, both: *both };
        let axis = rule(means, contest.tolerance);
        if let Some(share) = shares.iter_mut().find(|(other, _)| *other == axis) {
            share.1 += 1.0;
        }
    }
    for (_, share) in &mut shares {
        *share /= damage.len() as f64;
    }
    // What is left is a ratio; what is removed is the rest.
    let fraction = |left: Option<&[f64]>| {
        let left = ratio(left?, contest.damage, CONFIDENCE)?;
        Some(left.negated().rescaled(|negated| 1.0 + negated))
    };
    let fractions = [
        (Axis::Method, fraction(contest.method)),
        (Axis::Factor, fraction(contest.factor)),
        (Axis::Interaction, fraction(contest.both)),
    ];
    let mut decision = Decision { axis: rule(all, contest.tolerance), doubt: None, shares, fractions };
    let sure = decision.share(decision.axis) >= CONFIDENCE && confirmed(contest, &decision, all);
    if decision.axis == Axis::Undecided || !sure {
        decision.axis = Axis::Undecided;
        decision.doubt = Some(doubt(&decision));
    }
    Some(decision)
}

/// Whether the intervals say what the means say; they are honest for few documents, bare resamples are not.
fn confirmed(contest: &Contest, decision: &Decision, all: Means) -> bool {
    let above = |more: Option<&[f64]>, less: Option<&[f64]>, tolerance: f64| {
        let (more, less) = (more.unwrap_or(contest.damage), less.unwrap_or(contest.damage));
        let differences: Vec<f64> = more.iter().zip(less).map(|(more, less)| more - less).collect();
        contest
            .resamples
            .mean(&differences, CONFIDENCE)
            .is_some_and(|difference| standing(&difference, tolerance) == Standing::Above)
    };
    let mends = decision.fraction(decision.axis).is_some_and(|fraction| fraction.low >= MENDS);
    let single = if all.method <= all.factor { (Axis::Method, contest.method) } else { (Axis::Factor, contest.factor) };
    mends
        && match decision.axis {
            Axis::Method => above(contest.factor, contest.method, contest.tolerance),
            Axis::Factor => above(contest.method, contest.factor, contest.tolerance),
            Axis::Interaction => {
                let fails = decision.fraction(single.0).is_none_or(|fraction| fraction.high < MENDS);
                fails || above(single.1, contest.both, margin(all.damage, contest.tolerance))
            }
            _ => false,
        }
}

fn doubt(decision: &Decision) -> Doubt {
    let fraction = |axis| decision.fraction(axis);
    let mends = |axis| fraction(axis).is_some_and(|fraction: Estimate| fraction.low >= MENDS);
    if mends(Axis::Method) && mends(Axis::Factor) {
        Doubt::EitherRepairs
    } else if decision.fractions.iter().all(|(_, fraction)| fraction.is_none_or(|fraction| fraction.high < MENDS)) {
        Doubt::NothingRepairs
    } else {
        Doubt::TooFewDocuments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(method: f64, factor: f64, both: f64) -> Decision {
        let noise = [0.01, -0.01, 0.004, -0.004, 0.008, -0.008, 0.002, -0.002];
        let around = |centre: f64| -> Vec<f64> { noise.iter().map(|x| centre + x).collect() };
        let (damage, method, factor, both) = (around(1.2), around(method), around(factor), around(both));
        decide(&Contest {
            damage: &damage,
            method: Some(&method),
            factor: Some(&factor),
            both: Some(&both),
            tolerance: 0.02,
            resamples: &Resamples::new(8).unwrap(),
        })
        .unwrap()
    }

    #[test]
    fn the_switch_that_repairs_names_the_axis() {
        assert_eq!(decided(0.02, 0.9, 0.02).axis, Axis::Method);
        assert_eq!(decided(0.9, 0.02, 0.02).axis, Axis::Factor);
        assert_eq!(decided(0.9, 1.1, 0.02).axis, Axis::Interaction);
    }

    #[test]
    fn doubt_says_why() {
        assert_eq!(decided(0.02, 0.02, 0.02).doubt, Some(Doubt::EitherRepairs));
        assert_eq!(decided(1.0, 1.1, 1.2).doubt, Some(Doubt::NothingRepairs));
        assert_eq!(decided(0.6, 1.1, 1.2).doubt, Some(Doubt::TooFewDocuments));
    }

    #[test]
    fn two_switches_must_be_decidedly_better_than_one() {
        assert_eq!(decided(0.3, 0.9, 0.1).axis, Axis::Method);
        assert_eq!(decided(0.5, 0.9, 0.0).axis, Axis::Interaction);
    }

    #[test]
    fn the_shares_add_up() {
        let total: f64 = decided(0.02, 0.9, 0.02).shares.iter().map(|(_, share)| share).sum();
        assert!((total - 1.0).abs() < 1e-9);
    }
}
