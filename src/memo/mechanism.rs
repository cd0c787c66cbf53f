//! How the recommended method injects position, and the failure that it is meant to mitigate, on this checkpoint.

use super::Dossier;
use super::facts::Facts;
use super::sources::Sources;
use crate::explain::{Facts as What, Pair, Shared, Slopes, Turning};
use crate::reports::document::Claim;
use crate::units::Tokens;

/// A pair whose period is changed by less than this share is left as it was trained.
const KEPT: f64 = 0.01;

/// What the recommended method does.
pub(super) fn claims(dossier: &Dossier<'_>, facts: &Facts, sources: &mut Sources) -> Vec<Claim> {
    match &facts.chosen.mechanism {
        What::Rotate(turning) => rotation(dossier, facts, turning, sources),
        What::Group(grouped) => {
            let mut claims = rotation(dossier, facts, &grouped.turning, sources);
            let formula = sources
                .formula("near keys: distance exact below W; far ones: floor(i / G) + W - floor(W / G) - floor(j / G)");
            claims.push(Claim::new(
                format!(
                    "Beyond {} tokens {} positions share one, so the largest rotated distance at {} tokens is {} \
                     (trained: {}).",
                    grouped.window,
                    grouped.group,
                    dossier.run.target,
                    Tokens(grouped.largest),
                    dossier.run.trained
                ),
                [formula],
            ));
            claims
        }
        What::Slopes(slopes) => vec![fixed_penalty(slopes, dossier, sources)],
        What::Buckets(shared) => vec![learned_buckets(shared, dossier, sources)],
        _ => vec![Claim::new(format!("{} {}.", facts.chosen.method, facts.chosen.summary), [])],
    }
}

fn rotation(dossier: &Dossier<'_>, facts: &Facts, turning: &Turning, sources: &mut Sources) -> Vec<Claim> {
    let offsets = sources.formula("R(m f)^T R(n f) = R((n - m) f), for each pair's frequency f");
    let scaled = sources.formula("R(p f') = R((p / e) f) with e = f / f', for each pair");
    let pairs = turning.pairs.len();
    let check = &turning.equivalence;
    let mut claims = vec![
        Claim::new(
            format!(
                "Position enters as a rotation: each of the {pairs} pairs of a head's query and key is turned by its \
                 frequency times the position. The score of a query at m and a key at n then depends on n - m alone: \
                 over {} positions up to {} and all pairs of this checkpoint, turning from one position to another \
                 differs from a turn by their offset by at most {} of a unit vector (float64).",
                check.positions,
                Tokens(turning.reach as usize),
                tiny(check.relative_residual)
            ),
            [offsets],
        ),
        Claim::new(
            format!(
                "A scaled rotation is the original rotation with transformed angles: pair i at position p stands \
                 where the trained pair stood at p / e_i. On this checkpoint's frequencies the two differ by at most \
                 {} of a unit vector.",
                tiny(check.residual)
            ),
            [scaled],
        ),
    ];
    claims.push(base_scaling(dossier, turning, sources));
    claims.push(stretched(turning, sources));
    claims.extend(unseen(dossier, facts, turning, sources));
    if turning.attention_factor != 1.0 {
        let formula = sources.formula("cosine and sine times a, so logits times a^2");
        claims.push(Claim::new(
            format!(
                "Cosine and sine are multiplied by {:.4}, so every attention logit grows by {:.4}, at every distance.",
                turning.attention_factor, turning.logit_scale
            ),
            [formula],
        ));
    }
    if turning.follows_length {
        let formula = sources.formula("frequencies(length) at the trained and at the target length differ");
        claims.push(Claim::new(
            "The frequencies follow the current length: keys cached while a text was short stand at other angles than \
             those of its later tokens.",
            [formula],
        ));
    }
    claims
}

/// The base that matches the slowest pair's period to the target, and what the method does instead.
fn base_scaling(dossier: &Dossier<'_>, turning: &Turning, sources: &mut Sources) -> Claim {
    let heads = &dossier.config.heads;
    let (d, factor) = (heads.rotary_dim as f64, dossier.run.target.as_f64() / heads.trained.as_f64());
    let base = heads.theta * factor.powf(d / (d - 2.0));
    let formula = sources
        .formula("period matching: b' = b s^(d / (d - 2)) makes f_last / f'_last = s, with s = target / trained");
    let slowest = turning.pairs.last();
    let period = |period: Option<f64>| {
        period.map_or_else(|| "no period".to_owned(), |p| format!("{} tokens", Tokens(p.round() as usize)))
    };
    let stretch = slowest.and_then(|pair| pair.stretch).unwrap_or(1.0);
    let matched = if (stretch / factor - 1.0).abs() < 1e-9 {
        format!("this method matches it (off by {} of the factor)", tiny((stretch / factor - 1.0).abs()))
    } else {
        format!("this method stretches it {stretch:.3}x")
    };
    Claim::new(
        format!(
            "Base scaling turns all pairs slower by one number: raising the base from {} to {base:.0} would stretch \
             the slowest pair ({} in training) by exactly target / trained = {factor}; {matched}, so its period is {}.",
            heads.theta,
            period(slowest.and_then(|pair| pair.period_trained)),
            period(slowest.and_then(|pair| pair.period)),
        ),
        [formula],
    )
}

fn stretched(turning: &Turning, sources: &mut Sources) -> Claim {
    let formula = sources.formula("stretch of a pair: e = f / f'");
    let stretch = |pair: &Pair| pair.stretch.unwrap_or(1.0);
    let most = turning.pairs.iter().map(stretch).fold(1.0, f64::max);
    let count = |keep: &dyn Fn(f64) -> bool| turning.pairs.iter().filter(|pair| keep(stretch(pair))).count();
    let kept = count(&|e| (e - 1.0).abs() < KEPT);
    let full = count(&|e| e >= most * (1.0 - KEPT) && most > 1.0 + KEPT);
    let middle = turning.pairs.get(turning.pairs.len() / 2).map_or(1.0, stretch);
    Claim::new(
        format!(
            "Periods kept (within 1%): {kept} of {} pairs; stretched by the most, {most:.2}x: {full}; the middle \
             pair: {middle:.2}x; the {} local pairs that turn within 256 tokens: at most {:.2}x.",
            turning.pairs.len(),
            local(turning).count(),
            local(turning).map(stretch).fold(1.0, f64::max),
        ),
        [formula],
    )
}

/// The pairs that complete a turn within the short range, by which neighbours are told apart.
pub(super) fn local(turning: &Turning) -> impl Iterator<Item = &Pair> {
    turning.pairs.iter().filter(|pair| pair.period_trained.is_some_and(|period| period <= 256.0))
}

/// The failure that scaling is for: angles that training never showed.
fn unseen(dossier: &Dossier<'_>, facts: &Facts, turning: &Turning, sources: &mut Sources) -> Vec<Claim> {
    let formula = sources.formula(
        "a pair leaves the seen angles if it did not complete a turn within the trained length and now goes farther",
    );
    let pairs = turning.pairs.len();
    let (trained, target) = (dossier.run.trained, dossier.run.target);
    let mut claims = vec![Claim::new(
        format!(
            "{} of {pairs} pairs never complete a turn within {trained} tokens. Read unscaled at {target} tokens, {} \
             of them reach angles that training never showed{}.",
            turning.never_trained,
            turning.leaves_unscaled.len(),
            indices(&turning.leaves_unscaled),
        ),
        [formula.clone()],
    )];
    let after = if turning.leaves.is_empty() {
        format!(
            "Under {} x{} none does: every angle up to {target} tokens was seen in training.",
            facts.chosen.method, facts.chosen.setting.factor
        )
    } else {
        format!(
            "Under {} x{} still {} of them{}: it serves less than its nominal length by that much.",
            facts.chosen.method,
            facts.chosen.setting.factor,
            turning.leaves.len(),
            indices(&turning.leaves),
        )
    };
    claims.push(Claim::new(after, [formula]));
    claims
}

fn indices(list: &[usize]) -> String {
    match (list.first(), list.last()) {
        (Some(first), Some(last)) if last - first + 1 == list.len() && list.len() > 1 => {
            format!(" (pairs {first} to {last})")
        }
        (Some(_), _) => format!(" (pairs {})", list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        _ => String::new(),
    }
}

/// ALiBi in a sentence.
pub(super) fn fixed_penalty(slopes: &Slopes, dossier: &Dossier<'_>, sources: &mut Sources) -> Claim {
    let formula = sources.formula("bias of head h at distance d: -m_h d; its weight falls by e every 1 / m_h tokens");
    let reach = |tokens: f64| slopes.heads.iter().filter(|head| head.falls_by_e_at >= tokens).count();
    let ends = |of: &dyn Fn(&crate::explain::Fall) -> f64| {
        let values: Vec<f64> = slopes.heads.iter().map(of).collect();
        (values.iter().copied().fold(f64::MAX, f64::min), values.iter().copied().fold(0.0, f64::max))
    };
    let (near, far) = ends(&|head| head.falls_by_e_at);
    let (least, most) = ends(&|head| -head.bias_at_target);
    Claim::new(
        format!(
            "ALiBi subtracts a fixed slope times the distance: nothing is learned and every distance is defined, but \
             it prefers what is recent. On this checkpoint's {} heads a key's weight falls by e within {} to {} \
             tokens; at {} tokens the penalty is {} to {} nats; heads that see past 1,024 tokens without such a fall: \
             {}.",
            slopes.heads.len(),
            Tokens(near.round() as usize),
            Tokens(far.round() as usize),
            dossier.run.target,
            round(least),
            round(most),
            reach(1024.0),
        ),
        [formula],
    )
}

/// T5 in a sentence.
pub(super) fn learned_buckets(shared: &Shared, dossier: &Dossier<'_>, sources: &mut Sources) -> Claim {
    let formula = sources
        .formula("bucket(d): exact up to half of the buckets, then logarithmic up to max_distance, then one for all");
    let last = shared.buckets.last();
    let saturation = shared.saturates_at.map_or_else(
        || "no distance up to the target shares the last bucket".to_owned(),
        |at| {
            format!(
                "from {at} tokens on all distances share the last one: {} keys of the last query at {} tokens, {} at \
                 the trained length",
                Tokens(last.map_or(0, |bucket| bucket.keys_target)),
                dossier.run.target,
                Tokens(last.map_or(0, |bucket| bucket.keys_trained)),
            )
        },
    );
    Claim::new(
        format!(
            "T5 adds a learned bias that distances share in {} buckets: the sharing regularises, and {saturation}. At {} \
             tokens {}.",
            shared.count,
            dossier.run.target,
            seen_buckets(shared.unseen.len()),
        ),
        [formula],
    )
}

/// How many buckets of the target training never saw, in words.
pub(super) fn seen_buckets(unseen: usize) -> String {
    match unseen {
        0 => "training has seen every bucket".to_owned(),
        1 => "1 bucket was never seen in training".to_owned(),
        more => format!("{more} buckets were never seen in training"),
    }
}

/// A residual as people read it: `3e-13`.
fn tiny(x: f64) -> String {
    if x == 0.0 { "0".to_owned() } else { format!("{x:.0e}") }
}

/// A penalty with the digits that matter.
fn round(x: f64) -> String {
    if x < 10.0 { format!("{x:.2}") } else { format!("{}", Tokens(x.round() as usize)) }
}
