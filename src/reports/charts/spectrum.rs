//! The spectrum that an engine runs, over known ones.

use super::lines::{Axis, Line, Panel, Pen, Scale, draw, exact};
use crate::reports::ReportError;
use crate::reports::figures::Figure;
use crate::stats::Estimate;

/// One spectrum: a name, and by how much each pair is slower than trained, with its interval where it has one.
pub(in crate::reports) struct Spectrum {
    pub(in crate::reports) name: String,
    pub(in crate::reports) role: Role,
    /// Pair and stretch.
    pub(in crate::reports) pairs: Vec<(usize, Estimate)>,
}

/// What a spectrum is of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::reports) enum Role {
    /// What the engine runs.
    Running,
    /// What was meant.
    Declared,
    /// Another known one.
    Known,
}

impl Spectrum {
    /// A known spectrum.
    pub(in crate::reports) fn known(name: &str, role: Role, stretches: impl Iterator<Item = f64>) -> Self {
        Self { name: name.to_owned(), role, pairs: stretches.map(exact).enumerate().collect() }
    }
}

/// The figure of spectra over the pairs; nothing for none.
pub(in crate::reports) fn figure(spectra: &[Spectrum]) -> Result<Option<Figure>, ReportError> {
    let last = spectra.iter().flat_map(|s| &s.pairs).map(|pair| pair.0).max().unwrap_or_default();
    if last == 0 {
        return Ok(None);
    }
    let mut others = 0;
    let lines: Vec<Line> = spectra
        .iter()
        .map(|spectrum| Line {
            label: spectrum.name.clone(),
            pen: match spectrum.role {
                Role::Running => Pen::Deployed,
                Role::Declared => Pen::Reference,
                Role::Known => {
                    others += 1;
                    Pen::Other(others - 1)
                }
            },
            points: spectrum.pairs.iter().map(|(pair, stretch)| (*pair as f64, *stretch)).collect(),
        })
        .collect();
    let values = || lines.iter().flat_map(|line| &line.points).map(|point| point.1.point);
    let (low, high) = values().fold((1.0_f64, 1.0_f64), |(low, high), value| (low.min(value), high.max(value)));
    let scale = Scale { low: low / 1.3, high: high * 1.3, logarithmic: true, number: |x| format!("{x}") };
    let ticks = (0..=last).step_by(last.div_ceil(8)).map(|pair| (pair as f64, pair.to_string())).collect();
    let axis =
        Axis { title: "pair of dimensions, fastest first".to_owned(), ends: (0.0, last as f64), ticks, mark: None };
    let names = spectra.iter().map(|spectrum| spectrum.name.as_str()).collect::<Vec<_>>().join(", ");
    let alt = format!("By how much each rotating pair is slower than trained: {names}.");
    let panel = Panel {
        title: "How much each pair is slowed".to_owned(),
        unit: "trained frequency / the engine's".to_owned(),
        lines,
        levels: vec![(1.0, String::new())],
    };
    let drawing = draw("Spectrum", &alt, &[panel], &axis, Some(1), |_| scale)?;
    Ok(Some(Figure {
        name: "spectrum".to_owned(),
        title: "The spectrum that the engine runs".to_owned(),
        caption:
            "The thick line is what the engine runs, the dashed one what was declared; the band is the 95 % interval, \
                  and a pair without a point is not identifiable from these prompts."
                .to_owned(),
        alt,
        svg: drawing.wide,
        narrow: drawing.narrow,
    }))
}
