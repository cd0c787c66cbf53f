//! Loss by position for every cell: where the damage is.

use super::lines::{Panel, Scale, axis_of, by_method, documents, draw};
use super::{Figure, ReportError, Run};
use crate::measurement::{Quantity, spoken};
use crate::reports::figures::{Of, Role, bin_words, ends_words, not_finite, of_role, positions};
use crate::reports::numbers;

const OF: Of = Of { probe: "long_range", quantity: Quantity::Nll, bin: positions };

/// The figure; nothing where no cell has a loss by position.
pub(super) fn figure(run: &Run<'_>) -> Result<Option<Figure>, ReportError> {
    let (panels, bins) = by_method(run, &OF, "loss, nats/token");
    if panels.is_empty() {
        return Ok(None);
    }
    let title = "Loss by position";
    let trained = u32::try_from(run.trained.0).unwrap_or(u32::MAX);
    let axis = axis_of(&bins, "position in the text, tokens", trained);
    let scale = range(&panels);
    let caption = format!(
        "Lower is better. {}Bands are 95% intervals of the mean over {}. The vertical axis does not start at \
         0{}.{}",
        comparison(run),
        numbers::counted(documents(&panels), "document"),
        if clipped(&panels, scale.high) { "; what lies above it is shown by an arrow and its number" } else { "" },
        not_finite(run, &OF),
    );
    let mut alt = format!("Loss by position, one panel for each of {}. ", numbers::counted(panels.len(), "method"));
    for (role, name) in [(Role::Deployed, "Deployed"), (Role::Truncated, "Reference"), (Role::Unscaled, "Unscaled")] {
        let curve = of_role(run, role, &OF).unwrap_or_default();
        alt.push_str(&ends_words(name, &curve, OF.quantity.unit()));
        alt.push(' ');
    }
    let drawing = draw(title, alt.trim(), &panels, &axis, None, |_| scale)?;
    Ok(Some(Figure::drawn("loss_by_position", title, caption, alt.trim().into(), drawing)))
}

/// What the picture says of the deployed cell, in its first and its last bin.
fn comparison(run: &Run<'_>) -> String {
    let (Some(deployed), Some(reference)) = (
        of_role(run, Role::Deployed, &OF),
        of_role(run, Role::Truncated, &OF).or_else(|| of_role(run, Role::Unscaled, &OF)),
    ) else {
        return String::new();
    };
    let mut parts = Vec::new();
    for bin in [deployed.first(), deployed.last()].into_iter().flatten().map(|point| point.0) {
        let at = |curve: &[(_, crate::stats::Estimate)]| {
            curve.iter().find(|point| point.0 == bin).map(|point| point.1.point)
        };
        if let (Some(own), Some(healthy)) = (at(&deployed), at(&reference)) {
            let side = if own >= healthy { "above" } else { "below" };
            let gap = numbers::value(OF.quantity.unit(), (own - healthy).abs());
            parts.push(format!("{gap} nats/token {side} the reference (dashed) at positions {}", bin_words(bin)));
        }
    }
    parts.dedup();
    if parts.is_empty() {
        return String::new();
    }
    format!("The deployed {} (thick) lies {}. ", spoken(&run.findings.deployed), parts.join(", and "))
}

/// A range that keeps most lines readable when one of them blows up: the top is cut where a few points lie far above.
fn range(panels: &[Panel]) -> Scale {
    let mut values: Vec<f64> =
        panels.iter().flat_map(|panel| &panel.lines).flat_map(|line| &line.points).map(|point| point.1.point).collect();
    values.sort_by(f64::total_cmp);
    let low = values.first().copied().unwrap_or(0.0);
    let top = values.last().copied().unwrap_or(1.0);
    // Nine of ten points decide the range; the rest may reach as far again before they are cut.
    let most = values.get(values.len().saturating_sub(1) * 9 / 10).copied().unwrap_or(top);
    let room = ((most - low) * 2.0).max(0.5);
    let high = top.min(low + room);
    let margin = (high - low) * 0.06;
    Scale { low: (low - margin).max(0.0), high: high + margin, logarithmic: false, number: |x| format!("{x:.1}") }
}

fn clipped(panels: &[Panel], high: f64) -> bool {
    panels.iter().flat_map(|panel| &panel.lines).flat_map(|line| &line.points).any(|point| point.1.point > high)
}
