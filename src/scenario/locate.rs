//! Finds places in a YAML text.
//!
//! # Why
//! The YAML crate tells where something is only through its errors. So the text is walked once more by visitors that
//! fail on purpose at the wanted place, and the error's location is the answer: exact for blocks, flows, quotes and
//! anchors alike, without a second YAML scanner.

use std::collections::HashSet;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::error::Place;

/// More values than any file that people write; aliases count as often as they are used, so that a small file cannot
/// unfold into gigabytes.
const MOST_VALUES: usize = 5_000;

/// How [`outline`] begins the message for a key that occurs twice.
pub(super) const DUPLICATE: &str = "duplicate key `";
/// What [`outline`] says of a file with more than [`MOST_VALUES`] values.
pub(super) const TOO_MANY: &str = "more than 5,000 values";
/// What [`outline`] says of a YAML tag.
pub(super) const TAG: &str = "a YAML tag";

/// Whether a place is that of a key or that of its value.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Aim {
    Key,
    Value,
}

/// Where the thing at a path like `ablate.methods[1].yarn` is; nothing where the text has no such thing.
///
/// The text must have passed [`outline`].
pub(super) fn locate(text: &str, path: &str, aim: Aim) -> Option<Place> {
    let steps = steps(path);
    let walk = Walk { steps: &steps, aim };
    let error = walk.deserialize(serde_yaml::Deserializer::from_str(text)).err()?;
    place(&error)
}

/// The place that an error of the YAML crate carries.
pub(super) fn place(error: &serde_yaml::Error) -> Option<Place> {
    error.location().map(|at| Place { line: at.line().max(1), column: at.column().max(1) })
}

/// Reads the whole text for what the types cannot see: its syntax, keys that occur twice, tags, and its size once
/// aliases are unfolded.
pub(super) fn outline(text: &str) -> Result<(), serde_yaml::Error> {
    // The scanner's time grows with the square of the nesting, so brackets are counted before it sees them.
    if text.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count() > MOST_VALUES {
        return Err(de::Error::custom(TOO_MANY));
    }
    let mut values = 0;
    Outline { values: &mut values }.deserialize(serde_yaml::Deserializer::from_str(text))
}

enum Step<'a> {
    Key(&'a str),
    Item(usize),
}

fn steps(path: &str) -> Vec<Step<'_>> {
    let parts = path.split(['.', '[']).filter(|part| !part.is_empty());
    parts
        .map(|part| match part.strip_suffix(']').and_then(|digits| digits.parse().ok()) {
            Some(index) => Step::Item(index),
            None => Step::Key(part),
        })
        .collect()
}

/// Goes down a path and fails at its end.
struct Walk<'a> {
    steps: &'a [Step<'a>],
    aim: Aim,
}

/// Accepts nothing, so that it fails at the place of whatever it is given.
struct Here;

impl Visitor<'_> for Here {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing")
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.steps.is_empty() { deserializer.deserialize_any(Here) } else { deserializer.deserialize_any(self) }
    }
}

/// Accepts every scalar: whoever walks is not interested in them.
macro_rules! pass_scalars {
    () => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("any value")
        }

        fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
            Ok(())
        }

        fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
            Ok(())
        }

        fn visit_i128<E: de::Error>(self, _: i128) -> Result<(), E> {
            Ok(())
        }

        fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
            Ok(())
        }

        fn visit_u128<E: de::Error>(self, _: u128) -> Result<(), E> {
            Ok(())
        }

        fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
            Ok(())
        }

        fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
            Ok(())
        }

        fn visit_unit<E: de::Error>(self) -> Result<(), E> {
            Ok(())
        }

        fn visit_none<E: de::Error>(self) -> Result<(), E> {
            Ok(())
        }
    };
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    pass_scalars!();

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Some((Step::Item(wanted), rest)) = self.steps.split_first() else {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        for _ in 0..*wanted {
            if items.next_element::<IgnoredAny>()?.is_none() {
                return Ok(());
            }
        }
        items.next_element_seed(Walk { steps: rest, aim: self.aim })?;
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let (wanted, rest) = match self.steps.split_first() {
            Some((Step::Key(key), rest)) => (Some(*key), rest),
            _ => (None, self.steps),
        };
        let target = if rest.is_empty() && self.aim == Aim::Key { wanted } else { None };
        let stop = |key: &str| (Some(key) == target).then(String::new);
        while let Some(key) = entries.next_key_seed(Key { stop })? {
            if Some(key.as_str()) == wanted {
                entries.next_value_seed(Walk { steps: rest, aim: self.aim })?;
            } else {
                entries.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// Reads a key, and fails on it where `stop` has an error for it.
struct Key<F> {
    stop: F,
}

impl<'de, F: FnOnce(&str) -> Option<String>> DeserializeSeed<'de> for Key<F> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<F: FnOnce(&str) -> Option<String>> Visitor<'_> for Key<F> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<String, E> {
        match (self.stop)(key) {
            Some(error) => Err(E::custom(error)),
            None => Ok(key.to_owned()),
        }
    }
}

/// Visits everything; see [`outline`].
struct Outline<'a> {
    values: &'a mut usize,
}

impl<'de> DeserializeSeed<'de> for Outline<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        *self.values += 1;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Outline<'_> {
    type Value = ();

    pass_scalars!();

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Outline { values: &mut *self.values })?.is_some() {
            check_count(*self.values)?;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        loop {
            let twice = |key: &str| seen.contains(key).then(|| format!("{DUPLICATE}{key}`"));
            let Some(key) = entries.next_key_seed(Key { stop: twice })? else { return Ok(()) };
            seen.insert(key);
            entries.next_value_seed(Outline { values: &mut *self.values })?;
            check_count(*self.values)?;
        }
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(de::Error::custom(TAG))
    }
}

fn check_count<E: de::Error>(values: usize) -> Result<(), E> {
    if values > MOST_VALUES { Err(E::custom(TOO_MANY)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
question: \"a: b\"
deployed: { method: linear, factor: 4 }
ablate:
  methods:
    - none
    - yarn: { beta_fast: 16 }
  factors: [1,
            2, .nan]
";

    fn at(path: &str, aim: Aim) -> Option<(usize, usize)> {
        locate(TEXT, path, aim).map(|place| (place.line, place.column))
    }

    #[test]
    fn blocks_flows_and_items_are_found() {
        assert_eq!(at("question", Aim::Value), Some((1, 11)));
        assert_eq!(at("deployed.factor", Aim::Key), Some((2, 29)));
        assert_eq!(at("deployed.factor", Aim::Value), Some((2, 37)));
        assert_eq!(at("ablate.methods[1].yarn.beta_fast", Aim::Value), Some((6, 26)));
        assert_eq!(at("ablate.factors[2]", Aim::Value), Some((8, 16)));
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        for path in ["nothing", "question.more", "ablate.factors[9]", "ablate[0]", "ablate.factors.x"] {
            assert_eq!(at(path, Aim::Value), None, "{path}");
        }
    }

    #[test]
    fn a_second_key_is_refused_at_any_depth() {
        let error = outline("a:\n  b: [{ c: 1, d: 2, c: 3 }]\n").unwrap_err();
        assert!(error.to_string().contains("duplicate key `c`"), "{error}");
        assert_eq!(place(&error), Some(Place { line: 2, column: 21 }));
    }

    #[test]
    fn aliases_may_be_used_but_not_to_unfold_a_bomb() {
        assert!(outline("a: &x [1, 2]\nb: *x\n").is_ok());
        let mut bomb = "a0: &a0 [lol, lol]\n".to_owned();
        for i in 1..40 {
            bomb.push_str(&format!("a{i}: &a{i} [*a{p}, *a{p}, *a{p}, *a{p}]\n", p = i - 1));
        }
        assert!(outline(&bomb).unwrap_err().to_string().contains(TOO_MANY));
    }

    #[test]
    fn deep_nesting_ends_quickly() {
        let started = std::time::Instant::now();
        for text in ["[".repeat(1 << 20), "{a: ".repeat(1 << 18), "- ".repeat(1 << 19)] {
            assert!(outline(&text).is_err());
        }
        assert!(started.elapsed().as_secs() < 10, "took {:?}", started.elapsed());
    }
}
