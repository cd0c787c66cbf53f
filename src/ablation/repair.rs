//! The best repair among candidates, without flattering itself.

use crate::measurement::{Cell, spoken};
use crate::stats::mean;

/// Fewer documents are not split into halves.
const FEWEST_TO_SPLIT: usize = 4;

/// The best of some candidates and the damage that it leaves.
#[derive(Clone, Debug)]
pub(super) struct Repaired<'a> {
    /// The cell with the least damage over all documents.
    pub(super) cell: &'a Cell,
    /// The damage that is left on each document, by the cell that the other half of the documents chose.
    pub(super) left: Vec<f64>,
    /// What a reader must know of the choice.
    pub(super) remark: Option<String>,
}

/// A candidate: its cell and its damage on each document.
pub(super) type Candidate<'a> = (&'a Cell, &'a [f64]);

/// The best candidate by cross-fitting; nothing without candidates.
///
/// Even documents choose the cell that odd documents are estimated with, and the other way round: every
/// document is used, and none helps to choose the cell that it is estimated with.
pub(super) fn repaired<'a>(candidates: &[Candidate<'a>]) -> Option<Repaired<'a>> {
    let n = candidates.first()?.1.len();
    let (cell, damage) = best(candidates, |_| true)?;
    let mut repaired = Repaired { cell, left: damage.to_vec(), remark: None };
    if candidates.len() == 1 {
        return Some(repaired);
    }
    if n < FEWEST_TO_SPLIT {
        repaired.remark = Some(format!(
            "{} was chosen and estimated on the same {n} documents, so its repair flatters itself a little",
            spoken(&cell.label())
        ));
        return Some(repaired);
    }
    let by_even = best(candidates, |document| document % 2 == 0)?;
    let by_odd = best(candidates, |document| document % 2 == 1)?;
    repaired.left = by_odd
        .1
        .iter()
        .zip(by_even.1)
        .enumerate()
        .map(|(document, (for_even, for_odd))| if document % 2 == 0 { *for_even } else { *for_odd })
        .collect();
    if by_even.0 != by_odd.0 {
        let (even, odd) = (spoken(&by_even.0.label()), spoken(&by_odd.0.label()));
        repaired.remark = Some(format!("the two halves of the documents chose {even} and {odd}"));
    }
    Some(repaired)
}

/// The candidate with the least mean damage over the documents that count.
fn best<'a>(candidates: &[Candidate<'a>], counts: impl Fn(usize) -> bool) -> Option<Candidate<'a>> {
    let over = |damage: &[f64]| {
        let kept: Vec<f64> =
            damage.iter().enumerate().filter(|(document, _)| counts(*document)).map(|(_, value)| *value).collect();
        mean(&kept).unwrap_or(f64::INFINITY)
    };
    candidates.iter().copied().min_by(|a, b| over(a.1).total_cmp(&over(b.1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::positions::AnyMethod;
    use crate::stats::random::Random;
    use crate::units::Stretch;

    #[test]
    fn picking_the_least_of_equal_cells_does_not_flatter_itself() {
        let cells: Vec<Cell> =
            (2..10).map(|factor| Cell::grid(AnyMethod::named("ntk").unwrap(), Stretch(f64::from(factor)))).collect();
        let mut random = Random::new(5);
        let (mut crossed, mut naive) = (0.0, 0.0);
        let runs = 400;
        for _ in 0..runs {
            let damages: Vec<Vec<f64>> = cells.iter().map(|_| (0..8).map(|_| random.normal()).collect()).collect();
            let candidates: Vec<Candidate> = cells.iter().zip(&damages).map(|(c, d)| (c, d.as_slice())).collect();
            crossed += mean(&repaired(&candidates).unwrap().left).unwrap() / f64::from(runs);
            naive += mean(best(&candidates, |_| true).unwrap().1).unwrap() / f64::from(runs);
        }
        assert!(crossed.abs() < 0.06, "{crossed}");
        assert!(naive < -0.3, "{naive}");
    }
}
