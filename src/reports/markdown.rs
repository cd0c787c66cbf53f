//! `report.md`: a document for a repository's page, with the charts beside it.

use super::document::{Block, Card, Claim, Document, Entry, Table};
use super::{Page, Report, ReportError, Story, html, numbers};

/// The story as GitHub's Markdown.
pub(super) struct Markdown;

impl Report for Markdown {
    fn name(&self) -> &'static str {
        "markdown"
    }

    fn pages(&self, story: &Story<'_>) -> Result<Vec<Page>, ReportError> {
        Ok(vec![Page::new("report.md", page(&story.document))])
    }
}

/// A document as GitHub's Markdown; its figures are the files that [`Figure::path`](super::Figure::path) names.
#[must_use]
pub fn page(document: &Document) -> String {
    let mut page = format!("# {}\n\n", escape(&document.title));
    page.push_str(&format!("**{}**\n\n{}\n\n", prose(&document.answer), escape(&document.origin)));
    for block in document.first.iter().chain(&document.blocks) {
        write_block(&mut page, block, document);
    }
    format!("{}\n", page.trim_end())
}

fn write_block(page: &mut String, block: &Block, document: &Document) {
    match block {
        Block::Heading(words) => page.push_str(&format!("## {}\n\n", escape(words))),
        Block::Subheading(words) => page.push_str(&format!("### {}\n\n", escape(words))),
        Block::Text(words) => page.push_str(&format!("{}\n\n", prose(words))),
        Block::List(points) => {
            for point in points {
                page.push_str(&format!("- {}\n", prose(point)));
            }
            page.push('\n');
        }
        Block::Claims(claims) => {
            for Claim { text, sources } in claims {
                page.push_str(&format!("- {}{}\n", prose(text), links(sources)));
            }
            page.push('\n');
        }
        Block::Cards(cards) => write_cards(page, cards),
        Block::Table(table) => write_table(page, table),
        Block::Figure(name) => {
            for figure in document.figures.iter().filter(|figure| figure.name == *name) {
                page.push_str(&format!("![{}]({})\n\n", escape(&figure.alt), figure.path()));
                page.push_str(&format!("*{}.* {}\n\n", escape(&figure.title), prose(&figure.caption)));
            }
        }
        Block::Code(text) => {
            let fence = fence(text);
            page.push_str(&format!("{fence}\n{text}\n{fence}\n\n"));
        }
    }
}

fn write_cards(page: &mut String, cards: &[Card]) {
    page.push_str("| Question | Ruling | Change | |\n| --- | --- | ---: | --- |\n");
    for card in cards {
        let ruling = entry(&Entry::Ruling(card.ruling));
        let source: Vec<String> = card.source.iter().cloned().collect();
        let details: Vec<String> = card.details.iter().map(|line| escape(line)).collect();
        let row = [escape(&card.title), ruling, escape(&card.change), details.join("; ") + &links(&source)];
        page.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    page.push('\n');
}

/// Small links behind a sentence; nothing where there are none.
fn links(sources: &[String]) -> String {
    if sources.is_empty() {
        return String::new();
    }
    let links: Vec<String> = sources.iter().map(|name| format!("[{}](#{})", escape(name), html::slug(name))).collect();
    format!(" <sup>{}</sup>", links.join(" "))
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
        Entry::Text(words) => prose(words),
        Entry::Number(words) => escape(words),
        Entry::Ruling(ruling) => format!("{} **{}**", numbers::symbol(*ruling), ruling.words()),
        Entry::Mark(ruling, words) => format!("{} **{}**", numbers::symbol(*ruling), escape(words)),
        Entry::Anchor(name) => format!("<a id=\"{}\"></a>{}", html::slug(name), escape(name)),
        Entry::Links(names) => links(names),
        Entry::Code(text) => {
            // A line of its own in a cell; a bar would end the cell.
            let fence = if text.contains('`') { fence(text) } else { "`".to_owned() };
            format!("{fence} {} {fence}", text.replace('|', "\\|").replace('\n', " "))
        }
    }
}

/// Words, of which those between backticks are code; backticks that do not pair stay as they are.
fn prose(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) || parts.iter().skip(1).step_by(2).any(|code| code.contains(['|', '\n', '<'])) {
        return escape(text);
    }
    let part = |(i, part): (usize, &&str)| if i % 2 == 0 { escape(part) } else { format!("`{part}`") };
    parts.iter().enumerate().map(part).collect()
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
        assert_eq!(prose("a_ `b_c*` `"), "a\\_ \\`b_c\\*\\` \\`");
        assert_eq!(prose("switch `linear*` now"), "switch `linear*` now");
        assert_eq!(escape("two\nlines"), "two lines");
        assert_eq!(fence("a ``` b"), "````");
    }
}
