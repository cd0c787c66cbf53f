//! A healthy engine: batches, chunks and decoding change nothing; a method that follows the length is right behind a cache.

use gyro::faults::AnyFault;
use gyro::subject::{Padding, Request, Route, Row, Scores, Subject};

use super::checkpoints::{Bench, benches, one_layer, tokens};

const ROUNDING: f32 = 1e-4;

fn bench(name: &str) -> Bench {
    benches().into_iter().find(|bench| bench.name == name).unwrap()
}

fn largest(one: &[f32], other: &[f32]) -> f32 {
    assert_eq!(one.len(), other.len());
    one.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0, |worst, d| if d <= worst { worst } else { d })
}

fn row(length: usize) -> Row {
    Row { tokens: tokens()[..length].to_vec(), first_position: 0 }
}

#[test]
fn rows_of_a_padded_batch_score_as_alone() {
    for bench in benches() {
        let mut replay = bench.replay(&[]);
        for (padding, route) in [
            (Padding::Left, Route::OneShot),
            (Padding::Left, Route::Chunked(25)),
            (Padding::Left, Route::Decode { prompt: 90 }),
            (Padding::Right, Route::OneShot),
            (Padding::Right, Route::Decode { prompt: 90 }),
        ] {
            let lengths = [30, 96, 61];
            let batch = replay.serve(&Request { rows: lengths.map(row).to_vec(), route, padding }).unwrap();
            for (length, scores) in lengths.into_iter().zip(batch) {
                // The steps are those of the batch, so that a base which follows the length is told the same ones.
                let alone = match route {
                    Route::OneShot => Route::OneShot,
                    Route::Chunked(_) => continue,
                    Route::Decode { .. } => Route::Decode { prompt: length - 6 },
                };
                let expected = replay.serve(&Request::alone(&row(length).tokens, alone)).unwrap();
                let difference = largest(&scores.log_probability, &expected[0].log_probability);
                assert!(difference < ROUNDING, "{} {padding:?} {route:?} {length}: {difference}", bench.name);
            }
        }
    }
}

#[test]
fn the_cache_changes_nothing_where_the_base_does_not_move() {
    for bench in benches().into_iter().filter(|bench| !["dynamic", "longrope"].contains(&bench.name)) {
        let mut replay = bench.replay(&[]);
        let whole = replay.serve(&Request::alone(&tokens()[..130], Route::OneShot)).unwrap();
        for route in [Route::Chunked(7), Route::Chunked(64), Route::Decode { prompt: 100 }] {
            let other = replay.serve(&Request::alone(&tokens()[..130], route)).unwrap();
            let difference = largest(&whole[0].log_probability, &other[0].log_probability);
            assert!(difference < ROUNDING, "{} in {route:?}: {difference}", bench.name);
        }
    }
}

/// The last of a decoded row's scores against one chunk of as many tokens, beyond the trained length.
#[test]
fn a_base_that_follows_the_length_is_right_behind_a_cache_unless_keys_are_stale() {
    for method in ["dynamic", "dynamic_paper", "longrope"] {
        let bench = one_layer(method);
        let difference = |faults: &[AnyFault]| {
            let mut replay = bench.replay(faults);
            let tokens = &tokens()[..121];
            let mut last = |route| {
                let scores: Vec<Scores> = replay.serve(&Request::alone(tokens, route)).unwrap();
                scores[0].log_probability.last().copied().unwrap()
            };
            // A step knows the tokens that it has read: one chunk and the last decoded token know equally many.
            (last(Route::Decode { prompt: 30 }) - last(Route::Chunked(200))).abs()
        };
        let (healthy, stale) = (difference(&[]), difference(&[AnyFault::named("stale_keys").unwrap()]));
        assert!(healthy < ROUNDING, "{method}: {healthy}");
        assert!(stale > 1e-3, "{method}: stale keys change {stale}");
    }
}

#[test]
fn an_engine_forgets_when_it_is_restarted() {
    let bench = bench("dynamic");
    let mut replay = bench.replay(&[AnyFault::named("sticky_base").unwrap()]);
    let (short, long) = (Request::alone(&tokens()[..40], Route::OneShot), Request::alone(&tokens(), Route::OneShot));
    let before = replay.serve(&short).unwrap();
    replay.serve(&long).unwrap();
    let after = replay.serve(&short).unwrap();
    assert!(largest(&before[0].log_probability, &after[0].log_probability) > 1e-3);
    replay.restart();
    assert_eq!(replay.serve(&short).unwrap(), before);
}

#[test]
fn rows_that_do_not_fit_together_are_refused() {
    let mut replay = bench("ntk").replay(&[]);
    let mut refused = |rows: &[usize], route, padding| {
        let rows = rows.iter().map(|length| row(*length)).collect();
        replay.serve(&Request { rows, route, padding }).unwrap_err().to_string()
    };
    let unequal = refused(&[10, 12], Route::OneShot, Padding::None);
    assert!(unequal.contains("rows of 10 and 12 tokens") && unequal.contains("hint:"), "{unequal}");
    let no_prompt = refused(&[10, 40], Route::Decode { prompt: 20 }, Padding::Right);
    assert!(no_prompt.contains("a row of 10 tokens, of which 20"), "{no_prompt}");
}
