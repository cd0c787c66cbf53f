//! `report.html`: a document as one file that needs nothing else: no font, no network; one script sorts tables.

use super::document::{Block, Card, Claim, Document, Entry, Table};
use super::figures::Figure;
use super::{Page, Report, ReportError, Story, numbers};
use crate::findings::Ruling;

/// Light and dark, wide and narrow, screen and paper.
const STYLE: &str = include_str!("report.css");
/// Sorts a table by the column whose button is pressed. Without it the page says the same.
const SCRIPT: &str = include_str!("report.js");

/// The story as a page.
pub(super) struct Html;

impl Report for Html {
    fn name(&self) -> &'static str {
        "html"
    }

    fn pages(&self, story: &Story<'_>) -> Result<Vec<Page>, ReportError> {
        Ok(vec![Page::new("report.html", page(&story.document))])
    }
}

/// A document as one self-contained page.
#[must_use]
pub fn page(document: &Document) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<a class=\"skip\" href=\"#argument\">Skip to the evidence</a>\n<main>\n<header>\n\
         <p class=\"origin\">{}</p>\n<h1>{}</h1>\n<p class=\"answer {}\">{}</p>\n",
        escape(&document.title),
        escape(&document.origin),
        escape(&document.title),
        document.tone.map_or("incomparable", class),
        prose(&document.answer),
    );
    for block in &document.first {
        write_block(&mut page, block, document);
    }
    page.push_str("</header>\n");
    contents(&mut page, document);
    page.push_str("<div id=\"argument\" tabindex=\"-1\">\n");
    for block in &document.blocks {
        write_block(&mut page, block, document);
    }
    page.push_str(&format!("</div>\n</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n"));
    page
}

/// Links to the parts of the argument.
fn contents(page: &mut String, document: &Document) {
    let headings = document.blocks.iter().filter_map(|block| match block {
        Block::Heading(words) => Some(format!("<li><a href=\"#{}\">{}</a></li>\n", slug(words), escape(words))),
        _ => None,
    });
    let links: String = headings.collect();
    if !links.is_empty() {
        page.push_str(&format!("<nav aria-label=\"Parts of this page\"><ul>\n{links}</ul></nav>\n"));
    }
}

fn write_block(page: &mut String, block: &Block, document: &Document) {
    match block {
        Block::Heading(words) => page.push_str(&format!("<h2 id=\"{}\">{}</h2>\n", slug(words), escape(words))),
        Block::Subheading(words) => page.push_str(&format!("<h3>{}</h3>\n", escape(words))),
        Block::Text(words) => page.push_str(&format!("<p>{}</p>\n", prose(words))),
        Block::List(points) => {
            page.push_str("<ul>\n");
            for point in points {
                page.push_str(&format!("<li>{}</li>\n", prose(point)));
            }
            page.push_str("</ul>\n");
        }
        Block::Claims(claims) => write_claims(page, claims),
        Block::Cards(cards) => write_cards(page, cards),
        Block::Table(table) => write_table(page, table),
        Block::Figure(name) => {
            for figure in document.figures.iter().filter(|figure| figure.name == *name) {
                write_figure(page, figure);
            }
        }
        Block::Code(text) => page.push_str(&format!("<pre tabindex=\"0\"><code>{}</code></pre>\n", escape(text))),
    }
}

fn write_claims(page: &mut String, claims: &[Claim]) {
    page.push_str("<ul class=\"claims\">\n");
    for claim in claims {
        page.push_str(&format!("<li>{}{}</li>\n", prose(&claim.text), links(&claim.sources)));
    }
    page.push_str("</ul>\n");
}

/// Small links behind a sentence; nothing where there are none.
fn links(sources: &[String]) -> String {
    if sources.is_empty() {
        return String::new();
    }
    let links: Vec<String> =
        sources.iter().map(|name| format!("<a href=\"#{}\">{}</a>", slug(name), escape(name))).collect();
    format!(" <span class=\"sources\">[{}]</span>", links.join(", "))
}

fn write_cards(page: &mut String, cards: &[Card]) {
    page.push_str("<ul class=\"cards\">\n");
    for card in cards {
        let source = card.source.as_ref().map_or_else(String::new, |name| {
            format!("<a href=\"#{}\">rows<span class=\"unseen\"> of {}</span></a>", slug(name), escape(&card.title))
        });
        let details: Vec<String> = card.details.iter().map(|line| format!("<span>{}</span>\n", escape(line))).collect();
        let details = details.concat();
        page.push_str(&format!(
            "<li class=\"{0}\">\n<h2>{1}</h2>\n<p class=\"ruling {0}\">{2} {3}</p>\n<p class=\"change\">{4}</p>\n\
             <p class=\"details\">{details}{source}</p>\n</li>\n",
            class(card.ruling),
            escape(&card.title),
            numbers::symbol(card.ruling),
            card.ruling.words(),
            // The unit stands smaller behind its number.
            match card.change.split_once(' ') {
                Some((number, unit)) => format!("{} <small>{}</small>", escape(number), escape(unit)),
                None => escape(&card.change),
            },
        ));
    }
    page.push_str("</ul>\n");
}

/// The picture on a card, which scrolls sideways on a narrow screen.
fn write_figure(page: &mut String, figure: &Figure) {
    page.push_str(&format!(
        "<figure>\n<div class=\"card\" tabindex=\"0\" role=\"group\" aria-label=\"{0}\">\n{1}{3}</div>\n\
         <figcaption><b>{0}.</b> {2}</figcaption>\n</figure>\n",
        escape(&figure.title),
        figure.svg,
        prose(&figure.caption),
        figure.narrow.as_deref().map_or_else(String::new, |svg| svg.replacen("<svg ", "<svg class=\"narrow\" ", 1)),
    ));
}

fn write_table(page: &mut String, table: &Table) {
    let number = |column: usize| matches!(table.rows.first().and_then(|row| row.get(column)), Some(Entry::Number(_)));
    let caption = escape(&table.caption);
    page.push_str(&format!(
        "<div class=\"table\" tabindex=\"0\" role=\"group\" aria-label=\"{caption}\">\n<table>\n\
         <caption>{caption}</caption>\n<thead><tr>"
    ));
    for (column, word) in table.head.iter().enumerate() {
        let class = if number(column) { " class=\"number\"" } else { "" };
        page.push_str(&format!("<th scope=\"col\"{class}>{}</th>", escape(word)));
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for row in &table.rows {
        page.push_str("<tr>");
        for entry in row {
            page.push_str(&cell(entry));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody>\n</table>\n</div>\n");
}

fn cell(entry: &Entry) -> String {
    match entry {
        Entry::Text(words) => format!("<td>{}</td>", prose(words)),
        Entry::Number(words) => format!("<td class=\"number\">{}</td>", escape(words)),
        Entry::Ruling(ruling) => cell(&Entry::Mark(*ruling, ruling.words().to_owned())),
        Entry::Mark(ruling, words) => {
            let symbol = numbers::symbol(*ruling);
            format!("<td><span class=\"ruling {}\">{symbol} {}</span></td>", class(*ruling), escape(words))
        }
        Entry::Judged(ruling, words, details) => format!(
            "<td><span class=\"ruling {}\">{} {}</span><br>{}</td>",
            class(*ruling),
            numbers::symbol(*ruling),
            escape(words),
            escape(details)
        ),
        Entry::Anchor(name) => format!("<td id=\"{}\">{}</td>", slug(name), escape(name)),
        Entry::Links(names) => format!("<td>{}</td>", links(names)),
        Entry::Code(text) => format!("<td><code>{}</code></td>", escape(text)),
    }
}

fn class(ruling: Ruling) -> &'static str {
    match ruling {
        Ruling::Worse => "worse",
        Ruling::Better => "better",
        Ruling::WithinNoise => "same",
        Ruling::Undecided => "undecided",
        Ruling::Incomparable => "incomparable",
    }
}

/// Words, of which those between backticks are code; backticks that do not pair stay as they are.
fn prose(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return escape(text);
    }
    let part = |(i, part): (usize, &&str)| {
        if i % 2 == 0 { escape(part) } else { format!("<code>{}</code>", escape(part)) }
    };
    parts.iter().enumerate().map(part).collect()
}

/// A name that may stand behind `#`.
pub(super) fn slug(words: &str) -> String {
    let letters =
        words.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' });
    letters.collect()
}

/// Text that is safe in an element and in an attribute.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // XML knows no other control characters, and one would make the picture unreadable.
            '\t' | '\n' | '\r' => escaped.push(letter),
            _ if letter.is_control() => escaped.push('\u{fffd}'),
            _ => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_becomes_text() {
        assert_eq!(escape("<script>\"a\" & 'b'\u{1}"), "&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;\u{fffd}");
        assert_eq!(prose("a `<b>` c"), "a <code>&lt;b&gt;</code> c");
        assert_eq!(prose("one ` of <them>"), "one ` of &lt;them&gt;");
        assert_eq!(slug("What repairs it, and \"what\""), "what-repairs-it--and--what-");
    }
}
