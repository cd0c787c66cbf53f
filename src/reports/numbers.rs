//! How numbers are written for people: one way for each unit, in every format.

use crate::findings::Ruling;
use crate::stats::Estimate;

/// A value in its unit: `3.352`, `81.0%`, `1.04x`, `12.3 ms`. Nats are written without the unit, which stands beside.
pub(crate) fn value(unit: &str, x: f64) -> String {
    if !x.is_finite() {
        return "not finite".to_owned();
    }
    let text = match unit {
        "share" => format!("{:.1}%", x * 100.0),
        "ratio" => format!("{x:.3}x"),
        "seconds" if x.abs() < 1.0 => format!("{:.1} ms", x * 1000.0),
        "seconds" => format!("{x:.2} s"),
        _ => format!("{x:.3}"),
    };
    text.replace('-', "\u{2212}")
}

/// A difference with its sign: `+0.310`, `−12.0 points`; a ratio is written as it is.
pub(crate) fn change(unit: &str, x: f64) -> String {
    let text = match unit {
        "ratio" => return value(unit, x),
        "share" if x.is_finite() => format!("{:.1} points", x * 100.0).replace('-', "\u{2212}"),
        _ => value(unit, x),
    };
    if x >= 0.0 && x.is_finite() { format!("+{text}") } else { text }
}

/// A tolerance: `±0.020`, `5.0 points`, `1.050x`.
pub(crate) fn tolerance(unit: &str, x: f64) -> String {
    match unit {
        "share" => format!("{:.1} points", x * 100.0),
        _ => value(unit, x),
    }
}

/// The unit as it stands behind numbers that do not carry it themselves; empty for the others.
pub(crate) fn suffix(unit: &str) -> &str {
    match unit {
        "share" | "ratio" | "seconds" => "",
        _ => unit,
    }
}

/// An estimate written by `write`, with its interval: `+0.310 [+0.280, +0.350]`.
///
/// An interval over fewer than two documents does not exist and is not shown as if it did.
pub(crate) fn estimate(unit: &str, e: &Estimate, write: fn(&str, f64) -> String) -> String {
    let unit_behind = suffix(unit);
    let space = if unit_behind.is_empty() { "" } else { " " };
    let bare = |x| write(unit, x).replace(" points", "");
    if e.n < 2 {
        return format!("{}{space}{unit_behind} (no interval)", write(unit, e.point));
    }
    format!("{}{space}{unit_behind} [{}, {}]", write(unit, e.point), bare(e.low), bare(e.high))
}

/// A share of 1 as whole per cent: `98%`.
pub(crate) fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.0}%", share * 100.0).replace('-', "\u{2212}") } else { "not finite".to_owned() }
}

/// The level of an interval: `95%`, and `99.5%` where it shares its error with others; never `100%`.
pub(crate) fn level(confidence: f64) -> String {
    let shown = (confidence * 100.0).min(99.9);
    let digits = usize::from((shown - shown.round()).abs() > 1e-6);
    format!("{shown:.digits$}%")
}

/// The sign that carries a ruling where colour does not.
pub(crate) fn symbol(ruling: Ruling) -> &'static str {
    match ruling {
        Ruling::Worse => "\u{2717}",
        Ruling::Better => "\u{2713}",
        Ruling::WithinNoise => "=",
        Ruling::Undecided => "?",
        Ruling::Incomparable => "\u{2013}",
    }
}

/// A count of bytes: `1.2 GB`.
pub(crate) fn bytes(count: u64) -> String {
    let count = count as f64;
    if count >= 1e9 { format!("{:.1} GB", count / 1e9) } else { format!("{:.0} MB", count / 1e6) }
}

/// A count and its noun: `1 document`, `8 documents`.
pub(crate) fn counted(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_written_in_its_own_way() {
        assert_eq!(value("nats/token", 3.3521), "3.352");
        assert_eq!(value("share", 0.81), "81.0%");
        assert_eq!(value("seconds", 0.0123), "12.3 ms");
        assert_eq!(change("nats/token", -0.3), "\u{2212}0.300");
        assert_eq!(change("share", 0.05), "+5.0 points");
        assert_eq!(change("ratio", 1.04), "1.040x");
        assert_eq!(value("nats/token", f64::NAN), "not finite");
    }

    #[test]
    fn a_level_is_never_rounded_to_certainty() {
        for (confidence, said) in [(0.95, "95%"), (0.975, "97.5%"), (0.995, "99.5%"), (0.9998, "99.9%")] {
            assert_eq!(level(confidence), said);
        }
    }

    #[test]
    fn one_document_has_no_interval() {
        let mut e = Estimate { point: 0.31, low: 0.28, high: 0.35, confidence: 0.95, n: 8 };
        assert_eq!(estimate("nats/token", &e, change), "+0.310 nats/token [+0.280, +0.350]");
        e.n = 1;
        assert_eq!(estimate("nats/token", &e, change), "+0.310 nats/token (no interval)");
    }
}
