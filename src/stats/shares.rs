//! Who contributes how much: main effects of a two-way table, and Shapley shares.

/// Main effects of a two-way table, as deviations from its mean.
#[derive(Clone, Debug, PartialEq)]
pub struct MainEffects {
    /// Mean of the cells that are there.
    pub grand: f64,
    /// Mean of each row minus the grand mean; absent for a row without cells.
    pub rows: Vec<Option<f64>>,
    /// Mean of each column minus the grand mean; absent for a column without cells.
    pub columns: Vec<Option<f64>>,
}

/// Main effects of a table of rows and columns; missing cells are left out. Nothing for an empty table.
#[must_use]
pub fn main_effects(table: &[Vec<Option<f64>>]) -> Option<MainEffects> {
    let mean = |cells: &mut dyn Iterator<Item = Option<f64>>| {
        let present: Vec<f64> = cells.flatten().collect();
        super::mean(&present)
    };
    let grand = mean(&mut table.iter().flatten().copied())?;
    let width = table.iter().map(Vec::len).max().unwrap_or(0);
    Some(MainEffects {
        grand,
        rows: table.iter().map(|row| mean(&mut row.iter().copied()).map(|value| value - grand)).collect(),
        columns: (0..width)
            .map(|c| mean(&mut table.iter().map(|row| row.get(c).copied().flatten())).map(|value| value - grand))
            .collect(),
    })
}

/// Shapley shares of a game: `values[mask]` is the value with the players of the mask's bits switched.
///
/// The shares add up to `values[all] - values[none]`. Nothing where the table does not have `2^players` entries.
///
/// # Source
/// Shapley, "A value for n-person games" (1953), by enumeration of coalitions.
#[must_use]
pub fn shapley(values: &[f64]) -> Option<Vec<f64>> {
    let players = values.len().checked_ilog2()? as usize;
    if 1 << players != values.len() {
        return None;
    }
    let factorial = |n: usize| (1..=n).map(|k| k as f64).product::<f64>();
    let share = |player: usize| {
        (0..values.len())
            .filter(|mask| mask & (1 << player) == 0)
            .filter_map(|mask| {
                let size = mask.count_ones() as usize;
                let weight = factorial(size) * factorial(players - size - 1) / factorial(players);
                Some(weight * (values.get(mask | 1 << player)? - values.get(mask)?))
            })
            .sum()
    };
    Some((0..players).map(share).collect())
}
