//! The share of successes with its exact interval.

use statrs::distribution::{Beta, ContinuousCDF};

use super::Estimate;

/// The share of successes among independent trials, with the interval of Clopper and Pearson (Biometrika 26, 1934); nothing
/// without trials, for more successes than trials, or for a confidence outside of 0 to 1.
#[must_use]
pub fn proportion(successes: usize, trials: usize, confidence: f64) -> Option<Estimate> {
    if trials == 0 || successes > trials || !(confidence > 0.0 && confidence < 1.0) {
        return None;
    }
    let tail = (1.0 - confidence) / 2.0;
    let (k, n) = (successes as f64, trials as f64);
    let quantile = |a: f64, b: f64, p: f64| Beta::new(a, b).ok().map(|beta| beta.inverse_cdf(p));
    let low = if successes == 0 { 0.0 } else { quantile(k, n - k + 1.0, tail)? };
    let high = if successes == trials { 1.0 } else { quantile(k + 1.0, n - k, 1.0 - tail)? };
    Some(Estimate { point: k / n, low, high, confidence, n: trials })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_scipy() {
        // scipy 1.17.1: stats.binomtest(k, n).proportion_ci(0.95, method="exact").
        let golden = [
            (0, 200, 0.0, 0.018_275_340_355_148_807),
            (38, 40, 0.830_803_136_040_582_3, 0.993_886_353_400_653_3),
            (3, 3, 0.292_401_773_821_286_6, 1.0),
        ];
        for (k, n, low, high) in golden {
            let share = proportion(k, n, 0.95).unwrap();
            assert!((share.low - low).abs() < 1e-6 && (share.high - high).abs() < 1e-6, "{share:?}");
        }
        assert_eq!(proportion(0, 0, 0.95), None);
        assert_eq!(proportion(2, 1, 0.95), None);
    }
}
