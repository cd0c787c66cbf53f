//! Turns the errors of the YAML crate into mistakes that say what was expected and what to do.
//!
//! The messages of serde are stable text with the path in front (`deployed: missing field `factor``); they are taken
//! apart here and nowhere else.

use super::error::{Mistake, Place};
use super::locate::{self, DUPLICATE, TAG, TOO_MANY};
use super::yaml::Source;
use crate::spelling::nearest;

/// Explains why the text as such cannot be read: its syntax, a key that occurs twice, a bomb.
pub(super) fn explain_outline(source: &Source<'_>, error: &serde_yaml::Error) -> Mistake {
    let place = locate::place(error).unwrap_or(Place::START);
    let message = message(error);
    if let Some((path, key)) = message.split_once(DUPLICATE) {
        let key = key.trim_end_matches('`');
        let first = source.key(&join(path_of(path), key)).map_or(1, |first| first.line);
        let what = format!("duplicate key `{}` (first on line {first})", shorten(key));
        return source.mistake(place, what, "every key once", "remove one of the two");
    }
    let one = "one YAML document";
    if message.contains(TOO_MANY) || message.contains("repetition limit") {
        let expected = "at most 5,000 values once aliases (`*name`) are unfolded";
        return source.mistake(place, "too many values", expected, "write the values out instead of nesting aliases");
    }
    if message.contains(TAG) {
        return source.mistake(place, "a YAML tag (`!name`)", "a plain value", "remove the word that starts with `!`");
    }
    if message.contains("recursion limit") {
        return source.mistake(
            place,
            "nested too deeply",
            "at most 128 levels",
            "close the brackets that are open here",
        );
    }
    if message.contains("more than one document") {
        let place = second_document(source.text());
        return source.mistake(place, "a second document", one, "put each document into a file of its own");
    }
    let line = source.line(place.line);
    let indent: String = line.chars().take_while(|c| c.is_whitespace()).collect();
    let hint = if indent.contains('\t') {
        "indent with spaces; YAML allows no tabs"
    } else if message.contains("mapping values are not allowed") {
        "put text that holds `: ` in quotes, or correct the indentation"
    } else if message.contains("alias") || message.contains("anchor") {
        "an alias (`*name`) needs an anchor (`&name`) above it; put text that starts with `*` in quotes"
    } else {
        "check the indentation, quotes and brackets here and on the line above"
    };
    source.mistake(place, format!("not YAML: {}", shorten(&message)), one, hint)
}

/// Explains why the text does not have the form of the type.
pub(super) fn explain_form(source: &Source<'_>, error: &serde_yaml::Error) -> Mistake {
    let place = locate::place(error).unwrap_or(Place::START);
    let message = message(error);
    if let Some((path, rest)) = message.split_once("missing field `") {
        return missing(source, path_of(path), rest.trim_end_matches('`'), place);
    }
    for (marker, noun) in [("unknown field `", "key"), ("unknown variant `", "name")] {
        if let Some((path, rest)) = message.split_once(marker) {
            return unknown(source, path_of(path), noun, rest, place);
        }
    }
    for marker in ["invalid type: ", "invalid value: ", "invalid length "] {
        if let Some((_, rest)) = message.split_once(marker) {
            return wrong_type(source, rest, place);
        }
    }
    let hint = "compare with the files in `scenarios/`";
    // Our own types say `expected .., found ..`.
    let own = message.split_once("expected ").and_then(|(_, rest)| rest.split_once(", found "));
    if let Some((expected, found)) = own {
        return source.mistake(place, format!("found {}", shorten(found)), expected, hint);
    }
    source.mistake(place, shorten(&message), "a value of the documented form", hint)
}

pub(super) fn missing(source: &Source<'_>, path: &str, key: &str, place: Place) -> Mistake {
    let inside = if path.is_empty() { String::new() } else { format!(" in `{path}`") };
    let place = source.key(path).unwrap_or(place);
    let level = if path.is_empty() { "at the top level".to_owned() } else { format!("below `{path}`") };
    let mut mistake = source.mistake(
        place,
        format!("missing key `{key}`{inside}"),
        format!("a value for `{key}`"),
        format!("add `{key}: ...` {level}"),
    );
    if path.is_empty() {
        // The first line of the file has nothing to do with what is missing from it.
        mistake.excerpt.clear();
    }
    mistake
}

fn unknown(source: &Source<'_>, path: &str, noun: &str, rest: &str, place: Place) -> Mistake {
    let (name, expected) = rest.split_once("`, ").unwrap_or((rest.trim_end_matches('`'), ""));
    let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    // A name that is a key (`yarm: {}`) is found late, when the place is already that of its mapping.
    let place = source.key(&join(path, name)).unwrap_or(place);
    let what = format!("unknown {noun} `{}`", shorten(name));
    if known.is_empty() {
        return source.mistake(place, what, "no keys here", "remove it, or write the name above it alone");
    }
    let list = known.join(", ");
    let expected = if known.len() == 1 { format!("`{list}`") } else { format!("one of: {list}") };
    source.mistake(place, what, expected, nearest_hint(name, &known))
}

fn wrong_type(source: &Source<'_>, rest: &str, place: Place) -> Mistake {
    let (found, expected) = rest.rsplit_once(", expected ").unwrap_or((rest, "another value"));
    let (expected, hint) = match expected {
        "usize" | "u64" | "u32" | "u16" | "u8" => {
            ("a whole number of at least 0", "write digits alone, without quotes, units or separators: `8192`")
        }
        "isize" | "i64" | "i32" => ("a whole number", "write digits alone, without quotes, units or separators"),
        "f64" | "f32" => ("a number", "write a number without quotes or units: `0.02`"),
        "a string" | "path string" => ("text", "put the text in quotes"),
        "a boolean" => ("true or false", "write `true` or `false`"),
        "a sequence" => ("a list", "put the values in brackets: `[a, b]`"),
        "a map" => ("a mapping (`key: value`)", "write `key: value` lines below, indented by two spaces"),
        form if form.starts_with("struct ") => {
            ("a mapping (`key: value`)", "write `key: value` lines below, indented by two spaces")
        }
        name if name.starts_with("enum ") || name == "variant identifier" => ("a name", "write the bare name"),
        other => (other, "correct the value, or remove the key to have the default"),
    };
    let found = match found {
        "sequence" => "a list".to_owned(),
        "map" => "a mapping".to_owned(),
        "unit value" => "an empty value".to_owned(),
        other => other.replacen("string ", "the text ", 1).replacen("integer ", "the number ", 1).replacen(
            "floating point ",
            "the number ",
            1,
        ),
    };
    source.mistake(place, format!("wrong kind of value: {}", shorten(&found)), expected, hint)
}

/// What to do about an unknown name: the known one that is nearest, if any is near.
pub(super) fn nearest_hint(name: &str, known: &[&str]) -> String {
    nearest(name, known).map_or_else(
        || "write one of the names above, or remove it".to_owned(),
        |known| format!("did you mean `{known}`?"),
    )
}

/// The message without its place, which is shown in front.
fn message(error: &serde_yaml::Error) -> String {
    let whole = error.to_string();
    match whole.rfind(" at line ") {
        Some(_) => {
            // Syntax errors name two places; the first is the one that counts.
            let end = whole.find(" at line ").unwrap_or(whole.len());
            let typed = locate::place(error)
                .map(|place| format!(" at line {} column {}", place.line, place.column))
                .and_then(|suffix| whole.strip_suffix(&suffix).map(str::to_owned));
            typed.unwrap_or_else(|| whole[..end].to_owned())
        }
        None => whole,
    }
}

/// The path in front of a message: `deployed: ` is `deployed`, and the root is empty.
fn path_of(prefix: &str) -> &str {
    prefix.strip_suffix(": ").unwrap_or_default().trim_start_matches('.')
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// At most 80 characters of a text that somebody else chose.
fn shorten(text: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    if text.chars().count() <= 80 {
        return text.chars().map(clean).collect();
    }
    text.chars().take(79).map(clean).chain(['…']).collect()
}

/// Where the second document of a text begins.
fn second_document(text: &str) -> Place {
    let mut content = false;
    for (index, line) in text.lines().enumerate() {
        if content && (line == "---" || line.starts_with("--- ")) {
            return Place { line: index + 1, column: 1 };
        }
        content |= !(line.trim().is_empty() || line.starts_with(['#', '%']));
    }
    Place::START
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_near_name_is_suggested() {
        assert_eq!(nearest_hint("linaer", &["ntk", "linear"]), "did you mean `linear`?");
        assert!(!nearest_hint("dynamic", &["ntk", "linear"]).contains("did you mean"));
    }
}
