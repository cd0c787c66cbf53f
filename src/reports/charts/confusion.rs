//! The confusion matrix of the score: which place was taken for which.

use super::lines::WIDTH;
use super::{Anchor, BLUE, Canvas, FAINT, Figure, INK, RGBColor, ReportError, Type, VERMILION, WHITE, sheet};
use crate::score::Confusion;

const NAMES: f64 = 120.0;
const TOP: f64 = 110.0;
const ROW: f64 = 30.0;

/// The matrix as a picture; counts on the diagonal are right.
pub(in crate::reports) fn confusion_chart(confusion: &Confusion) -> Result<Figure, ReportError> {
    let title = "Confusion matrix by place".to_owned();
    let height = TOP + ROW * confusion.names.len() as f64 + 12.0;
    let all: usize = confusion.counts.iter().flatten().sum();
    let right: usize = confusion.counts.iter().enumerate().filter_map(|(index, row)| row.get(index)).sum();
    let alt = format!("Confusion matrix of {all} diagnoses by place: {right} on the diagonal. {}", wrong(confusion));
    let svg = sheet((WIDTH, height), &title, &alt, |canvas| draw(canvas, confusion))?;
    let caption = format!(
        "Rows are what was injected, columns what the diagnosis blamed first: single faults, healthy deployments and healthy \
         look-alikes. {right} of {all} stand on the diagonal (blue); the others are orange. {}",
        wrong(confusion)
    );
    Ok(Figure { name: "confusion".to_owned(), title, caption, alt, svg, narrow: None })
}

/// The entries beside the diagonal, in words.
fn wrong(confusion: &Confusion) -> String {
    let name = |index: usize| confusion.names.get(index).map_or("", String::as_str);
    let mut found = Vec::new();
    for (truth, row) in confusion.counts.iter().enumerate() {
        for (said, count) in row.iter().enumerate().filter(|(said, count)| *said != truth && **count > 0) {
            found.push(format!("{} taken for {} {count} times", name(truth), name(said)));
        }
    }
    if found.is_empty() { "No place was taken for another.".to_owned() } else { format!("{}.", found.join("; ")) }
}

fn draw(canvas: &Canvas<'_>, confusion: &Confusion) -> Result<(), ReportError> {
    let width = (WIDTH - NAMES - 8.0) / confusion.names.len().max(1) as f64;
    canvas.text((8.0, 16.0), "Blamed first (columns) by what was injected (rows), count", Type::title())?;
    for (index, name) in confusion.names.iter().enumerate() {
        let x = NAMES + width * (index as f64 + 0.5);
        // Neighbours stand at different heights, so that long names do not touch.
        let y = TOP - 14.0 - 18.0 * (index % 3) as f64;
        canvas.text((x, y), name, Type::small(Anchor::Middle))?;
        canvas.line(&[(x, y + 8.0), (x, TOP - 3.0)], FAINT, 1.0)?;
        canvas.text((NAMES - 8.0, TOP + ROW * (index as f64 + 0.5)), name, Type::plain(Anchor::End))?;
    }
    for (truth, row) in confusion.counts.iter().enumerate() {
        let total = row.iter().sum::<usize>().max(1) as f64;
        for (said, &count) in row.iter().enumerate() {
            let corner = (NAMES + width * said as f64 + 1.0, TOP + ROW * truth as f64 + 1.0);
            let size = (width - 2.0, ROW - 2.0);
            let share = count as f64 / total;
            canvas.rectangle(corner, size, shade(if truth == said { BLUE } else { VERMILION }, share))?;
            canvas.frame((corner, size), FAINT, 1.0)?;
            if count > 0 {
                let centre = (corner.0 + size.0 / 2.0, corner.1 + size.1 / 2.0);
                let look =
                    Type { bold: true, color: if share > 0.6 { WHITE } else { INK }, ..Type::plain(Anchor::Middle) };
                canvas.text(centre, &count.to_string(), look)?;
            }
        }
    }
    Ok(())
}

/// From white to the full colour.
fn shade(RGBColor(r, g, b): RGBColor, share: f64) -> RGBColor {
    let mix = |full: u8| (255.0 + (f64::from(full) - 255.0) * share).round() as u8;
    RGBColor(mix(r), mix(g), mix(b))
}
