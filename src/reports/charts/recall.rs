//! Recall of facts by distance for every cell.

use super::lines::{Scale, axis_of, by_method, documents, draw};
use super::{Figure, ReportError, Run};
use crate::measurement::Quantity;
use crate::reports::figures::{Of, Role, distances, ends_words, not_finite, of_role};
use crate::reports::numbers;

const OF: Of = Of { probe: "retrieval", quantity: Quantity::Recall, bin: distances };

/// The figure; nothing where no cell was asked for facts.
pub(super) fn figure(run: &Run<'_>) -> Result<Option<Figure>, ReportError> {
    let (panels, bins) = by_method(run, &OF, "facts recalled");
    if panels.is_empty() {
        return Ok(None);
    }
    let title = "Recall by distance";
    let trained = u32::try_from(run.trained.0).unwrap_or(u32::MAX);
    let axis = axis_of(&bins, "distance from question to fact, tokens", trained);
    let words: Vec<String> = [(Role::Deployed, "Deployed"), (Role::Unscaled, "Unscaled")]
        .into_iter()
        .filter_map(|(role, name)| of_role(run, role, &OF).map(|curve| ends_words(name, &curve, "share")))
        .collect();
    let caption = format!(
        "Higher is better; a line that falls to the right of the trained length has lost what lies far back. {} Bands \
         are 95% intervals of the mean over {}.{}",
        words.join(" "),
        numbers::counted(documents(&panels), "document"),
        not_finite(run, &OF),
    );
    let alt = format!("Share of facts recalled by distance, one panel for each method. {}", words.join(" "));
    let scale = Scale { low: 0.0, high: 1.0, logarithmic: false, number: |x| format!("{:.0}%", x * 100.0) };
    let drawing = draw(title, &alt, &panels, &axis, None, |_| scale)?;
    Ok(Some(Figure::drawn("recall_by_distance", title, caption, alt, drawing)))
}
