//! A method's mechanism as a picture: turns and stretch of pairs, weights by distance, shared values, rows.

use super::ReportError;
use super::lines::{Axis, Line, Panel, Pen, Scale, draw, exact, tick};
use crate::explain::{Explanation, Facts, Kernel, Pair, Rows, Setting, Shared, Slopes};
use crate::positions::Bias;
use crate::units::Tokens;

/// At most so many heads have a line of their own: as many as there are colours.
const MOST_HEADS: usize = 5;
/// At most so many pairs have a point of their own.
const MOST_PAIRS: usize = 64;

/// A panel and the range of its vertical axis.
type Drawn = (Panel, Scale);
/// A bias over the distance, with its label and how it is drawn.
type Labelled<'a> = (String, Pen, &'a dyn Fn(f64) -> f64);

/// Draws an explanation as SVG.
///
/// # Errors
/// [`ReportError::Chart`] when the drawing fails.
pub fn mechanism_chart(explanation: &Explanation) -> Result<String, ReportError> {
    let setting = &explanation.setting;
    let name = format!("{} x{}", explanation.method, setting.factor);
    let (axis, drawn) = match &explanation.mechanism {
        Facts::Rotate(turning) => of_pairs(setting, &name, &turning.pairs),
        Facts::Group(grouped) => of_pairs(setting, &name, &grouped.turning.pairs),
        Facts::Waves(waves) => of_pairs(setting, &name, &waves.pairs),
        Facts::Slopes(slopes) => (by_distance(setting), falls(setting, slopes)),
        Facts::Kernel(kernel) => (by_distance(setting), kernels(setting, &name, kernel)),
        Facts::Buckets(shared) => (by_distance(setting), buckets(setting, &name, shared)),
        Facts::Rows(rows) => of_rows(setting, &name, rows),
        Facts::Nothing => (by_distance(setting), vec![weights(vec![line(&name, Pen::Deployed, flat(setting))])]),
    };
    let (panels, scales): (Vec<Panel>, Vec<Scale>) = drawn.into_iter().unzip();
    let alt = format!("The mechanism of {name}: {}.", explanation.summary);
    let of = |panel: &Panel| panels.iter().position(|other| other.title == panel.title).unwrap_or(0);
    let columns = Some(panels.len());
    draw(&name, &alt, &panels, &axis, columns, |panel| scales[of(panel)]).map(|drawing| drawing.wide)
}

/// A line through exact values.
fn line(label: &str, pen: Pen, points: Vec<(f64, f64)>) -> Line {
    Line { label: label.to_owned(), pen, points: points.into_iter().map(|(x, y)| (x, exact(y))).collect() }
}

fn panel(title: impl Into<String>, unit: impl Into<String>, lines: Vec<Line>, level: Option<f64>) -> Panel {
    Panel {
        title: title.into(),
        unit: unit.into(),
        lines,
        levels: level.map(|level| (level, String::new())).into_iter().collect(),
    }
}

/// A length as a label: `2k`.
fn short(tokens: Tokens) -> String {
    u32::try_from(tokens.0).map_or_else(|_| tokens.to_string(), tick)
}

fn number(x: f64) -> String {
    if x == 0.0 || (0.01..1e4).contains(&x.abs()) { format!("{}", (x * 1e3).round() / 1e3) } else { format!("{x:e}") }
}

/// A scale of ratios around these values.
fn ratios(values: impl Iterator<Item = f64>) -> Scale {
    let (low, high) =
        values.filter(|x| *x > 0.0).fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(x), high.max(x)));
    let (low, high) = if low > high { (0.1, 1.0) } else { (low / 1.2, high * 1.2) };
    Scale { low, high, logarithmic: true, number }
}

fn from_zero(high: f64) -> Scale {
    Scale { low: 0.0, high: high * 1.05, logarithmic: false, number }
}

fn values(lines: &[Line]) -> impl Iterator<Item = f64> {
    lines.iter().flat_map(|line| &line.points).map(|point| point.1.point)
}

/// Turns and stretch, pair by pair.
fn of_pairs(setting: &Setting, name: &str, pairs: &[Pair]) -> (Axis, Vec<Drawn>) {
    let shown: Vec<&Pair> = pairs.iter().step_by(pairs.len().div_ceil(MOST_PAIRS).max(1)).collect();
    let points = |of: &dyn Fn(&Pair) -> Option<f64>| -> Vec<(f64, f64)> {
        shown.iter().filter_map(|pair| Some((pair.index as f64, of(pair)?))).collect()
    };
    let above = |turns: f64| (turns > 0.0).then_some(turns);
    let (trained, target) = (short(setting.trained), short(setting.target));
    let turns = vec![
        line(&format!("{trained} trained"), Pen::Reference, points(&|pair| above(pair.turns_trained))),
        line(&format!("{target} unscaled"), Pen::Unscaled, points(&|pair| above(pair.turns_unscaled))),
        line(&format!("{target} {name}"), Pen::Deployed, points(&|pair| above(pair.turns))),
    ];
    let stretch = vec![line(name, Pen::Deployed, points(&|pair| pair.stretch))];
    let (range, most) = (ratios(values(&turns)), values(&stretch).fold(setting.factor.0.max(1.0), f64::max));
    let mut drawn = vec![
        (panel("How often a pair turns", "full turns within a length", turns, Some(1.0)), range),
        (panel("How much it is slowed", "trained frequency / the method's", stretch, Some(1.0)), from_zero(most)),
    ];
    if pairs.iter().any(|pair| pair.fading.is_some()) {
        let left = points(&|pair| pair.fading.map(|fading| fading.left_at_target));
        let unit = format!("share of a pair's score left at {target}");
        drawn.push((panel("How its score fades", unit, vec![line(name, Pen::Deployed, left)], None), from_zero(1.0)));
    }
    let last = pairs.len().saturating_sub(1).max(1);
    let ticks = (0..=last).step_by(last.div_ceil(8)).map(|pair| (pair as f64, pair.to_string())).collect();
    let first = pairs.iter().find(|pair| pair.turns_trained < 1.0);
    let mark = first.map(|pair| ((pair.index as f64 - 0.5).max(0.0), "no full turn in training".to_owned()));
    (Axis { title: "pair of dimensions".to_owned(), ends: (0.0, last as f64), ticks, mark }, drawn)
}

/// A logarithmic axis of distances up to the target length.
fn by_distance(setting: &Setting) -> Axis {
    let end = setting.target.as_f64().max(2.0).log2();
    let ticks = (0..=end as u32).step_by(2).map(|power| (f64::from(power), tick(1 << power))).collect();
    let at = setting.trained.as_f64().log2();
    let mark = (at > 0.0 && at < end).then(|| (at, "trained length".to_owned()));
    Axis { title: "distance from query back to key, tokens".to_owned(), ends: (0.0, end), ticks, mark }
}

/// Distances a third of an octave apart, up to the target length.
fn distances(setting: &Setting) -> Vec<usize> {
    let most = setting.target.0.saturating_sub(1).max(1);
    let thirds = (0..).map(|third| (f64::from(third) / 3.0).exp2().round() as usize);
    let mut found: Vec<usize> = thirds.take_while(|distance| *distance < most).chain([most]).collect();
    found.dedup();
    found
}

fn at_distances(setting: &Setting, of: impl Fn(usize) -> Option<f64>) -> Vec<(f64, f64)> {
    distances(setting).into_iter().filter_map(|d| Some(((d as f64).log2(), of(d)?))).collect()
}

fn flat(setting: &Setting) -> Vec<(f64, f64)> {
    at_distances(setting, |_| Some(1.0))
}

fn weights(lines: Vec<Line>) -> Drawn {
    (panel("Weight by distance", "exp(bias): a key's weight against one at 0", lines, None), from_zero(1.0))
}

/// Weights and penalties of a few biases, each with its label and pen.
fn biases(setting: &Setting, of: &[Labelled<'_>]) -> Vec<Drawn> {
    let lines = |value: fn(f64) -> f64| -> Vec<Line> {
        of.iter()
            .map(|(label, pen, bias)| line(label, *pen, at_distances(setting, |d| Some(value(bias(d as f64))))))
            .collect()
    };
    let penalties = lines(|bias| -bias);
    let range = ratios(values(&penalties));
    let unit = "minus bias, nats; the line is a fall by e";
    vec![weights(lines(f64::exp)), (panel("Penalty by distance", unit, penalties, Some(1.0)), range)]
}

fn falls(setting: &Setting, slopes: &Slopes) -> Vec<Drawn> {
    let last = slopes.heads.len().saturating_sub(1);
    let lines = last.min(MOST_HEADS - 1);
    // Evenly spread, the first and the last among them.
    let chosen = (0..=lines).filter_map(|i| slopes.heads.get(last * i / lines.max(1)));
    let kernels: Vec<_> = chosen
        .enumerate()
        .map(|(i, fall)| {
            let slope = fall.slope;
            (format!("head {}", fall.head), Pen::Other(i), move |distance: f64| -slope * distance)
        })
        .collect();
    let lines: Vec<Labelled<'_>> =
        kernels.iter().map(|(label, pen, bias)| (label.clone(), *pen, bias as &dyn Fn(f64) -> f64)).collect();
    biases(setting, &lines)
}

fn kernels(setting: &Setting, name: &str, kernel: &Kernel) -> Vec<Drawn> {
    let at = |stretch: f64| if kernel.variant == "power" { Bias::Power { stretch } } else { Bias::Log { stretch } };
    let (trained, scaled) = (at(1.0), at(kernel.stretch));
    let value = |bias: &Bias, distance: f64| bias.kernel([kernel.r1, kernel.r2], distance).unwrap_or_default();
    let (then, now) = (|distance| value(&trained, distance), |distance| value(&scaled, distance));
    biases(setting, &[("x1".to_owned(), Pen::Reference, &then), (name.to_owned(), Pen::Deployed, &now)])
}

fn buckets(setting: &Setting, name: &str, shared: &Shared) -> Vec<Drawn> {
    let now = |distance: usize| {
        shared.buckets.iter().find(|b| b.first.is_some_and(|f| f <= distance) && b.last.is_some_and(|l| distance <= l))
    };
    // Values are used in the order of distances, so their counts say where each begins.
    let then = |distance: usize| {
        let mut before = 0;
        shared.buckets.iter().find(|bucket| {
            before += bucket.keys_trained;
            distance < before
        })
    };
    let trained = format!("{} trained", short(setting.trained));
    let index = vec![
        line(&trained, Pen::Reference, at_distances(setting, |d| Some(then(d)?.index as f64))),
        line(name, Pen::Deployed, at_distances(setting, |d| Some(now(d)?.index as f64))),
    ];
    let keys = vec![
        line(&trained, Pen::Reference, at_distances(setting, |d| Some(then(d)?.keys_trained as f64))),
        line(name, Pen::Deployed, at_distances(setting, |d| Some(now(d)?.keys_target as f64))),
    ];
    let (most, range) = (from_zero(shared.count as f64 - 1.0), ratios(values(&keys)));
    vec![
        (panel("Which value a distance uses", "index of the learned value", index, None), most),
        (panel("How many keys share it", "keys of the last query with the same value", keys, None), range),
    ]
}

fn of_rows(setting: &Setting, name: &str, rows: &Rows) -> (Axis, Vec<Drawn>) {
    let end = setting.target.as_f64();
    let served = rows.first_unseen.map_or(end, |first| first as f64);
    let row = |position: f64| (position / rows.stretch).min(rows.rows as f64 - 1.0);
    let line_to = |end: f64, row: &dyn Fn(f64) -> f64| -> Vec<(f64, f64)> {
        (0..=16).map(|i| end * f64::from(i) / 16.0).map(|position| (position, row(position))).collect()
    };
    let trained = (rows.rows as f64).min(end);
    let lines = vec![
        line(&format!("{} trained", short(setting.trained)), Pen::Reference, line_to(trained, &|p| p)),
        line(name, Pen::Deployed, line_to(served, &row)),
    ];
    let ticks = (0..=4).map(|i| setting.target.0 * i / 4).map(|p| (p as f64, short(Tokens(p)))).collect();
    let mark = rows.first_unseen.map(|first| (first as f64, "no row from here".to_owned()));
    let axis = Axis { title: "position, tokens".to_owned(), ends: (0.0, end), ticks, mark };
    let range = from_zero(rows.rows as f64);
    (axis, vec![(panel("Which row a position uses", "learned rows", lines, Some(rows.rows as f64)), range)])
}
