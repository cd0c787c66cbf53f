//! `report.md`: the story for a repository's page, with the charts beside it.

use super::figures::Figure;
use super::story::{Block, Entry, Table};
use super::{Page, Report, ReportError, Story, numbers};

/// The story as GitHub's Markdown.
pub(super) struct Markdown;

impl Report for Markdown {
    fn name(&self) -> &'static str {
        "markdown"
    }

    fn pages(&self, story: &Story<'_>) -> Result<Vec<Page>, ReportError> {
        let findings = story.run.findings;
        let mut page = format!("# {}\n\n", escape(&findings.question));
        page.push_str(&format!("**{}**\n\n", escape(&findings.answer)));
        page.push_str(&format!("Deployed: {}.\n\n", escape(&findings.deployed)));
        if story.rulings.rows.is_empty() {
            page.push_str("No question was ruled on.\n\n");
        } else {
            write_table(&mut page, &story.rulings);
        }
        for block in &story.blocks {
            write_block(&mut page, block, &story.figures);
        }
        let page = format!("{}\n", page.trim_end());
        Ok(vec![Page::new("report.md", page)])
    }
}

pub(super) fn write_block(page: &mut String, block: &Block, figures: &[Figure]) {
    match block {
        Block::Heading(words) => page.push_str(&format!("## {}\n\n", escape(words))),
        Block::Subheading(words) => page.push_str(&format!("### {}\n\n", escape(words))),
        Block::Text(words) => page.push_str(&format!("{}\n\n", escape(words))),
        Block::List(points) => {
            for point in points {
                page.push_str(&format!("- {}\n", escape(point)));
            }
            page.push('\n');
        }
        Block::Table(table) => write_table(page, table),
        Block::Figure(name) => {
            for figure in figures.iter().filter(|figure| figure.name == *name) {
                page.push_str(&format!("![{}]({})\n\n", escape(&figure.alt), figure.path()));
                page.push_str(&format!("*{}* {}\n\n", escape(&figure.title), escape(&figure.caption)));
            }
        }
        Block::Code(text) => {
            let fence = fence(text);
            page.push_str(&format!("{fence}\n{text}\n{fence}\n\n"));
        }
    }
}

fn write_table(page: &mut String, table: &Table) {
    let row = |entries: Vec<String>| format!("| {} |\n", entries.join(" | "));
    page.push_str(&row(table.head.iter().map(|word| escape(word)).collect()));
    let right = |column: usize| matches!(table.rows.first().and_then(|row| row.get(column)), Some(Entry::Number(_)));
    page.push_str(&row((0..table.head.len()).map(|i| if right(i) { "---:" } else { "---" }.to_owned()).collect()));
    for entries in &table.rows {
        page.push_str(&row(entries.iter().map(entry).collect()));
    }
    page.push('\n');
}

fn entry(entry: &Entry) -> String {
    match entry {
        Entry::Text(words) | Entry::Number(words) => escape(words),
        Entry::Ruling(ruling) => format!("{} **{}**", numbers::symbol(*ruling), ruling.words()),
    }
}

/// Text that Markdown and the HTML in it leave as it is, on one line.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let letters: Vec<char> = text.chars().collect();
    for (i, &letter) in letters.iter().enumerate() {
        match letter {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\n' | '\r' => escaped.push(' '),
            '\\' | '`' | '*' | '[' | ']' | '|' => escaped.extend(['\\', letter]),
            '_' if !within_word(&letters, i) => escaped.push_str("\\_"),
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// Underlines inside a word mean nothing to Markdown and stay readable.
fn within_word(letters: &[char], i: usize) -> bool {
    let word = |at: Option<usize>| at.and_then(|at| letters.get(at)).is_some_and(|letter| letter.is_alphanumeric());
    word(i.checked_sub(1)) && word(Some(i + 1))
}

/// A fence longer than any that stands in the text.
fn fence(text: &str) -> String {
    let longest = text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_users_text_becomes_markup() {
        assert_eq!(escape("a|b <script> *x* 8k_regression _y_"), "a\\|b &lt;script&gt; \\*x\\* 8k_regression \\_y\\_");
        assert_eq!(escape("two\nlines"), "two lines");
        assert_eq!(fence("a ``` b"), "````");
    }
}
