//! Order: a request, a long other one, and the first once more: state that outlives a request shows in the third.

use super::witness::{BEYOND, SHORT};
use super::{Check, Text, Witness};
use crate::subject::{Request, Route};

/// Tokens decoded at the end of the third request.
const DECODED: usize = 16;

/// The check.
pub(super) struct Order;

impl Check for Order {
    fn name(&self) -> &'static str {
        "order"
    }

    fn summary(&self) -> &'static str {
        "a request after a long other one, against the same request before it"
    }

    fn witnesses(&self, text: &Text<'_>) -> Vec<Witness> {
        let tokens = text.first(SHORT);
        let short = Request::alone(tokens, Route::OneShot);
        let decoded = Request::alone(tokens, Route::Decode { prompt: SHORT - DECODED });
        let long = Request::alone(text.others(text.trained + BEYOND / 3), Route::OneShot);
        let other = Request::alone(text.others(SHORT), Route::Decode { prompt: SHORT - DECODED });
        let after = |name, between: Vec<Request>, again: Request| {
            let mut served = between;
            served.push(again);
            let read = vec![(served.len() - 1, 0)];
            Witness { name, served, read, alike: vec![short.clone()] }
        };
        vec![after("order_short", vec![other], decoded), after("order", vec![long], short.clone())]
    }
}
