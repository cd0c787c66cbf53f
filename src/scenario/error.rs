//! What is wrong with a written file, where, and what to do about it.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a scenario (or another file that people write) cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file cannot be read.
    #[error("cannot read {}: {reason}\n  hint: paths on the command line are relative to the current folder", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// The file is larger than anything that people write by hand; it was not read to its end.
    #[error(
        "{}:1:1: the file is too large\n  expected at most {limit} bytes\n  hint: name large files by their path \
         instead of pasting them in; is this the file that you meant?",
        path.display()
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The largest accepted size in bytes.
        limit: u64,
    },
    /// The grid has no such cell.
    #[error("the scenario has no cell `{label}`\n  hint: it has {}", there.join(", "))]
    NoSuchCell {
        /// What was asked for.
        label: String,
        /// The cells of the grid.
        there: Vec<String>,
    },
    /// The file says something that cannot be; every mistake that was found, in the order of the file.
    #[error("{}", one_below_the_other(.0))]
    Mistakes(Vec<Mistake>),
}

impl From<Mistake> for ScenarioError {
    fn from(mistake: Mistake) -> Self {
        Self::Mistakes(vec![mistake])
    }
}

/// One mistake in a file, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file, as it was given.
    pub path: PathBuf,
    /// Where in the file.
    pub place: Place,
    /// The line itself; empty where showing it would not help.
    pub excerpt: String,
    /// What is wrong, as a lowercase fragment.
    pub what: String,
    /// What was expected instead.
    pub expected: String,
    /// The next step.
    pub hint: String,
}

/// A place in a text; lines and columns count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Place {
    /// Where a text begins.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// The widest piece of a line that is shown, in characters.
const EXCERPT: usize = 100;

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { line, column } = self.place;
        writeln!(f, "{}:{line}:{column}: {}", self.path.display(), self.what)?;
        if !self.excerpt.trim().is_empty() {
            let skipped = column.saturating_sub(EXCERPT / 2).min(column.saturating_sub(1));
            let skipped = if self.excerpt.chars().count() <= EXCERPT { 0 } else { skipped };
            let shown: String = self
                .excerpt
                .chars()
                .skip(skipped)
                .take(EXCERPT)
                .map(|c| if c.is_control() { ' ' } else { c })
                .collect();
            let before = column.saturating_sub(1 + skipped);
            let carets = "^".repeat(word_length(&shown, before));
            writeln!(f, "  {line:>4} | {}", shown.trim_end())?;
            writeln!(f, "       | {:before$}{carets}", "")?;
        }
        writeln!(f, "  expected {}", self.expected)?;
        write!(f, "  hint: {}", self.hint)
    }
}

/// The length in characters of the word that starts after `before` characters, at least 1.
fn word_length(line: &str, before: usize) -> usize {
    let ends = |c: &char| c.is_whitespace() || matches!(c, ':' | ',' | '{' | '}' | '[' | ']' | '#');
    line.chars().skip(before).take_while(|c| !ends(c)).count().max(1)
}

fn one_below_the_other(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(Mistake::to_string).collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(excerpt: &str, column: usize) -> Mistake {
        Mistake {
            path: PathBuf::from("a.yaml"),
            place: Place { line: 7, column },
            excerpt: excerpt.to_owned(),
            what: "unknown key `factr`".to_owned(),
            expected: "one of: method, factor".to_owned(),
            hint: "did you mean `factor`?".to_owned(),
        }
    }

    #[test]
    fn a_mistake_shows_its_line_with_a_caret_under_the_word() {
        let shown = mistake("  factr: 4", 3).to_string();
        let expected = "a.yaml:7:3: unknown key `factr`\n     7 |   factr: 4\n       |   ^^^^^\n  expected one of: method, \
                        factor\n  hint: did you mean `factor`?";
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_very_long_line_is_cut_around_its_place() {
        let line = format!("{}factr: 4{}", "é".repeat(3_000), "z".repeat(3_000));
        let shown = mistake(&line, 3_001).to_string();
        assert!(shown.lines().all(|line| line.chars().count() < 120), "{shown}");
        let mut lines = shown.lines().skip(1);
        let (text, carets) = (lines.next().unwrap(), lines.next().unwrap());
        let start = carets.chars().position(|c| c == '^').unwrap();
        assert!(text.chars().skip(start).collect::<String>().starts_with("factr"), "{shown}");
    }

    #[test]
    fn a_place_past_the_end_of_its_line_does_no_harm() {
        assert!(mistake("ab", 40).to_string().contains('^'));
    }
}
