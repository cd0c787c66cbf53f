//! What a run says of its timings: which part is slow, and when it may not say anything.

use gyro::findings::Findings;

use super::*;

fn timed(name: &str, script: &Script) -> Findings {
    let request = Request { questions: Some(vec![Question::Latency]), ..request(&folder(name), Resume::Automatic) };
    run::diagnose(&request, |_: &Scenario| Ok(script)).unwrap().findings
}

fn latency(findings: &Findings) -> (Ruling, String) {
    let verdict = findings.verdict(Question::Latency).unwrap();
    (verdict.ruling, verdict.why.clone().unwrap_or_default())
}

#[test]
fn the_part_that_is_slow_is_named() {
    for (part, words) in [
        (Quantity::PositionTable, "making the table of positions is what is slow"),
        (Quantity::PositionalWork, "positional work on queries and keys is what is slow"),
        (Quantity::CacheGrowth, "the growth of the cache is what is slow"),
        (Quantity::AttentionKernel, "the attention kernel is what is slow"),
    ] {
        let script = Script { plant: Plant::Part(part, 0.0005), jitter: 3, held_back: Some(0.0), ..Script::default() };
        let findings = timed(&format!("slow-{}", part.name()), &script);
        assert_eq!(latency(&findings).0, Ruling::Worse, "{part:?}");
        let speed = findings.speed.as_ref().unwrap();
        let slow = speed.slow.as_deref().unwrap();
        assert!(slow.starts_with(words), "{slow}");
        let cause = findings.causes.iter().find(|cause| cause.question == Question::Latency).unwrap();
        assert!(cause.evidence.iter().any(|line| line == slow), "{cause:?}");
        let row = speed.parts.iter().find(|row| row.part == part.name() && row.length == 8192).unwrap();
        // 1 % of 0.9 ms over ten blocks.
        assert!((row.excess.point - 0.0005).abs() < 2e-5 && row.excess.low > 0.0004, "{row:?}");
    }
}

#[test]
fn a_healthy_run_names_no_slow_part_and_reports_its_controls() {
    let findings = timed("slow-nothing", &Script { held_back: Some(0.0), ..Script::default() });
    assert_eq!(latency(&findings).0, Ruling::WithinNoise);
    let speed = findings.speed.unwrap();
    assert_eq!(speed.slow, None);
    let arms: std::collections::BTreeSet<&str> = speed.ratios.iter().map(|ratio| ratio.arm.as_str()).collect();
    assert_eq!(arms.into_iter().collect::<Vec<_>>(), ["control", "deployed", "no_positions"]);
    assert_eq!(speed.slopes.len(), 3);
    assert_eq!(speed.noise.unwrap().seconds.n, 24 + 10);
    assert_eq!((speed.memory[0].bytes, speed.memory[0].fresh_pages.unwrap().point), (300_000_000, 0.0));
    // Without a stopwatch these are absent, never 0.
    let speed = timed("slow-unwatched", &Script::default()).speed.unwrap();
    assert!(speed.noise.is_none() && speed.held_back.is_none() && speed.memory.is_empty());
}

#[test]
fn a_device_that_was_held_back_gets_no_ruling() {
    let script = Script { plant: Plant::Decode(2.0), held_back: Some(1.0), ..Script::default() };
    let (ruling, why) = latency(&timed("held-back", &script));
    assert_eq!(ruling, Ruling::Undecided);
    assert!(why.contains("held back for heat or power 10 times"), "{why}");
}
