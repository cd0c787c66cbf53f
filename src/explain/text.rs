//! An explanation in words and tables, in 100 columns.

use super::{Bucket, Explanation, Facts, Grouped, Kernel, Pair, Rows, Setting, Shared, Slopes, Turning, Waves, Work};
use crate::positions::Pairing;
use crate::units::Tokens;

/// No line is longer.
const WIDTH: usize = 100;
/// Of long lists of pairs so many are shown; JSON has them all.
const MOST_PAIRS: usize = 64;

/// Writes an explanation for a terminal, ending in a line break.
#[must_use]
pub fn text(explanation: &Explanation) -> String {
    let setting = &explanation.setting;
    let mut page = Page::default();
    page.say(&format!("{}: {}", explanation.method, explanation.summary));
    page.say(&format!(
        "Factor {}, trained at {}, target {}; {} layers, {} heads of {} dimensions, theta {}.",
        setting.factor, setting.trained, setting.target, setting.layers, setting.heads, setting.head_dim, setting.theta,
    ));
    page.line("");
    match &explanation.mechanism {
        Facts::Nothing => page.say("It does nothing with positions: the causal mask alone tells order."),
        Facts::Rotate(turning) => rotation(&mut page, setting, turning),
        Facts::Group(grouped) => groups(&mut page, setting, grouped),
        Facts::Slopes(slopes) => falls(&mut page, setting, slopes),
        Facts::Kernel(kernel) => kernels(&mut page, setting, kernel),
        Facts::Buckets(shared) => buckets(&mut page, setting, shared),
        Facts::Waves(waves) => wave(&mut page, setting, waves),
        Facts::Rows(rows) => row(&mut page, setting, rows),
    }
    page.line("");
    page.say(&format!("Learned parameters of its positions: {}.", Tokens(explanation.learned)));
    page.line("");
    work(&mut page, setting, &explanation.work);
    page.text
}

/// Lines of at most [`WIDTH`] letters.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// Writes a sentence over as many lines as it needs.
    fn say(&mut self, words: &str) {
        let mut line = String::new();
        for word in words.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH {
                self.line(&line);
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.line(&line);
    }
}

fn rotation(page: &mut Page, setting: &Setting, turning: &Turning) {
    let half = turning.pairs.len();
    page.say(&format!(
        "Unscaled, {} of {half} pairs never complete a turn within {} tokens, {} within {}.",
        turning.never_trained, setting.trained, turning.never_target, setting.target,
    ));
    page.say(&format!(
        "At {} the method takes {} beyond the angles seen in training; unscaled it would be {}.",
        setting.target,
        listed(&turning.leaves),
        listed(&turning.leaves_unscaled),
    ));
    match turning.uniform_stretch {
        Some(1.0) => page.say("No pair is stretched."),
        Some(stretch) => {
            page.say(&format!("All pairs are stretched by {}: positions are divided by it.", short(stretch)));
        }
        None => {}
    }
    let check = &turning.equivalence;
    page.say(&format!(
        "Equivalence, checked at {} positions: turning by the method's angle is turning as trained at the position \
         divided by the pair's stretch, and the turn between two positions is that of their difference, within {:e}.",
        check.positions, check.within,
    ));
    page.say(&format!("Attention factor {:.6}: logits scale by {:.6}.", turning.attention_factor, turning.logit_scale));
    if !turning.pairs_of_the_weights {
        let pairs = match turning.pairing {
            Pairing::HalfSplit => "i with i + d/2",
            Pairing::Interleaved => "2i with 2i + 1",
        };
        page.say(&format!("It pairs dimension {pairs}: not as the weights do, so every score is another one."));
    }
    if turning.follows_length {
        page.say(
            "Its angles change with the length: keys cached at a shorter context must be turned anew, or they stand at \
             other angles than the query.",
        );
    }
    page.line("");
    table(page, setting, &turning.pairs, turning.reach);
}

fn groups(page: &mut Page, setting: &Setting, grouped: &Grouped) {
    page.say(&format!(
        "Distances below {} are exact, farther ones in groups of {}: the largest grouped distance at {} is {}, and up to \
         a context of {} none exceeds those of training. Keys are cached twice, turned by either position.",
        Tokens(grouped.window),
        grouped.group,
        setting.target,
        Tokens(grouped.largest),
        Tokens(grouped.longest),
    ));
    rotation(page, setting, &grouped.turning);
}

/// The pairs, thinned out where they are many.
fn table(page: &mut Page, setting: &Setting, pairs: &[Pair], reach: f64) {
    let fades = pairs.iter().any(|pair| pair.fading.is_some());
    let step = pairs.len().div_ceil(MOST_PAIRS);
    let reached = Tokens(reach.round() as usize);
    page.say(&format!(
        "Periods in tokens. Then: as trained, within {}; now: under the method, over {reached} rotated positions at \
         {}.{}",
        setting.trained,
        setting.target,
        if step > 1 { format!(" Every pair in {step} is shown.") } else { String::new() },
    ));
    let fading = if fades { "  falls by e  left now" } else { "" };
    page.line(&format!(
        "{:>4}  {:>11}  {:>11}  {:>10}  {:>10}  {:>8}{fading}  {}",
        "pair", "period then", "period now", "turns then", "turns now", "stretch", "angles"
    ));
    for pair in pairs.iter().step_by(step) {
        let period = |tokens: Option<f64>| tokens.map_or_else(|| "never".to_owned(), |t| decimal(t, 1));
        let fading = pair.fading.map_or_else(String::new, |fading| {
            format!("  {:>10}  {:>8.6}", decimal(fading.falls_by_e_at, 1), fading.left_at_target)
        });
        page.line(&format!(
            "{:>4}  {:>11}  {:>11}  {:>10}  {:>10}  {:>8}{fading}  {}",
            pair.index,
            period(pair.period_trained),
            period(pair.period),
            decimal(pair.turns_trained, 4),
            decimal(pair.turns, 4),
            pair.stretch.map_or_else(|| "-".to_owned(), |stretch| format!("{stretch:.4}")),
            angles(pair),
        ));
    }
}

fn angles(pair: &Pair) -> &'static str {
    if pair.leaves {
        "unseen"
    } else if pair.turns_trained < 1.0 {
        "within seen"
    } else {
        "all seen"
    }
}

fn falls(page: &mut Page, setting: &Setting, slopes: &Slopes) {
    page.say("A weight falls by e every 1 / slope tokens. Biases in nats; as trained, and under the method.");
    page.line(&format!(
        "{:>4}  {:>13}  {:>13}  {:>17}  {:>19}  {:>19}",
        "head",
        "slope trained",
        "slope",
        "falls by e, tokens",
        format!("bias at {} then", setting.trained),
        format!("bias at {} now", setting.target),
    ));
    for fall in &slopes.heads {
        page.line(&format!(
            "{:>4}  {:>13.8}  {:>13.8}  {:>18}  {:>19}  {:>19}",
            fall.head,
            fall.slope_trained,
            fall.slope,
            decimal(fall.falls_by_e_at, 2),
            decimal(fall.bias_at_trained, 3),
            decimal(fall.bias_at_target, 3),
        ));
    }
}

fn kernels(page: &mut Page, setting: &Setting, kernel: &Kernel) {
    let formula = if kernel.variant == "power" { "-r1 distance^r2" } else { "-r1 ln(1 + r2 distance)" };
    page.say(&format!(
        "Bias {formula}, with r1 and r2 learned for each head. Initial parameters, not trained ones: the authors draw r1 \
         from 0 to {} and r2 from 0 to {}; below are the means, r1 = {} and r2 = {}.",
        kernel.r1_below, kernel.r2_below, kernel.r1, kernel.r2,
    ));
    page.say(&format!(
        "As trained a weight has fallen by e at {} tokens, and the bias at {} is {:.3} nats.",
        decimal(kernel.falls_by_e_at_trained, 2),
        setting.trained,
        kernel.bias_at_trained,
    ));
    page.say(&format!(
        "Under the method, distances divided by {}: at {} tokens, and the bias at {} is {:.3} nats.",
        short(kernel.stretch),
        decimal(kernel.falls_by_e_at, 2),
        setting.target,
        kernel.bias_at_target,
    ));
}

fn buckets(page: &mut Page, setting: &Setting, shared: &Shared) {
    let from = |distance: Option<usize>| {
        distance.map_or_else(|| "nowhere".to_owned(), |d| format!("from distance {}", Tokens(d)))
    };
    page.say(&format!(
        "{} values a head, {}. All share the last one {} as trained, {} under the method.",
        shared.count,
        if shared.sharing == "clipped" { "one for each distance" } else { "in logarithmic buckets of distances" },
        from(shared.saturates_at_trained),
        from(shared.saturates_at),
    ));
    page.say(&format!(
        "At {} values that training never used: {}. Values that serve more keys than in training: {}.",
        setting.target,
        spans(&shared.unseen),
        spans(&shared.crowded),
    ));
    page.line(&format!(
        "{:>11}  {:>17}  {:>17}  {:>17}",
        "values",
        "distances now",
        format!("keys at {}", setting.trained),
        format!("keys at {}", setting.target),
    ));
    let alike = |a: &Bucket, b: &Bucket| {
        b.index == a.index + 1 && (a.keys_trained, a.keys_target) == (b.keys_trained, b.keys_target)
    };
    for run in shared.buckets.chunk_by(alike) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        let distances = match (first.first, last.last) {
            (Some(first), Some(last)) => span(first, last),
            _ => "none".to_owned(),
        };
        let each = |keys: usize| format!("{}{}", Tokens(keys), if run.len() > 1 { " each" } else { "" });
        page.line(&format!(
            "{:>11}  {distances:>17}  {:>17}  {:>17}",
            span(first.index, last.index),
            each(first.keys_trained),
            each(first.keys_target)
        ));
    }
}

fn wave(page: &mut Page, setting: &Setting, waves: &Waves) {
    unseen(page, setting, waves.unseen, waves.first_unseen, "vector lies beyond the last one of training");
    page.say(&format!(
        "{} positions lie between two of training. Leaving the angles seen in training: {}. Amplitude {:.6}.",
        Tokens(waves.between),
        listed(&waves.leaves),
        waves.amplitude,
    ));
    page.line("");
    table(page, setting, &waves.pairs, setting.target.as_f64());
}

fn row(page: &mut Page, setting: &Setting, rows: &Rows) {
    page.say(&format!("{} learned rows; positions are divided by {}.", Tokens(rows.rows), short(rows.stretch)));
    unseen(page, setting, rows.unseen, rows.first_unseen, "have no row");
    page.say(&format!("{} positions lie between two rows.", Tokens(rows.between)));
}

fn unseen(page: &mut Page, setting: &Setting, count: usize, first: Option<usize>, what: &str) {
    page.say(&match first {
        Some(first) => {
            let what = what.replace("vector lies", "have a vector");
            format!("{} of {} positions {what}, from {} on.", Tokens(count), setting.target, Tokens(first))
        }
        None => format!("0 of {} positions {}.", setting.target, what.replace("vector lies", "have a vector")),
    });
}

fn work(page: &mut Page, setting: &Setting, work: &Work) {
    page.say(&format!(
        "Positional work of one decoded token, over {} layers; the share is of attention's own flops, for scores and \
         values.",
        setting.layers
    ));
    page.line(&format!(
        "{:>10}  {:>16}  {:>14}  {:>14}  {:>19}",
        "context", "learned lookups", "bytes read", "flops", "share of attention"
    ));
    for step in &work.steps {
        page.line(&format!(
            "{:>10}  {:>16}  {:>14}  {:>14}  {:>18.4}%",
            step.context.to_string(),
            Tokens(step.lookups).to_string(),
            Tokens(step.bytes).to_string(),
            Tokens(step.flops).to_string(),
            100.0 * step.share_of_attention,
        ));
    }
    let named = [("learned lookups", work.lookups_grow), ("bytes read", work.bytes_grow), ("flops", work.flops_grow)];
    let chosen = |grows: bool| -> Vec<&str> { named.iter().filter(|n| n.1 == grows).map(|n| n.0).collect() };
    let list = |names: Vec<&str>| if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
    page.say(&format!("Grows with the context: {}. Does not: {}.", list(chosen(true)), list(chosen(false))));
}

/// `1 pair (31)`, `11 pairs (21-31)`, `no pair`.
fn listed(pairs: &[usize]) -> String {
    match pairs.len() {
        0 => "no pair".to_owned(),
        1 => format!("1 pair ({})", spans(pairs)),
        n => format!("{n} pairs ({})", spans(pairs)),
    }
}

/// Ascending numbers as spans: `0-3, 7`; `none`.
fn spans(numbers: &[usize]) -> String {
    let spans: Vec<String> =
        numbers.chunk_by(|a, b| *b == a + 1).filter_map(|run| Some(span(*run.first()?, *run.last()?))).collect();
    if spans.is_empty() { "none".to_owned() } else { spans.join(", ") }
}

fn span(first: usize, last: usize) -> String {
    if first == last { Tokens(first).to_string() } else { format!("{}-{}", Tokens(first), Tokens(last)) }
}

/// A real with so many decimals; in powers of ten where that would be long.
fn decimal(x: f64, decimals: usize) -> String {
    if x.abs() < 1e7 { format!("{x:.decimals$}") } else { format!("{x:.3e}") }
}

/// A real without needless zeros.
fn short(x: f64) -> String {
    format!("{}", (x * 1e6).round() / 1e6)
}
