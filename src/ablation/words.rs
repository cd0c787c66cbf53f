//! Numbers as people read them.

use crate::findings::Question;
use crate::stats::Estimate;

/// A number with three decimals below 0.1 and two from there on; never `-0.00`.
pub(super) fn number(x: f64) -> String {
    let text = if x.abs() < 0.0995 { format!("{x:.3}") } else { format!("{x:.2}") };
    let is_zero = text.chars().all(|c| matches!(c, '-' | '0' | '.'));
    if is_zero { "0".to_owned() } else { text }
}

/// A damage or a ratio in the question's unit, with its interval: `1.17 nats/token [1.12, 1.21]`.
pub(crate) fn amount(question: Question, estimate: &Estimate) -> String {
    let Estimate { point, low, high, .. } = *estimate;
    match question {
        Question::ShortRange | Question::LongRange => {
            format!("{} nats/token [{}, {}]", number(point), number(low), number(high))
        }
        Question::Retrieval => {
            format!("{} of the facts [{}, {}]", percent(point), percent_digits(low), percent_digits(high))
        }
        Question::Latency => format!("{} times [{}, {}]", number(point), number(low), number(high)),
    }
}

/// A bare amount in the question's unit: `0.02 nats/token`, `5 % of the facts`.
pub(super) fn plain(question: Question, value: f64) -> String {
    match question {
        Question::ShortRange | Question::LongRange => format!("{} nats/token", number(value)),
        Question::Retrieval => format!("{} of the facts", percent(value)),
        Question::Latency => format!("{} times", number(value)),
    }
}

/// A share as a percentage with its interval: `98 % [96, 100]`.
pub(super) fn share(estimate: &Estimate) -> String {
    let Estimate { point, low, high, .. } = *estimate;
    format!("{} [{}, {}]", percent(point), percent_digits(low), percent_digits(high))
}

/// A share as a percentage: `98 %`.
pub(super) fn percent(share: f64) -> String {
    format!("{} %", percent_digits(share))
}

fn percent_digits(share: f64) -> String {
    let text = format!("{:.0}", share * 100.0);
    if text == "-0" { "0".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_the_digits_that_matter() {
        assert_eq!(number(1.1683), "1.17");
        assert_eq!(number(0.0214), "0.021");
        assert_eq!(number(-0.000_01), "0");
        assert_eq!(percent(-0.001), "0 %");
    }
}
