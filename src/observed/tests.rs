#![allow(clippy::unwrap_used)]

use super::*;

fn write(name: &str, text: &str) -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("gyro-observed-{}-{name}.jsonl", std::process::id()));
    fs::write(&path, text).unwrap();
    path
}

fn problem(name: &str, text: &str) -> (usize, Problem) {
    match read(&write(name, text), 10).unwrap_err() {
        ObservedError::Line { line, problem, .. } => (line, problem),
        other => unreachable!("{other}"),
    }
}

#[test]
fn a_sound_file_is_read_in_its_order() {
    let text = "{\"tokens\": [1, 2], \"logprobs\": [null, -2.5], \"phase\": \"decode\", \"dtype\": \"torch.bfloat16\"}\n\n\
                {\"tokens\": [3, 4, 5], \"logprobs\": [null, -1, 0.0001], \"batch\": 7}\n";
    let read = read(&write("sound", text), 10).unwrap();
    assert_eq!(read.len(), 2);
    assert_eq!(
        (read[0].phase(), read[0].precision(), read[0].at(1)),
        (Phase::Decode, Some(Precision::Bfloat16), Some(-2.5))
    );
    assert_eq!((read[1].phase(), read[1].batch, read[1].at(0)), (Phase::Prefill, Some(7), None));
}

#[test]
fn each_damage_is_named_with_its_line() {
    let good = "{\"tokens\": [1, 2], \"logprobs\": [null, -2.5]}\n";
    for (name, bad, expected) in [
        ("cut", "{\"tokens\": [1, 2], \"logprobs\": [nu", Problem::CutOff),
        ("empty", "{\"tokens\": [], \"logprobs\": []}\n", Problem::NoTokens),
        ("short", "{\"tokens\": [1, 2, 3], \"logprobs\": [null, -1]}\n", Problem::Length { tokens: 3, logprobs: 2 }),
        ("none", "{\"tokens\": [1, 2]}\n", Problem::Length { tokens: 2, logprobs: 0 }),
        ("shifted", "{\"tokens\": [1, 2], \"logprobs\": [-1, -2]}\n", Problem::Shifted),
        ("missing", "{\"tokens\": [1, 2, 3], \"logprobs\": [null, null, -2]}\n", Problem::Missing { at: 1 }),
        ("nan", "{\"tokens\": [1, 2], \"logprobs\": [null, NaN]}\n", Problem::NotFinite { at: None }),
        ("infinite", "{\"tokens\": [1, 2], \"logprobs\": [null, -1e39]}\n", Problem::NotFinite { at: None }),
        ("positive", "{\"tokens\": [1, 2], \"logprobs\": [null, 0.5]}\n", Problem::Positive { at: 1, value: 0.5 }),
        (
            "foreign",
            "{\"tokens\": [1, 10], \"logprobs\": [null, -1]}\n",
            Problem::Foreign { at: 1, token: 10, vocabulary: 10 },
        ),
    ] {
        assert_eq!(problem(name, &format!("{good}{bad}")), (2, expected), "{name}");
    }
    let (line, wrong) = problem("words", &format!("{good}{good}tokens\n"));
    assert!(line == 3 && matches!(wrong, Problem::NoRequest(_)), "{wrong}");
}

#[test]
fn a_batch_that_goes_on_later_was_reordered() {
    let row = |batch: u64| format!("{{\"tokens\": [1, 2], \"logprobs\": [null, -1], \"batch\": {batch}}}\n");
    assert_eq!(problem("order", &[row(0), row(1), row(0)].concat()), (3, Problem::Reordered { batch: 0 }));
    assert!(read(&write("in-order", &[row(4), row(4), row(2)].concat()), 10).is_ok());
}

#[test]
fn a_file_without_a_single_value_says_so() {
    let error = read(&write("single", "{\"tokens\": [1], \"logprobs\": [null]}\n"), 10).unwrap_err().to_string();
    assert!(error.contains("holds no log-probability"), "{error}");
}
