//! Where attention looks: its mass by distance, mean over layers.

use super::lines::{Scale, axis_of, by_method, draw};
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
    let top = panels.iter().flat_map(|p| &p.lines).flat_map(|l| &l.points).map(|p| p.1.high).fold(0.0, f64::max);
    let documents = panels.iter().flat_map(|p| &p.lines).flat_map(|l| &l.points).map(|p| p.1.n).max().unwrap_or(0);
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
        "Share of all attention that falls into each range of distances, mean over layers, heads and queries ({}). A \
         line that leaves the unscaled model's shows a head that looks elsewhere than it learned to.{said}{}",
        numbers::counted(documents, "document"),
        not_finite(run, &OF),
    );
    let alt = format!("Attention mass by distance, one panel for each method.{said}");
    let scale = Scale { low: 0.0, high: (top * 1.05).max(0.01), number: |x| format!("{:.0}%", x * 100.0) };
    let svg = draw(title, &alt, &panels, &axis, None, |_| scale)?;
    Ok(Some(Figure { name: "attention_by_distance".into(), title: title.into(), caption, alt, svg }))
}
