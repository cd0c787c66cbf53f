//! A page, format-free: what stands on its first screen, and blocks in the order of the argument.
//!
//! Reports, memos and comparisons are all documents; [`html`](super::html) and [`markdown`](super::markdown) only write
//! them down.

use super::figures::Figure;
use crate::findings::Ruling;

/// A page with its figures.
#[derive(Clone, Debug, Default)]
pub struct Document {
    /// What it is and where it comes from, in a few words above the title.
    pub origin: String,
    /// The title: the question that is answered.
    pub title: String,
    /// The answer.
    pub answer: String,
    /// The ruling that colours the answer.
    pub tone: Option<Ruling>,
    /// What stands beside the answer on the first screen.
    pub first: Vec<Block>,
    /// Everything else.
    pub blocks: Vec<Block>,
    /// Every figure; blocks refer to them by name.
    pub figures: Vec<Figure>,
}

/// A piece of a page.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// Opens a part of the argument.
    Heading(String),
    /// A smaller heading within a part.
    Subheading(String),
    /// A paragraph.
    Text(String),
    /// Points of equal rank.
    List(Vec<String>),
    /// Sentences, each with the names of what it rests on.
    Claims(Vec<Claim>),
    /// One card for each ruling.
    Cards(Vec<Card>),
    /// Numbers.
    Table(Table),
    /// The figure of that name.
    Figure(String),
    /// Text that is shown as it was typed.
    Code(String),
}

/// A sentence and what it rests on: names that a table of the same page defines ([`Entry::Anchor`]).
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Claim {
    /// The sentence, with its numbers.
    pub text: String,
    /// The names of its sources.
    pub sources: Vec<String>,
}

impl Claim {
    /// A sentence that rests on these sources.
    #[must_use]
    pub fn new(text: impl Into<String>, sources: impl IntoIterator<Item = String>) -> Self {
        Self { text: text.into(), sources: sources.into_iter().collect() }
    }
}

/// A ruling at a glance.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    /// What was asked.
    pub title: String,
    /// What was ruled.
    pub ruling: Ruling,
    /// The change, with its unit.
    pub change: String,
    /// Its interval, what is accepted, what it is compared with.
    pub details: Vec<String>,
    /// The name of the rows behind it, if the page defines it.
    pub source: Option<String>,
}

/// Rows under a head; every row is as long as the head.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// What it shows, for those who do not see it.
    pub caption: String,
    /// What stands in each column.
    pub head: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<Entry>>,
}

/// What stands in a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// Words.
    Text(String),
    /// A number, aligned to the right.
    Number(String),
    /// A ruling: word, symbol and colour.
    Ruling(Ruling),
    /// A mark in words, coloured as a ruling is.
    Mark(Ruling, String),
    /// A mark in words and colour, and under it what it rests on.
    Judged(Ruling, String, String),
    /// A name that claims and links refer to.
    Anchor(String),
    /// Links to names.
    Links(Vec<String>),
    /// Text that is shown as it was typed.
    Code(String),
}

/// Words in a table.
#[must_use]
pub fn text(words: impl Into<String>) -> Entry {
    Entry::Text(words.into())
}

/// A number in a table.
#[must_use]
pub fn number(words: impl Into<String>) -> Entry {
    Entry::Number(words.into())
}

/// A table as a block.
#[must_use]
pub fn table(caption: &str, head: &[&str], rows: Vec<Vec<Entry>>) -> Block {
    let head = head.iter().map(|&word| word.to_owned()).collect();
    Block::Table(Table { caption: caption.to_owned(), head, rows })
}

impl Document {
    /// Opens a part.
    pub fn heading(&mut self, words: &str) {
        self.blocks.push(Block::Heading(words.to_owned()));
    }

    /// Opens a part of a part.
    pub fn subheading(&mut self, words: &str) {
        self.blocks.push(Block::Subheading(words.to_owned()));
    }

    /// Adds a paragraph.
    pub fn say(&mut self, words: impl Into<String>) {
        self.blocks.push(Block::Text(words.into()));
    }

    /// Adds sentences with their sources, if there are any.
    pub fn claim(&mut self, claims: Vec<Claim>) {
        if !claims.is_empty() {
            self.blocks.push(Block::Claims(claims));
        }
    }

    /// Adds the figure of that name where there is one, else says why there is none.
    pub fn figure_or(&mut self, name: &str, otherwise: &str) {
        if self.figures.iter().any(|figure| figure.name == name) {
            self.blocks.push(Block::Figure(name.to_owned()));
        } else if !otherwise.is_empty() {
            self.say(otherwise);
        }
    }
}
