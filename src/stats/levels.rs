//! Where a series of repeated measurements changed its level.
//!
//! E-divisive (Matteson and James, arXiv 1306.4933) inside sliding windows, with Student's t in the place of the random
//! permutations, and weak points merged afterwards: the method of Hunter (Fleming et al., arXiv 2301.03034), now Apache
//! Otava. It draws nothing at random: the same series has the same points.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// The size of a window, and the largest p-value of a change, as Otava has them by default.
pub const WINDOW: usize = 50;
/// The largest p-value of a change.
pub const MAX_P: f64 = 0.001;

/// A place where the level of a series changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LevelChange {
    /// The first value of the new level.
    pub index: usize,
    /// Mean of the values from the change before to this one.
    pub before: f64,
    /// Mean of the values from this change to the next.
    pub after: f64,
    /// Probability of so large a difference without a change (Student's t, two-sided).
    pub p: f64,
}

/// Every change in the series, ascending; `window` is at least 2.
///
/// Values that are not finite must be left out before.
#[must_use]
pub fn level_changes(series: &[f64], window: usize, max_p: f64) -> Vec<LevelChange> {
    // Windows find weak points at a looser level, so that a point at a window's edge is not missed.
    let loose = if max_p < 0.05 {
        10.0 * max_p
    } else if max_p < 0.5 {
        2.0 * max_p
    } else {
        max_p
    };
    merge(series, &split(series, window.max(2), loose), max_p)
}

/// The weak points of all windows, each half overlapped by the next.
fn split(series: &[f64], window: usize, max_p: f64) -> Vec<usize> {
    let mut points = Vec::new();
    let mut start = 0;
    while start < series.len() {
        let end = (start + window).min(series.len());
        let found = divide(series.get(start..end).unwrap_or_default(), max_p);
        let last = found.last().map_or(0, |point| point + start);
        points.extend(found.into_iter().map(|point| point + start));
        start = last.max(start + window / 2);
    }
    points.sort_unstable();
    points.dedup();
    points
}

/// Cuts the series where its two sides differ most, as long as the difference is significant.
fn divide(series: &[f64], max_p: f64) -> Vec<usize> {
    let mut points: Vec<usize> = Vec::new();
    loop {
        let edges: Vec<usize> = [0].into_iter().chain(points.iter().copied()).chain([series.len()]).collect();
        let mut best: Option<(f64, usize, f64)> = None;
        for pair in edges.windows(2) {
            let &[from, to] = pair else { continue };
            let Some((distance, cut)) = series.get(from..to).and_then(farthest_cut) else { continue };
            if best.is_none_or(|(largest, _, _)| distance > largest) {
                let at = from + cut;
                best = Some((distance, at, point(series, from, at, to).map_or(1.0, |point| point.p)));
            }
        }
        match best {
            Some((_, at, p)) if p <= max_p => {
                points.push(at);
                points.sort_unstable();
            }
            _ => return points,
        }
    }
}

/// The cut whose left side is farthest from any stretch right of it, and that distance (Q in the papers).
fn farthest_cut(values: &[f64]) -> Option<(f64, usize)> {
    let mut best: Option<(f64, usize)> = None;
    let mut within_left = 0.0;
    for cut in 1..values.len() {
        let (left, right) = values.split_at_checked(cut)?;
        let (newest, older) = left.split_last()?;
        within_left += older.iter().map(|x| (x - newest).abs()).sum::<f64>();
        let (n, mut between, mut within_right) = (cut as f64, 0.0, 0.0);
        for (count, y) in right.iter().enumerate() {
            between += left.iter().map(|x| (x - y).abs()).sum::<f64>();
            within_right += right.iter().take(count).map(|x| (x - y).abs()).sum::<f64>();
            let m = count as f64 + 1.0;
            let spread = |sum: f64, own: f64, other: f64| if own > 1.0 { other * sum / (own - 1.0) } else { 0.0 };
            let distance = 2.0 / (m + n) * (between - spread(within_left, n, m) - spread(within_right, m, n));
            if best.is_none_or(|(largest, _)| distance > largest) {
                best = Some((distance, cut));
            }
        }
    }
    best
}

/// Drops the weakest point until all are significant and change something.
///
/// Like Otava 0.8.0, a dropped point has the two points behind it judged again and the one before it not, so that the places
/// found are Otava's. What is returned describes each place between its final neighbours.
fn merge(series: &[f64], places: &[usize], max_p: f64) -> Vec<LevelChange> {
    let mut points = between(series, places);
    loop {
        let places: Vec<usize> = points.iter().map(|point| point.index).collect();
        // The first of equals, as Python's max and min have it.
        let weakest = (0..points.len()).rev().max_by(|a, b| by(&points, *a, *b, |point| point.p));
        let dropped = match weakest {
            None => return points,
            Some(weakest) if points.get(weakest).is_some_and(|point| point.p >= max_p) => weakest,
            Some(_) => match (0..points.len()).min_by(|a, b| by(&points, *a, *b, LevelChange::magnitude)) {
                Some(smallest) if points.get(smallest).is_some_and(|point| point.magnitude() <= 0.0) => smallest,
                _ => return between(series, &places),
            },
        };
        points.remove(dropped);
        let places: Vec<usize> = points.iter().map(|point| point.index).collect();
        for (judged, point) in between(series, &places).into_iter().zip(&mut points).skip(dropped).take(2) {
            *point = judged;
        }
    }
}

fn by(points: &[LevelChange], a: usize, b: usize, of: impl Fn(&LevelChange) -> f64) -> std::cmp::Ordering {
    let value = |place: usize| points.get(place).map_or(f64::NAN, &of);
    value(a).total_cmp(&value(b))
}

/// Each place as a change between its neighbours.
fn between(series: &[f64], places: &[usize]) -> Vec<LevelChange> {
    let edges: Vec<usize> = [0].into_iter().chain(places.iter().copied()).chain([series.len()]).collect();
    let of = |edges: &[usize]| match *edges {
        [from, at, to] => point(series, from, at, to),
        _ => None,
    };
    edges.windows(3).filter_map(of).collect()
}

impl LevelChange {
    /// The larger of the relative changes forward and backward; 0 where a mean is 0, as in Otava.
    fn magnitude(&self) -> f64 {
        let relative = |to: f64, from: f64| if from == 0.0 { 0.0 } else { (to / from - 1.0).abs() };
        relative(self.after, self.before).max(relative(self.before, self.after))
    }
}

/// The change at `at` between `from` and `to`; nothing where a side is empty.
fn point(series: &[f64], from: usize, at: usize, to: usize) -> Option<LevelChange> {
    let (left, right) = (series.get(from..at)?, series.get(at..to)?);
    let (before, after) = (super::mean(left)?, super::mean(right)?);
    Some(LevelChange { index: at, before, after, p: p_value(left, right, before, after) })
}

/// Student's two-sided test of two means, with the deviations over n that Otava hands to SciPy.
fn p_value(left: &[f64], right: &[f64], before: f64, after: f64) -> f64 {
    let (n, m) = (left.len() as f64, right.len() as f64);
    let variance = |values: &[f64], mean: f64| {
        if values.len() < 2 {
            0.0
        } else {
            values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / values.len() as f64
        }
    };
    let freedom = n + m - 2.0;
    if freedom <= 0.0 || before == after {
        return 1.0;
    }
    let pooled = ((n - 1.0) * variance(left, before) + (m - 1.0) * variance(right, after)) / freedom;
    let t = (before - after).abs() / (pooled * (1.0 / n + 1.0 / m)).sqrt();
    if t.is_infinite() {
        return 0.0;
    }
    StudentsT::new(0.0, 1.0, freedom).map_or(1.0, |student| 2.0 * student.sf(t))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Golden {
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        name: String,
        series: Vec<f64>,
        window: usize,
        max_p: f64,
        points: Vec<Point>,
    }

    #[derive(Deserialize)]
    struct Point {
        index: usize,
        before: f64,
        after: f64,
        p: f64,
    }

    #[test]
    fn the_points_are_those_of_apache_otava() {
        let golden: Golden = serde_json::from_str(include_str!("../../tests/fixtures/change_points.json")).unwrap();
        assert!(golden.cases.iter().map(|case| case.points.len()).sum::<usize>() > 10);
        for case in golden.cases {
            let found = level_changes(&case.series, case.window, case.max_p);
            let places = |points: &[usize]| format!("{} (window {}): {points:?}", case.name, case.window);
            let expected: Vec<usize> = case.points.iter().map(|point| point.index).collect();
            let indices: Vec<usize> = found.iter().map(|point| point.index).collect();
            assert_eq!(places(&indices), places(&expected));
            for (got, wanted) in found.iter().zip(&case.points) {
                assert!((got.before - wanted.before).abs() < 1e-12 && (got.after - wanted.after).abs() < 1e-12);
                assert!((got.p - wanted.p).abs() <= 1e-6 * wanted.p.max(1e-9), "{}: {} {}", case.name, got.p, wanted.p);
            }
        }
    }

    #[test]
    fn a_series_that_repeats_bit_for_bit_shows_any_change() {
        let series = [2.5, 2.5, 2.5, 2.5, 2.51, 2.51, 2.51];
        let found = level_changes(&series, WINDOW, MAX_P);
        assert_eq!(found.iter().map(|point| point.index).collect::<Vec<_>>(), [4]);
        assert_eq!(level_changes(&[], WINDOW, MAX_P), []);
    }
}
