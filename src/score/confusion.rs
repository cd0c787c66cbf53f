//! The confusion matrix by place.

use serde::{Deserialize, Serialize};

use super::{Kind, Row};
use crate::faults::Site;
use crate::findings::Axis;

/// How often each true place was diagnosed as each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Confusion {
    /// Names of rows (truth) and columns (diagnosis): the places, `none`, and `undecided`.
    pub names: Vec<String>,
    /// Counts, `[truth][diagnosis]`.
    pub counts: Vec<Vec<usize>>,
}

/// The names behind the places.
const NONE: &str = "none";
const UNDECIDED: &str = "undecided";

impl Confusion {
    /// The matrix of the rows of some kinds; a pair counts for neither of its places.
    #[must_use]
    pub fn of(rows: &[Row], kinds: &[Kind]) -> Self {
        let mut names: Vec<String> = Site::ALL.iter().map(|site| site.name().to_owned()).collect();
        names.extend([NONE.to_owned(), UNDECIDED.to_owned()]);
        let mut counts = vec![vec![0; names.len()]; names.len()];
        let index = |axis: Axis, place: Option<Site>| {
            let name = match (axis, place) {
                (Axis::None, _) => NONE,
                (_, Some(site)) => site.name(),
                (_, None) => UNDECIDED,
            };
            names.iter().position(|other| other == name)
        };
        for row in rows.iter().filter(|row| kinds.contains(&row.truth.kind)) {
            let Some(first) = row.top.first() else { continue };
            let truth = index(row.truth.axis, row.truth.places.first().copied());
            let found = index(first.axis, first.place);
            if let (Some(truth), Some(found)) = (truth, found)
                && let Some(count) = counts.get_mut(truth).and_then(|row| row.get_mut(found))
            {
                *count += 1;
            }
        }
        Self { names, counts }
    }
}
