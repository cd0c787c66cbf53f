//! Symmetric positive systems, small and dense.

/// The lower triangle `L` of a symmetric positive matrix `A = L L'`, row by row (Cholesky).
pub(super) struct Triangle {
    rows: Vec<Vec<f64>>,
}

impl Triangle {
    /// Nothing where the matrix is not positive.
    pub(super) fn of(matrix: &[Vec<f64>]) -> Option<Self> {
        let mut rows: Vec<Vec<f64>> = Vec::with_capacity(matrix.len());
        for (i, line) in matrix.iter().enumerate() {
            let mut row = Vec::with_capacity(i + 1);
            for j in 0..=i {
                let other: &[f64] = if j == i { &row } else { &rows[j] };
                let dot: f64 = row.iter().zip(other).take(j).map(|(a, b)| a * b).sum();
                let rest = line[j] - dot;
                row.push(match j == i {
                    true if rest > 0.0 => rest.sqrt(),
                    true => return None,
                    false => rest / rows[j][j],
                });
            }
            rows.push(row);
        }
        Some(Self { rows })
    }

    /// The `x` of `A x = b`.
    pub(super) fn solve(&self, b: &[f64]) -> Vec<f64> {
        let mut x = b.to_vec();
        for (i, row) in self.rows.iter().enumerate() {
            let known: f64 = row.iter().zip(&x).take(i).map(|(a, x)| a * x).sum();
            x[i] = (x[i] - known) / row[i];
        }
        for i in (0..x.len()).rev() {
            let known: f64 = (i + 1..x.len()).map(|k| self.rows[k][i] * x[k]).sum();
            x[i] = (x[i] - known) / self.rows[i][i];
        }
        x
    }

    /// The diagonal of the inverse of `A`.
    pub(super) fn inverse_diagonal(&self) -> Vec<f64> {
        let n = self.rows.len();
        (0..n)
            .map(|i| {
                let unit: Vec<f64> = (0..n).map(|k| f64::from(u8::from(k == i))).collect();
                self.solve(&unit)[i]
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_system_solved_by_hand() {
        // [[4, 2], [2, 3]] has the inverse [[3, -2], [-2, 4]] / 8.
        let triangle = Triangle::of(&[vec![4.0, 2.0], vec![2.0, 3.0]]).unwrap();
        let x = triangle.solve(&[8.0, 16.0]);
        assert!((x[0] + 1.0).abs() < 1e-12 && (x[1] - 6.0).abs() < 1e-12, "{x:?}");
        let diagonal = triangle.inverse_diagonal();
        assert!((diagonal[0] - 0.375).abs() < 1e-12 && (diagonal[1] - 0.5).abs() < 1e-12, "{diagonal:?}");
        assert!(Triangle::of(&[vec![1.0, 2.0], vec![2.0, 1.0]]).is_none());
    }
}
