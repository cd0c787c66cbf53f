//! The additive bias, read back from scores: by head and distance, in one forward and behind a cache.

use super::Check;
use super::compare::reading;
use super::witness::SHORT;
use crate::measurement::{Place, Quantity, Reading};
use crate::subject::Route;

/// The check.
pub(super) struct Bias;

impl Check for Bias {
    fn name(&self) -> &'static str {
        "bias"
    }

    fn summary(&self) -> &'static str {
        "the additive bias of each head by distance, read back from scores, and which keys a query sees"
    }
}

/// A bias by head, query and key.
pub(super) type Read = Vec<Vec<Vec<f64>>>;

/// Which queries and keys are read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Run {
    pub(super) probe: &'static str,
    pub(super) queries: Vec<usize>,
    pub(super) keys: Vec<usize>,
    pub(super) route: Route,
}

/// One forward across the trained length, and a short decode.
pub(super) fn runs(trained: usize) -> Vec<Run> {
    let last = trained + SHORT / 2;
    let keys = |query: usize| {
        let far = (0..usize::BITS).map(|power| 1_usize << power).take_while(|&distance| distance <= query);
        let mut keys: Vec<usize> =
            far.flat_map(|distance| [query - distance, query + 1 - distance]).chain([0, query]).collect();
        // Where windows end: at the trained length, one more, one less.
        keys.extend([trained - 1, trained, trained + 1].into_iter().filter_map(|far| query.checked_sub(far)));
        keys.sort_unstable();
        keys.dedup();
        keys
    };
    let decoded = SHORT - 1;
    vec![
        Run { probe: "bias", queries: vec![last], keys: keys(last), route: Route::OneShot },
        Run {
            probe: "bias_decoded",
            queries: vec![decoded],
            keys: keys(decoded),
            route: Route::Decode { prompt: SHORT / 2 },
        },
    ]
}

pub(super) fn compare(run: &Run, ours: &Read, theirs: &Read) -> Vec<Reading> {
    let mut readings = Vec::new();
    for (head, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        for ((&query, ours), theirs) in run.queries.iter().zip(ours).zip(theirs) {
            let declared =
                theirs.iter().filter(|bias| bias.is_finite()).fold(0.0_f64, |most, bias| most.max(bias.abs()));
            let mut largest = 0.0_f64;
            for ((&key, &own), &healthy) in run.keys.iter().zip(ours).zip(theirs) {
                let Some(distance) = query.checked_sub(key) else { continue };
                let at = Place {
                    from: Some(query as u32),
                    distance_from: Some(distance as u32),
                    head: Some(head as u32),
                    ..Place::default()
                };
                let row = |quantity, value| reading(run.probe, quantity, 0, at.clone(), value, 1);
                // A key that neither sees says nothing; one that only one of them sees is a matter of the mask.
                if own.is_finite() && healthy.is_finite() {
                    readings.push(row(Quantity::BiasError, own - healthy));
                    largest = largest.max((own - healthy).abs());
                }
                if own.is_finite() || healthy.is_finite() {
                    let seen = f64::from(u8::from(own.is_finite())) - f64::from(u8::from(healthy.is_finite()));
                    readings.push(row(Quantity::Sight, seen));
                }
            }
            let at = Place { from: Some(query as u32), head: Some(head as u32), ..Place::default() };
            if declared > 0.0 {
                readings.push(reading(run.probe, Quantity::RelativeError, 0, at, largest / declared, 1));
            }
        }
    }
    readings
}
