//! `report.html`: the story as one file that needs nothing else: no script, no font, no network.

use super::figures::Figure;
use super::story::{Block, Entry, Table};
use super::{Page, Report, ReportError, Story, numbers};
use crate::findings::Ruling;

/// Light and dark, wide and narrow, screen and paper.
pub(super) const STYLE: &str = include_str!("report.css");

/// The story as a page.
pub(super) struct Html;

impl Report for Html {
    fn name(&self) -> &'static str {
        "html"
    }

    fn pages(&self, story: &Story<'_>) -> Result<Vec<Page>, ReportError> {
        let findings = story.run.findings;
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n\
             <body>\n<main>\n<header>\n<p class=\"origin\">Gyro \u{b7} {} \u{b7} deployed: {} \u{b7} {}</p>\n\
             <h1>{}</h1>\n<p class=\"answer {}\">{}</p>\n",
            escape(&findings.question),
            escape(&findings.scenario),
            escape(&findings.deployed),
            escape(&story.run.provenance.started),
            escape(&findings.question),
            class(gravest(story)),
            escape(&findings.answer),
        );
        if story.rulings.rows.is_empty() {
            page.push_str("<p>No question was ruled on.</p>\n");
        } else {
            write_table(&mut page, &story.rulings);
        }
        page.push_str("</header>\n");
        for block in &story.blocks {
            write_block(&mut page, block, &story.figures);
        }
        page.push_str("</main>\n</body>\n</html>\n");
        Ok(vec![Page::new("report.html", page)])
    }
}

pub(super) fn write_block(page: &mut String, block: &Block, figures: &[Figure]) {
    match block {
        Block::Heading(words) => page.push_str(&format!("<h2>{}</h2>\n", escape(words))),
        Block::Subheading(words) => page.push_str(&format!("<h3>{}</h3>\n", escape(words))),
        Block::Text(words) => page.push_str(&format!("<p>{}</p>\n", escape(words))),
        Block::List(points) => {
            page.push_str("<ul>\n");
            for point in points {
                page.push_str(&format!("<li>{}</li>\n", escape(point)));
            }
            page.push_str("</ul>\n");
        }
        Block::Table(table) => write_table(page, table),
        Block::Figure(name) => {
            for figure in figures.iter().filter(|figure| figure.name == *name) {
                write_figure(page, figure);
            }
        }
        Block::Code(text) => page.push_str(&format!("<pre tabindex=\"0\"><code>{}</code></pre>\n", escape(text))),
    }
}

/// The picture on a white card, which scrolls sideways on a narrow screen.
fn write_figure(page: &mut String, figure: &Figure) {
    page.push_str(&format!(
        "<figure>\n<div class=\"card\" tabindex=\"0\">\n{}</div>\n<figcaption><b>{}.</b> {}</figcaption>\n</figure>\n",
        figure.svg,
        escape(&figure.title),
        escape(&figure.caption),
    ));
}

fn write_table(page: &mut String, table: &Table) {
    let number = |column: usize| matches!(table.rows.first().and_then(|row| row.get(column)), Some(Entry::Number(_)));
    page.push_str("<div class=\"table\" tabindex=\"0\">\n<table>\n<thead><tr>");
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
        Entry::Text(words) => format!("<td>{}</td>", escape(words)),
        Entry::Number(words) => format!("<td class=\"number\">{}</td>", escape(words)),
        Entry::Ruling(ruling) => {
            let (symbol, words) = (numbers::symbol(*ruling), ruling.words());
            format!("<td><span class=\"ruling {}\">{symbol} {words}</span></td>", class(*ruling))
        }
    }
}

/// The ruling that colours the answer.
fn gravest(story: &Story<'_>) -> Ruling {
    let order = [Ruling::Worse, Ruling::Undecided, Ruling::Incomparable, Ruling::Better];
    let verdicts = &story.run.findings.verdicts;
    order.into_iter().find(|ruling| verdicts.iter().any(|v| v.ruling == *ruling)).unwrap_or(Ruling::WithinNoise)
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
    }
}
