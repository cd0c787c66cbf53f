//! Words for quantities, so that a loss, a length or a duration is never a naked number in a signature.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A count of tokens: a length, a position or a distance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tokens(pub usize);

impl Tokens {
    /// The count as a real number, for formulas.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.0 as f64
    }
}

impl fmt::Display for Tokens {
    /// Writes the count with thousands separated: `8,192`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let mut grouped = String::new();
        for (i, digit) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        f.pad(&grouped)
    }
}

/// A loss in nats per token.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nats(pub f64);

/// A duration in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seconds(pub f64);

impl Seconds {
    /// The duration as people say one that is yet to pass: `40 s`, `3 min`, `2.5 h`.
    #[must_use]
    pub fn in_words(self) -> String {
        if self.0 < 90.0 {
            format!("{:.0} s", (self.0 / 10.0).ceil() * 10.0)
        } else if self.0 < 5400.0 {
            format!("{:.0} min", (self.0 / 60.0).round())
        } else {
            format!("{:.1} h", self.0 / 3600.0)
        }
    }
}

/// The factor by which a method stretches the context; 1 leaves it as trained.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Stretch(pub f64);

impl Stretch {
    /// No stretch: the context as trained.
    pub const ONE: Self = Self(1.0);
}

impl fmt::Display for Stretch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_as_people_say_them() {
        assert_eq!([5.0, 61.0, 100.0, 7200.0].map(|s| Seconds(s).in_words()), ["10 s", "70 s", "2 min", "2.0 h"]);
    }

    #[test]
    fn lengths_are_grouped_by_thousands() {
        assert_eq!(Tokens(8192).to_string(), "8,192");
        assert_eq!(Tokens(256).to_string(), "256");
        assert_eq!(Tokens(1_048_576).to_string(), "1,048,576");
    }
}
