//! Where attention looks: its mass by distance, mean over layers.

use super::lines::{Panel, Scale, axis_of, by_method, documents, draw};
use super::{Figure, ReportError, Run};
use crate::measurement::Quantity;
use crate::reports::figures::{Of, Role, bin_words, distances, not_finite, of_role};
use crate::reports::numbers;

const OF: Of = Of { probe: "attention", quantity: Quantity::AttentionMass, bin: distances };

/// The figure; nothing where attention was not looked at.
pub(super) fn figure(run: &Run<'_>) -> Result<Option<Figure>, ReportError> {
    let (panels, bins) = by_method(run, &OF, "share of attention");
    if panels.is_empty() {
        return Ok(None);
    }
    let title = "Attention by distance";
    let trained = u32::try_from(run.trained.0).unwrap_or(u32::MAX);
    let axis = axis_of(&bins, "distance from query to key, tokens", trained);
    let words: Vec<String> = [(Role::Deployed, "the deployed cell"), (Role::Unscaled, "the unscaled model")]
        .into_iter()
        .filter_map(|(role, name)| {
            let curve = of_role(run, role, &OF)?;
            let (bin, most) = curve.iter().max_by(|a, b| a.1.point.total_cmp(&b.1.point))?;
            Some(format!("{name} puts most ({}) at {} tokens", numbers::value("share", most.point), bin_words(*bin)))
        })
        .collect();
    let said = if words.is_empty() { String::new() } else { format!(" Here {}.", words.join(", ")) };
    let caption = format!(
        "Share of all attention that falls into each range of distances, mean over layers, heads and queries ({}); the \
         vertical axis is logarithmic. A line that leaves the unscaled model's (grey) shows that attention looks \
         elsewhere than it learned to.{said}{}",
        numbers::counted(documents(&panels), "document"),
        not_finite(run, &OF),
    );
    let alt = format!("Attention mass by distance, one panel for each method.{said}");
    let scale = range(&panels);
    let drawing = draw(title, &alt, &panels, &axis, None, |_| scale)?;
    Ok(Some(Figure::drawn("attention_by_distance", title, caption, alt, drawing)))
}

/// Whole powers of ten from the smallest share to all of it; below a hundred-thousandth nothing is told apart.
fn range(panels: &[Panel]) -> Scale {
    let shares = panels.iter().flat_map(|panel| &panel.lines).flat_map(|line| &line.points).map(|point| point.1.point);
    let least = shares.filter(|share| *share > 0.0).fold(0.1, f64::min).max(1e-5);
    let low = 10_f64.powf(least.log10().floor());
    Scale { low, high: 1.0, logarithmic: true, number: |x| format!("{}%", (x * 1e7).round() / 1e5) }
}
