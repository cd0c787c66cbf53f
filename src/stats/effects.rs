//! Effects of several axes: two-way tables and Shapley shares.

/// The largest number of axes that [`shapley`] enumerates (2^12 configurations).
const MOST_AXES: usize = 12;

/// A complete table of two axes, taken apart: value = grand + row + column + interaction.
#[derive(Clone, Debug, PartialEq)]
pub struct TwoWay {
    /// Mean of all values.
    pub grand: f64,
    /// What each row adds to the grand mean; they sum to 0.
    pub rows: Vec<f64>,
    /// What each column adds to the grand mean; they sum to 0.
    pub columns: Vec<f64>,
    /// What is left, in the shape of the table; every row and column of it sums to 0.
    pub interaction: Vec<Vec<f64>>,
}

/// The main effects and the interaction of a table of rows; nothing if it is empty or ragged.
#[must_use]
pub fn two_way(table: &[Vec<f64>]) -> Option<TwoWay> {
    let width = table.first()?.len();
    if width == 0 || table.iter().any(|row| row.len() != width) {
        return None;
    }
    let cells = (table.len() * width) as f64;
    let grand = table.iter().flatten().sum::<f64>() / cells;
    let rows: Vec<f64> = table.iter().map(|row| row.iter().sum::<f64>() / width as f64 - grand).collect();
    let columns: Vec<f64> = (0..width)
        .map(|column| table.iter().filter_map(|row| row.get(column)).sum::<f64>() / table.len() as f64 - grand)
        .collect();
    let left = |row: &Vec<f64>, effect: &f64| {
        row.iter().zip(&columns).map(|(value, column)| value - grand - effect - column).collect()
    };
    let interaction = table.iter().zip(&rows).map(|(row, effect)| left(row, effect)).collect();
    Some(TwoWay { grand, rows, columns, interaction })
}

/// The Shapley value of each axis for the move from the first to the last configuration.
///
/// `values` holds one value for each of the `2^axes` configurations; bit `i` of the place says that axis `i` has
/// moved. An axis's value is its mean step over all orders of moving the axes (Shapley 1953), so the values
/// add up to `last - first` exactly. Nothing if the number of values does not fit or `axes` is 0 or above 12.
#[must_use]
pub fn shapley(axes: usize, values: &[f64]) -> Option<Vec<f64>> {
    if axes == 0 || axes > MOST_AXES || values.len() != 1 << axes {
        return None;
    }
    let factorial = |n: u32| (1..=n).map(f64::from).product::<f64>();
    let orders = factorial(axes as u32);
    let value_of = |axis: usize| {
        let step = |(moved, before): (usize, &f64)| {
            let after = values.get(moved | 1 << axis)?;
            let others = moved.count_ones();
            let weight = factorial(others) * factorial(axes as u32 - others - 1) / orders;
            Some(weight * (after - before))
        };
        values.iter().enumerate().filter(|(moved, _)| moved & 1 << axis == 0).filter_map(step).sum()
    };
    Some((0..axes).map(value_of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: &[f64], expected: &[f64]) {
        assert_eq!(got.len(), expected.len());
        assert!(got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{got:?} is not {expected:?}");
    }

    #[test]
    fn a_table_is_taken_apart_and_adds_up() {
        let table = vec![vec![1.0, 2.0, 6.0], vec![3.0, 3.0, 3.0]];
        let parts = two_way(&table).unwrap();
        near(&[parts.grand], &[3.0]);
        near(&parts.rows, &[0.0, 0.0]);
        near(&parts.columns, &[-1.0, -0.5, 1.5]);
        near(&parts.interaction[0], &[-1.0, -0.5, 1.5]);
        near(&parts.interaction[1], &[1.0, 0.5, -1.5]);
        assert_eq!(two_way(&[]), None);
        assert_eq!(two_way(&[vec![1.0], vec![]]), None);
    }

    #[test]
    fn two_axes_average_their_two_paths() {
        // y00, y10, y01, y11: phi = 1/2 [(y10 - y00) + (y11 - y01)] for the first axis.
        near(&shapley(2, &[0.0, 3.0, 1.0, 6.0]).unwrap(), &[4.0, 2.0]);
        assert_eq!(shapley(2, &[0.0, 3.0, 1.0]), None);
        assert_eq!(shapley(0, &[1.0]), None);
    }

    #[test]
    fn three_axes_are_those_of_the_glove_game() {
        // Axis 0 holds a left glove, axes 1 and 2 a right one each; a pair is worth 1: 2/3, 1/6, 1/6 (Shapley 1953).
        let pair = |moved: usize| f64::from(u8::from(moved & 1 == 1 && moved & 0b110 != 0));
        let values: Vec<f64> = (0..8).map(pair).collect();
        near(&shapley(3, &values).unwrap(), &[2.0 / 3.0, 1.0 / 6.0, 1.0 / 6.0]);
    }
}
