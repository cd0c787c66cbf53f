//! The p-value of a mean that lies above a tolerance, for corrections over several questions.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::mean;

/// The probability of a mean this far above the tolerance if the true mean were the tolerance itself (Student's t,
/// one-sided); nothing below 2 values, or where one is not finite.
#[must_use]
pub fn p_above(values: &[f64], tolerance: f64) -> Option<f64> {
    let n = values.len() as f64;
    let mean = mean(values).filter(|mean| mean.is_finite() && values.len() > 1)?;
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let t = (mean - tolerance) / (variance / n).sqrt();
    if t.is_nan() {
        // No spread, and exactly at the tolerance.
        return Some(0.5);
    }
    if t.is_infinite() {
        return Some(if t > 0.0 { 0.0 } else { 1.0 });
    }
    StudentsT::new(0.0, 1.0, n - 1.0).ok().map(|student| student.sf(t))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Golden {
        tails: Vec<Tail>,
    }

    #[derive(serde::Deserialize)]
    struct Tail {
        values: Vec<f64>,
        tolerance: f64,
        p: f64,
    }

    #[test]
    fn tails_are_those_of_scipy() {
        let golden: Golden = serde_json::from_str(include_str!("../../tests/fixtures/change_points.json")).unwrap();
        assert!(golden.tails.len() > 3);
        for tail in golden.tails {
            let p = p_above(&tail.values, tail.tolerance).unwrap();
            assert!((p - tail.p).abs() < 1e-9, "{p} is not {}", tail.p);
        }
    }

    #[test]
    fn values_without_spread_are_certain() {
        assert_eq!(p_above(&[0.3, 0.3], 0.02), Some(0.0));
        assert_eq!(p_above(&[0.0, 0.0], 0.02), Some(1.0));
        assert_eq!(p_above(&[0.3], 0.02), None);
        assert_eq!(p_above(&[0.3, f64::NAN], 0.02), None);
    }
}
