//! The identification in one sentence.

use super::anomalies::Shape;
use super::classify::{Attention, Nearest};
use super::identification::{Identification, Interval, Verdict};
use super::weights::Weights;

/// One sentence that a person can act on; `compared`: the tokens of each request that were looked at, where the time did not
/// reach for all of them.
pub(super) fn sentence(found: &Identification, declared: &str, compared: Option<usize>) -> String {
    if let Some(sentence) = other_weights(found) {
        return sentence;
    }
    match (&found.matched, found.verdict) {
        (Some(matched), Verdict::AsDeclared) => format!(
            "The engine runs what was declared, {declared}: {} log-probabilities agree to {:.1e} nats rms (largest {:.1e}){}{}.",
            matched.n,
            matched.rms,
            matched.max,
            beyond(found),
            in_part(compared)
        ),
        (Some(matched), _) => {
            let what = match &matched.fault {
                Some(fault) => format!("{} x{} under {fault}", matched.runs.label(), matched.factor),
                None => format!("{} x{}", matched.runs.label(), matched.factor),
            };
            format!(
                "The engine does not run {declared}, but {what}: {} log-probabilities agree with it to {:.1e} nats rms, with \
                 the declared configuration to {} only{}{}.",
                matched.n,
                matched.rms,
                nats(found.declared.rms),
                beyond(found),
                in_part(compared)
            )
        }
        (None, Verdict::Unknown) => unknown(found, declared),
        (None, _) if spectrum_is_declared(found) => format!(
            "The engine's spectrum is the declared one, {declared}, but not everything follows from it{}.",
            beyond(found)
        ),
        (None, _) => match found.recovered.as_ref().and_then(|recovered| recovered.nearest.as_ref()) {
            Some(nearest) => format!(
                "The engine does not run {declared}, nor anything known: its spectrum was recovered, and {}{}.",
                words(nearest),
                beyond(found)
            ),
            None => {
                format!(
                    "The engine does not run {declared} ({:.3} nats rms off){}{}.",
                    found.declared.rms,
                    numbers(found),
                    beyond(found)
                )
            }
        },
    }
}

/// That not everything was compared, in words.
fn in_part(compared: Option<usize>) -> String {
    compared.map_or_else(String::new, |tokens| {
        format!(
            "; of each request only the first {tokens} tokens were compared, as the time was up: give a larger --budget"
        )
    })
}

/// The sentence where nothing can be said of positions.
fn other_weights(found: &Identification) -> Option<String> {
    let check = &found.weights;
    match check.weights {
        Weights::Other => Some(format!(
            "The weights differ, not the positions: behind a single token, where positions cannot matter, the engine is \
                 off by {:.2} nats rms (correlation {:.2}, n = {}); it serves another checkpoint, or the tokens are another \
                 tokenizer's.",
            check.rms, check.correlation, check.n
        )),
        Weights::Close => Some(format!(
            "The weights differ, not the positions: behind a single token, where positions cannot matter, the engine is \
                 off by {:.3} nats rms (correlation {:.3}, n = {}), as quantised or further trained weights are; record \
                 from an engine with the checkpoint's own weights.",
            check.rms, check.correlation, check.n
        )),
        Weights::Misplaced => Some(
            "The log-probabilities stand beside the wrong tokens: they fit other requests of the file, or the \
                    neighbouring tokens, far better than their own; the file was reordered or shifted, record it again."
                .to_owned(),
        ),
        Weights::Same => None,
    }
}

/// The recovered numbers of a bias, in words.
fn numbers(found: &Identification) -> String {
    let Some(recovered) = &found.recovered else { return String::new() };
    let mut text = String::new();
    let known = recovered.values.iter().filter(|value| value.point.is_some()).count();
    if !recovered.slopes.is_empty() {
        let slope = |slope: &Interval| slope.point.map_or("not identifiable".to_owned(), |point| format!("{point:.4}"));
        let slopes: Vec<String> = recovered.slopes.iter().map(slope).collect();
        text = format!("; its slopes by head are {}", slopes.join(", "));
    } else if known > 0 {
        text = format!("; {known} of the {} values of its bias were recovered", recovered.values.len());
    }
    match recovered.temperature.and_then(|temperature| temperature.point) {
        Some(factor) if (factor - 1.0).abs() > 1e-3 => text + &format!("; all scores are multiplied by {factor:.3}"),
        _ => text,
    }
}

/// A residual in the digits that it deserves.
fn nats(rms: f64) -> String {
    if rms < 0.01 { format!("{rms:.1e}") } else { format!("{rms:.2}") }
}

fn unknown(found: &Identification, declared: &str) -> String {
    let cut = if found.cut_short { "; the time was up, give a larger --budget" } else { "" };
    format!(
        "What the engine runs is not known: {declared} is off by {:.3} nats rms, no known configuration agrees{}{cut}.",
        found.declared.rms,
        beyond(found)
    )
}

/// Whether what was recovered is what was declared.
fn spectrum_is_declared(found: &Identification) -> bool {
    let nearest = found.recovered.as_ref().and_then(|recovered| recovered.nearest.as_ref());
    nearest.is_some_and(|nearest| {
        (nearest.method == found.declared.method || nearest.factor == 1.0 && found.declared.factor == 1.0)
            && (nearest.factor / found.declared.factor - 1.0).abs() < 1e-3
            && nearest.differs.is_empty()
            && nearest.attention == Attention::Own
    })
}

/// What is nearest, in words.
fn words(nearest: &Nearest) -> String {
    let trained = nearest.trained.map(|trained| format!(", trained length {trained}")).unwrap_or_default();
    let mut text =
        format!("is nearest to {} x{:.4} (base {:.0}{trained})", nearest.method, nearest.factor, nearest.base);
    match nearest.differs.as_slice() {
        [] => {}
        [one] => text.push_str(&format!(", pair {one} differs")),
        more => text.push_str(&format!(", {} pairs differ, from pair {}", more.len(), more[0])),
    }
    match nearest.attention {
        Attention::Own => {}
        Attention::Missing => text.push_str(", its attention factor is not applied"),
        Attention::Squared => text.push_str(", its attention factor is applied twice"),
        Attention::Other => text.push_str(", its attention factor is another one"),
    }
    text
}

/// The first anomaly, in words.
fn beyond(found: &Identification) -> String {
    let Some(anomaly) = found.anomalies.first() else { return String::new() };
    let at = anomaly.at.map(|at| format!(" from token {at} on")).unwrap_or_default();
    let what = match anomaly.shape {
        Shape::Constant => "what is left does not depend on the position",
        Shape::Growing => "what is left grows with the position",
        Shape::Step => "what is left begins with a step",
        Shape::CacheOnly => "decoded requests differ",
        Shape::BatchOnly => "requests in a batch differ",
        Shape::OrderOnly => "requests after a longer one differ",
        Shape::Unsteady => "repeated requests differ",
    };
    format!("; {what}{at}")
}
