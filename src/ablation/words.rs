//! Numbers as people read them.

use crate::findings::Question;
use crate::stats::Estimate;

/// A cell's label as a sentence says it: after a colon, `none` would be read as nobody.
pub(super) fn spoken(label: &str) -> String {
    let rest = label.strip_prefix("none").filter(|rest| rest.is_empty() || rest.starts_with([' ', ',']));
    rest.map_or_else(|| label.to_owned(), |rest| format!("unscaled{rest}"))
}

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

    #[test]
    fn no_scaling_is_said_as_unscaled_and_no_other_label_is_touched() {
        for (label, said) in [
            ("none", "unscaled"),
            ("none (adapted 131,072 tokens)", "unscaled (adapted 131,072 tokens)"),
            ("nope", "nope"),
            ("ntk x4", "ntk x4"),
        ] {
            assert_eq!(spoken(label), said);
        }
    }
}
