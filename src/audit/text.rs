//! An audit as people read it, in 100 columns.

use super::{Audit, Effective};
use crate::findings::Severity;

/// No line is longer, but for a word that is.
const WIDTH: usize = 100;

/// The findings, heaviest first, then what a healthy engine applies.
#[must_use]
pub fn text(audit: &Audit) -> String {
    let counts: Vec<String> = [Severity::Error, Severity::Warning, Severity::Note]
        .into_iter()
        .map(|severity| (severity.name(), audit.count(severity)))
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{count} {name}{}", if count == 1 { "" } else { "s" }))
        .collect();
    let summary = if counts.is_empty() { "nothing found".to_owned() } else { counts.join(", ") };
    let mut page = format!("{}: {summary}\n", audit.config.display());
    for finding in &audit.findings {
        page.push_str(&format!("\n{:<8} {}  [{}]\n", finding.severity.name(), finding.key, finding.check));
        let line = finding.line.map_or_else(String::new, |line| format!(", line {line}"));
        page.push_str(&format!("         {}{line}\n", finding.file));
        paragraph(&mut page, "", &finding.meaning);
        paragraph(&mut page, "write: ", &finding.instead);
        if !finding.known.is_empty() {
            paragraph(&mut page, "known: ", &finding.known.join(", "));
        }
    }
    if let Some(effective) = &audit.effective {
        page.push('\n');
        page.push_str(&healthy(effective));
    }
    page
}

fn healthy(effective: &Effective) -> String {
    let Effective { method, factor, theta, rotated: [rotated, head_dim], trained, attention_factor, fingerprints } =
        effective;
    // LongRoPE's lists fill pages.
    let method = if method.chars().count() > WIDTH / 2 { method.split(" (").next().unwrap_or(method) } else { method };
    let mut page = format!("a healthy engine applies {method} x{factor} to weights of {trained} tokens\n");
    if let Some(attention) = attention_factor {
        page.push_str(&format!(
            "base {theta}, {rotated} of {head_dim} dimensions rotated, attention factor {attention:.6}\n"
        ));
    }
    for (length, fingerprint) in fingerprints {
        page.push_str(&format!("fingerprint {fingerprint} at {length} tokens\n"));
    }
    page
}

/// Indented lines, broken between words.
fn paragraph(page: &mut String, label: &str, text: &str) {
    let indent = " ".repeat(9);
    let mut line = format!("{indent}{label}");
    let mut empty = true;
    for word in text.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            page.push_str(&line);
            page.push('\n');
            line = format!("{indent}{}", " ".repeat(label.len()));
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    page.push_str(&line);
    page.push('\n');
}
