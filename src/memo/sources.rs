//! What a claim rests on: rows of `measurements.parquet`, or a formula.

use serde::Serialize;

use crate::findings::Question;
use crate::measurement::Cell;

/// A source with its name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Source {
    /// The name that claims refer to: `R1` for rows, `F1` for formulas.
    pub name: String,
    /// What it is.
    pub what: What,
}

/// What a claim rests on.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Rows of two cells, or of one.
    Rows {
        /// The question that they answer.
        question: Question,
        /// The cell's label.
        cell: String,
        /// The cell's identity in the column `cell`.
        id: String,
        /// The label of what it is compared with; absent where nothing is.
        against: Option<String>,
        /// That cell's identity.
        against_id: Option<String>,
        /// Which rows, as a filter on the columns.
        filter: String,
        /// How a number is made of them.
        made: String,
    },
    /// Arithmetic.
    Formula(String),
}

/// The sources of a memo, each once.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    list: Vec<Source>,
}

impl Sources {
    /// The name of the rows of a cell against another's.
    pub(super) fn rows(
        &mut self,
        question: Question,
        cell: &Cell,
        against: Option<&Cell>,
        filter: &str,
        made: &str,
    ) -> String {
        self.named(
            'R',
            What::Rows {
                question,
                cell: cell.label(),
                id: cell.id().0,
                against: against.map(Cell::label),
                against_id: against.map(|cell| cell.id().0),
                filter: filter.to_owned(),
                made: made.to_owned(),
            },
        )
    }

    /// The name of a formula.
    pub(super) fn formula(&mut self, text: impl Into<String>) -> String {
        self.named('F', What::Formula(text.into()))
    }

    fn named(&mut self, letter: char, what: What) -> String {
        if let Some(source) = self.list.iter().find(|source| source.what == what) {
            return source.name.clone();
        }
        let before = self.list.iter().filter(|source| source.name.starts_with(letter)).count();
        let name = format!("{letter}{}", before + 1);
        self.list.push(Source { name: name.clone(), what });
        name
    }

    /// All of them, rows first.
    pub(super) fn all(&self) -> Vec<Source> {
        let mut list = self.list.clone();
        list.sort_by_key(|source| matches!(source.what, What::Formula(_)));
        list
    }
}
