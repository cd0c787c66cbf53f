//! Verdicts of a run against a baseline.

use super::*;

const TOLERANCE: Tolerance = Tolerance { short_range: 0.02, long_range: 0.02, retrieval: 0.05, latency: 1.05 };

/// Mean of the differences, two standard errors to each side.
fn difference(now: &[f64], before: &[f64]) -> Option<Estimate> {
    let differences: Vec<f64> = now.iter().zip(before).map(|(now, before)| now - before).collect();
    let n = differences.len();
    if n < 2 {
        return None;
    }
    let point = differences.iter().sum::<f64>() / n as f64;
    let variance = differences.iter().map(|d| (d - point).powi(2)).sum::<f64>() / (n - 1) as f64;
    let reach = 2.0 * (variance / n as f64).sqrt();
    Some(Estimate { point, low: point - reach, high: point + reach, confidence: 0.95, n })
}

fn judge(change: Estimate, tolerance: f64) -> Ruling {
    match (change.low, change.high) {
        (low, _) if low > tolerance => Ruling::Worse,
        (_, high) if high < -tolerance => Ruling::Better,
        (low, high) if low >= -tolerance && high <= tolerance => Ruling::WithinNoise,
        _ => Ruling::Undecided,
    }
}

fn deployed() -> Cell {
    cell("linear", 4.0)
}

/// A run's cells: every quantity of the deployed cell, each document a little different.
fn cells(machine: f64) -> Vec<(Cell, Outcome)> {
    let cell = deployed();
    let (mut rows, mut unscaled) = (Vec::new(), Vec::new());
    for document in 0..6 {
        let own = f64::from(document) / 10.0;
        rows.push(row(&cell, "short_range", Quantity::Nll, document, 3.0 + own));
        for (from, value) in [(0, 2.0), (2048, 3.0), (4096, 4.0)] {
            let mut bin = row(&cell, "long_range", Quantity::Nll, document, value + own);
            bin.reading.at = Place { from: Some(from), to: Some(from + 2048), ..Place::default() };
            rows.push(bin);
        }
        rows.push(row(&cell, "retrieval", Quantity::Recall, document, 0.9 - own / 10.0));
        for (length, seconds) in [(512, 0.1), (2048, 0.7)] {
            let wobble = 1.0 + own / 50.0;
            let mut timed = row(&cell, "latency", Quantity::Prefill, document, seconds * machine * wobble * 1.2);
            timed.reading.at = Place { length: Some(length), ..Place::default() };
            rows.push(timed.clone());
            timed.cell = Cell::unscaled().id();
            timed.reading.value = seconds * machine;
            unscaled.push(timed);
        }
    }
    vec![(Cell::unscaled(), Outcome::Measured(unscaled)), (cell, Outcome::Measured(rows))]
}

fn changed(change: impl Fn(&mut Measurement)) -> Vec<(Cell, Outcome)> {
    let mut cells = cells(1.0);
    if let Outcome::Measured(rows) = &mut cells[1].1 {
        rows.iter_mut().for_each(change);
    }
    cells
}

fn verdicts_of_texts(run: &[(Cell, Outcome)], text: &str) -> Vec<Verdict> {
    let (before, id) = (cells(1.0), deployed().id());
    let baseline = Side { cells: &before, deployed: &id, text: "t" };
    let run = Side { cells: run, deployed: &id, text };
    compare("v1", baseline, run, Tokens(2048), &TOLERANCE, difference, judge)
}

fn verdict(run: &[(Cell, Outcome)], question: Question) -> Verdict {
    verdicts_of_texts(run, "t").into_iter().find(|verdict| verdict.question == question).unwrap()
}

fn of(probe: &str) -> impl Fn(&Measurement) -> bool {
    move |row| row.reading.probe == probe
}

#[test]
fn the_same_rows_are_within_noise_on_a_faster_machine_too() {
    for machine in [1.0, 0.25] {
        let verdicts = verdicts_of_texts(&cells(machine), "t");
        let questions: Vec<_> = verdicts.iter().map(|verdict| verdict.question).collect();
        assert_eq!(questions, [Question::ShortRange, Question::LongRange, Question::Retrieval, Question::Latency]);
        for verdict in verdicts {
            assert_eq!(verdict.ruling, Ruling::WithinNoise, "{verdict:?}");
            assert_eq!((verdict.against.as_str(), &verdict.why), ("v1", &None));
        }
    }
    let latency = verdict(&cells(0.25), Question::Latency);
    assert!((latency.change.unwrap().point - 1.0).abs() < 1e-9);
    assert!((latency.deployed.unwrap().point - 1.2 * 1.005).abs() < 1e-3, "{latency:?}");
}

#[test]
fn each_question_sees_its_own_damage() {
    let short = changed(|row| row.reading.value += f64::from(u8::from(of("short_range")(row))) * 0.3);
    let verdict_short = verdict(&short, Question::ShortRange);
    assert_eq!(verdict_short.ruling, Ruling::Worse);
    assert!((verdict_short.change.unwrap().point - 0.3).abs() < 1e-9);
    assert!((verdict_short.reference.unwrap().point - 3.25).abs() < 1e-9);
    assert_eq!(verdict(&short, Question::LongRange).ruling, Ruling::WithinNoise);

    let inside = changed(|row| row.reading.value += f64::from(u8::from(row.reading.at.to == Some(2048))));
    assert_eq!(verdict(&inside, Question::LongRange).ruling, Ruling::WithinNoise, "below the trained length");
    let beyond = changed(|row| row.reading.value -= f64::from(u8::from(row.reading.at.from == Some(4096))));
    let verdict_beyond = verdict(&beyond, Question::LongRange);
    assert_eq!(verdict_beyond.ruling, Ruling::Better);
    assert!((verdict_beyond.change.unwrap().point + 0.5).abs() < 1e-9);

    let forgetful = changed(|row| row.reading.value -= f64::from(u8::from(of("retrieval")(row))) * 0.4);
    let verdict_recall = verdict(&forgetful, Question::Retrieval);
    assert_eq!(verdict_recall.ruling, Ruling::Worse, "less recall is worse");
    assert!((verdict_recall.change.unwrap().point + 0.4).abs() < 1e-9);

    let slow = changed(|row| row.reading.value *= if of("latency")(row) { 1.5 } else { 1.0 });
    let verdict_latency = verdict(&slow, Question::Latency);
    assert_eq!(verdict_latency.ruling, Ruling::Worse);
    assert!((verdict_latency.change.unwrap().point - 1.5).abs() < 1e-9);
}

#[test]
fn what_was_measured_differently_is_incomparable_and_says_why() {
    let because = |run: &[(Cell, Outcome)], question, why: &str| {
        let verdict = verdict(run, question);
        assert_eq!(verdict.ruling, Ruling::Incomparable, "{verdict:?}");
        assert!(verdict.change.is_none());
        assert!(verdict.why.as_deref().is_some_and(|given| given.contains(why)), "{verdict:?}");
    };
    let other = changed(|row| row.reading.protocol.push_str(":no-bos"));
    because(&other, Question::ShortRange, "protocols differ");
    because(&other, Question::Latency, "protocols differ");
    because(&changed(|row| row.reading.document += 1), Question::ShortRange, "documents");
    because(&changed(|row| row.reading.count = 99), Question::Retrieval, "255 scored places in the baseline and 99");
    because(&changed(|row| row.reading.at.length = Some(1)), Question::Latency, "not timed beside");
    because(&changed(|row| row.reading.probe = "x".to_owned()), Question::LongRange, "did not measure");
    let text = verdicts_of_texts(&cells(1.0), "another");
    assert_eq!(text[0].ruling, Ruling::Incomparable);
    assert!(text[0].why.as_deref().is_some_and(|why| why.contains("different text")));
}

#[test]
fn a_loss_that_is_not_a_number_is_worse_without_an_average() {
    let broken = changed(|row| {
        if of("short_range")(row) && row.reading.document == 3 {
            row.reading.value = f64::NAN;
        }
    });
    let verdict = verdict(&broken, Question::ShortRange);
    assert_eq!((verdict.ruling, verdict.change), (Ruling::Worse, None));
    assert!(verdict.why.is_some_and(|why| why.contains("1 of 6 documents")));
}

#[test]
fn few_or_scattered_pairs_are_undecided() {
    let scattered = changed(|row| row.reading.value += f64::from(row.reading.document) / 60.0);
    let verdict = verdict(&scattered, Question::ShortRange);
    assert_eq!(verdict.ruling, Ruling::Undecided, "{verdict:?}");
    assert!(verdict.why.is_some());
}
