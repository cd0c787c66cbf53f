//! The summary for a terminal: the answer, the rulings, the causes, the advice; 80 columns at most.

use super::story::capitalised;
use super::tables::asked;
use super::{Run, numbers};
use crate::findings::{Axis, Cause, Question, Ruling, Severity, Verdict};
use crate::measurement::spoken;

/// No line is longer.
const WIDTH: usize = 80;

/// The summary of a run, ending in a line break; with ANSI colours where the caller wants them.
#[must_use]
pub fn terminal(run: &Run<'_>, color: bool) -> String {
    let findings = run.findings;
    let mut page = String::new();
    paragraph(&mut page, "", &findings.question);
    page.push('\n');
    for line in wrapped(&findings.answer, WIDTH) {
        page.push_str(&painted(&line, "1", color));
        page.push('\n');
    }
    page.push_str(&format!("\n{:<18}{:<16}{:<30}{}\n", "question", "ruling", "change [interval], n", "accepted"));
    if findings.verdicts.is_empty() {
        page.push_str("no question was ruled on\n");
    }
    let mut against = "reference";
    for verdict in &findings.verdicts {
        if verdict.against != against {
            against = &verdict.against;
            page.push_str(&format!("against `{against}`:\n"));
        }
        page.push_str(&ruling_line(verdict, color));
    }
    causes(&mut page, &findings.causes);
    if let Some(advice) = &findings.recommendation {
        page.push('\n');
        paragraph(&mut page, "  ", &format!("recommended: {}. {}", spoken(&advice.label()), advice.because.join("; ")));
    }
    let heavy: Vec<_> = findings.audit.iter().filter(|finding| finding.severity != Severity::Note).collect();
    if !heavy.is_empty() {
        page.push('\n');
    }
    for finding in heavy {
        let line = format!("audit: {}: {}: {}", finding.severity.name(), finding.place(), finding.meaning);
        paragraph(&mut page, "  ", &line);
    }
    let failed: Vec<_> = findings.cells.iter().filter(|cell| cell.outcome == "failed").collect();
    if !failed.is_empty() || !findings.notes.is_empty() || findings.verdicts.iter().any(|v| v.why.is_some()) {
        page.push('\n');
    }
    for cell in failed {
        let reason = cell.reason.as_deref().unwrap_or("no reason given");
        paragraph(&mut page, "  ", &format!("failed: {}: {reason}", spoken(&cell.label())));
    }
    for verdict in &findings.verdicts {
        if let Some(why) = &verdict.why {
            paragraph(&mut page, "  ", &format!("{}: {why}", asked(verdict).to_lowercase()));
        }
    }
    for note in &findings.notes {
        paragraph(&mut page, "  ", &format!("note: {note}"));
    }
    page
}

fn ruling_line(verdict: &Verdict, color: bool) -> String {
    let unit = verdict.unit.as_str();
    let change = verdict.change.map_or_else(
        || "not comparable".to_owned(),
        |e| {
            // The unit stands once in the line, behind the accepted change.
            let text = numbers::estimate(unit, &e, numbers::change);
            let text = text.replace(&format!(" {unit}"), "").replace(" points", "");
            format!("{text}, {}", e.n)
        },
    );
    let accepted = [numbers::tolerance(unit, verdict.tolerance).as_str(), numbers::suffix(unit)].join(" ");
    let ruling = format!("{} {}", numbers::symbol(verdict.ruling), verdict.ruling.words());
    let ruling = painted(&format!("{ruling:<16}"), code(verdict.ruling), color);
    let (question, accepted) = (asked(verdict), accepted.trim_end().to_owned());
    let room = WIDTH - 18 - 16;
    let rest = format!("{change:<29} {accepted}");
    if rest.chars().count() <= room {
        return format!("{question:<18}{ruling}{rest}\n");
    }
    format!("{question:<18}{ruling}{change}\n{:<34}accepted: {accepted}\n", "")
}

fn causes(page: &mut String, causes: &[Cause]) {
    let blamed = |cause: &&Cause| cause.axis != Axis::None;
    if !causes.iter().any(|cause| blamed(&cause)) {
        return;
    }
    page.push('\n');
    for question in Question::ALL {
        let Some(cause) = causes.iter().filter(blamed).find(|cause| cause.question == question) else { continue };
        let name = capitalised(question.words());
        let line = if cause.axis == Axis::Undecided {
            format!("{name}: the cause is undecided.")
        } else {
            let repair = cause.repair.as_ref().map_or_else(
                || "nothing measured repairs it".to_owned(),
                |repair| {
                    let e = &repair.fraction;
                    let (share, low, high) =
                        (numbers::percent(e.point), numbers::percent(e.low), numbers::percent(e.high));
                    format!("{} repairs {share} [{low}, {high}]", spoken(&repair.cell))
                },
            );
            let sure = numbers::percent(cause.confidence);
            let level = spoken(&cause.name);
            format!("{name}: the {} ({level}), confidence {sure}; {repair}.", cause.axis.name())
        };
        paragraph(page, "  ", &line);
    }
}

fn code(ruling: Ruling) -> &'static str {
    match ruling {
        Ruling::Worse => "1;31",
        Ruling::Better => "1;32",
        Ruling::WithinNoise => "36",
        Ruling::Undecided => "1;33",
        Ruling::Incomparable => "2",
    }
}

fn painted(text: &str, code: &str, color: bool) -> String {
    if color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// Writes a text over as many lines as it needs; all but the first are indented.
pub(crate) fn paragraph(page: &mut String, indent: &str, text: &str) {
    for (i, line) in wrapped(text, WIDTH - indent.len()).into_iter().enumerate() {
        if i > 0 {
            page.push_str(indent);
        }
        page.push_str(&line);
        page.push('\n');
    }
}

/// Lines of at most `width` letters, broken between words; longer words are cut. Control characters become spaces, so
/// that no text of a scenario can steer the terminal.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let clean: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    let mut lines = vec![String::new()];
    for word in clean.split_whitespace() {
        let letters: Vec<char> = word.chars().collect();
        for (i, piece) in letters.chunks(width).enumerate() {
            let piece: String = piece.iter().collect();
            if let Some(line) = lines.last_mut() {
                let used = line.chars().count();
                if i == 0 && used == 0 {
                    line.push_str(&piece);
                    continue;
                }
                if i == 0 && used + 1 + piece.chars().count() <= width {
                    line.push(' ');
                    line.push_str(&piece);
                    continue;
                }
            }
            lines.push(piece);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_and_cannot_steer_the_terminal() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrapped("a\u{1b}[31mb", 20), ["a [31mb"]);
    }
}
