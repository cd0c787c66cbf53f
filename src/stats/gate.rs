//! What a gate needs: exact tests of pass and fail, and p-values corrected for several questions.

use statrs::distribution::{Binomial, DiscreteCDF};

/// McNemar's exact one-sided test: the probability of at least `lost` losses among the items whose outcome changed, if
/// losses and gains were equally likely. Items that stayed as they were say nothing.
#[must_use]
pub fn mcnemar(lost: u64, gained: u64) -> f64 {
    match (lost.checked_sub(1), Binomial::new(0.5, lost + gained)) {
        (Some(fewer), Ok(changed)) => changed.sf(fewer),
        _ => 1.0,
    }
}

/// Holm's step-down correction: p-values that keep the chance of any false alarm, in the order given.
#[must_use]
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let order = ascending(p_values);
    let mut corrected = vec![f64::NAN; p_values.len()];
    let mut largest = 0.0_f64;
    for (rank, (i, p)) in order.into_iter().enumerate() {
        largest = largest.max(p * (p_values.len() - rank) as f64).min(1.0);
        put(&mut corrected, i, p, largest);
    }
    corrected
}

/// The correction of Benjamini and Hochberg: p-values that keep the share of false ones in a list, in the order given.
#[must_use]
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let order = ascending(p_values);
    let mut corrected = vec![f64::NAN; p_values.len()];
    let mut least = 1.0_f64;
    for (rank, (i, p)) in order.into_iter().enumerate().rev() {
        least = least.min(p * p_values.len() as f64 / (rank + 1) as f64);
        put(&mut corrected, i, p, least);
    }
    corrected
}

/// Places and values in ascending order, numbers before what is none.
fn ascending(p_values: &[f64]) -> Vec<(usize, f64)> {
    let mut order: Vec<(usize, f64)> = p_values.iter().copied().enumerate().collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    order
}

/// Writes a corrected value; what was no number stays none.
fn put(corrected: &mut [f64], i: usize, p: f64, value: f64) {
    if let Some(slot) = corrected.get_mut(i).filter(|_| !p.is_nan()) {
        *slot = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_and_no_number_are_left_alone() {
        assert!(holm(&[]).is_empty() && benjamini_hochberg(&[]).is_empty());
        assert!(holm(&[0.01, f64::NAN])[1].is_nan() && benjamini_hochberg(&[f64::NAN, 0.01])[0].is_nan());
        assert_eq!(mcnemar(0, 0), 1.0);
        assert_eq!(mcnemar(0, 9), 1.0);
    }
}
