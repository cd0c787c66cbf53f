//! The list of faults: each is described, can be written in a scenario, and changes the numbers that it says.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use gyro::faults::{AnyFault, Beyond, Execution, Fault, FaultError, Injected, Setting, Site};
use gyro::measurement::Cell;
use gyro::positions::{AnyMethod, Bias, Buckets, HeadShape, Mechanism, Method, Pairing, inverse_frequencies};
use gyro::units::{Stretch, Tokens};
use serde_json::json;

const HEADINGS: [&str; 4] = ["# What it does", "# Seen in", "# Signature", "# How it is injected"];

fn setting(method: &str, factor: f64) -> Setting {
    let method = AnyMethod::named(method).unwrap();
    let native = if method.scheme() == gyro::positions::Scheme::Rotary {
        AnyMethod::named("rope").unwrap()
    } else {
        method.clone()
    };
    let heads = HeadShape {
        heads: 12,
        width: 768,
        head_dim: 64,
        rotary_dim: 64,
        theta: 1e4,
        trained: Tokens(2048),
        pairing: Pairing::HalfSplit,
        native,
    };
    Setting { method, factor: Stretch(factor), heads, window: None }
}

fn fault(name: &str) -> AnyFault {
    AnyFault::named(name).unwrap_or_else(|| panic!("no fault is called {name}"))
}

/// The mechanism at a length, in an engine with that fault.
fn mechanism(method: &str, factor: f64, name: &str, length: usize) -> Mechanism {
    Injected::new(setting(method, factor), &[fault(name)]).unwrap().mechanism(Tokens(length)).unwrap()
}

fn frequencies(mechanism: &Mechanism) -> Vec<f64> {
    mechanism.rotation().unwrap().inverse_frequencies.clone()
}

fn assert_close(got: &[f64], expected: &[f64]) {
    assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(expected) {
        assert!((got / expected - 1.0).abs() < 1e-9, "{got}, expected {expected}");
    }
}

#[test]
fn every_fault_is_described_in_its_own_file() {
    for name in AnyFault::NAMES {
        let path = Path::new("src/faults").join(format!("{name}.rs"));
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut from = 0;
        for heading in HEADINGS {
            let at = text[from..].find(&format!("//! {heading}\n"));
            from += at.unwrap_or_else(|| panic!("{name}: `{heading}` is missing or out of order"));
        }
        let seen: String = text.split("# Seen in").nth(1).unwrap().split("# Signature").next().unwrap().to_owned();
        assert!(seen.contains('#') || seen.contains("arXiv"), "{name} was seen in no thread: {seen}");
        assert!(!fault(name).summary().ends_with('.') && fault(name).summary().len() > 10, "{name}");
    }
    let mut files: Vec<String> = fs::read_dir("src/faults")
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|file| !["mod", "execution", "injected", "effects"].contains(&file.as_str()))
        .collect();
    let mut names: Vec<&str> = AnyFault::NAMES.to_vec();
    files.sort();
    names.sort_unstable();
    assert_eq!(files, names, "a file without its line in the list, or a name that is there twice");
}

#[test]
fn every_place_has_faults_in_both_halves() {
    let (controls, faults): (Vec<AnyFault>, Vec<AnyFault>) = AnyFault::all().partition(AnyFault::is_control);
    assert!(faults.len() >= 40 && controls.len() >= 5, "{} faults, {} look-alikes", faults.len(), controls.len());
    let mut halves: BTreeMap<Site, [usize; 2]> = BTreeMap::new();
    for fault in &faults {
        halves.entry(fault.site()).or_default()[usize::from(fault.is_development())] += 1;
    }
    assert_eq!(halves.keys().copied().collect::<Vec<_>>(), Site::ALL);
    for (site, [held_back, development]) in &halves {
        assert!(*held_back > 0 && *development > 0, "{}: {held_back} held back, {development} not", site.name());
    }
    let held_back = faults.iter().filter(|fault| !fault.is_development()).count();
    assert!(held_back.abs_diff(faults.len() - held_back) <= 4, "{held_back} of {} are held back", faults.len());
}

#[test]
fn a_fault_is_written_by_its_name_with_or_without_parameters() {
    for fault in AnyFault::all() {
        let bare: AnyFault = serde_json::from_value(json!(fault.name())).unwrap();
        let written: AnyFault = serde_json::from_str(&serde_json::to_string(&fault).unwrap()).unwrap();
        assert_eq!((&bare, &written, fault.label().as_str()), (&fault, &fault, fault.name()));
        let unknown = json!({ (fault.name()): { "nonsense": 1 } });
        assert!(serde_json::from_value::<AnyFault>(unknown).is_err(), "{} takes any parameter", fault.name());
        assert_eq!(fault.check(), Ok(()), "{}", fault.name());
    }
    let wraps: AnyFault = serde_json::from_value(json!({ "table_wraps": { "rows": 1024 } })).unwrap();
    assert_eq!(wraps.label(), "table_wraps (rows 1024)");
    let error = serde_json::from_value::<AnyFault>(json!("table_warps")).unwrap_err().to_string();
    assert!(error.contains("table_warps") && error.contains("table_wraps"), "{error}");
    let two = json!({ "table_wraps": {}, "sticky_base": {} });
    assert!(serde_json::from_value::<AnyFault>(two).unwrap_err().to_string().contains("expected one fault"));
}

#[test]
fn parameters_out_of_range_are_named() {
    for (written, parameter) in [
        (json!({ "base_fallback": { "theta": 1.0 } }), "theta"),
        (json!({ "softmax_scale": { "ratio": 0.0 } }), "ratio"),
        (json!({ "alibi_scale": { "ratio": -1.0 } }), "ratio"),
        (json!({ "table_wraps": { "rows": 0 } }), "rows"),
        (json!({ "window_forced": { "keys": 0 } }), "keys"),
        (json!({ "evicted_first_tokens": { "tokens": 0 } }), "tokens"),
        (json!({ "evicted_first_tokens": { "limit": 0 } }), "limit"),
        (json!({ "quantised_cache": { "bits": 1 } }), "bits"),
        (json!({ "host_sync": { "microseconds": 1_000_001 } }), "microseconds"),
        (json!({ "alibi_slopes_by_rank": { "ranks": 0 } }), "ranks"),
        (json!({ "t5_saturates_early": { "ratio": 0 } }), "ratio"),
        (json!({ "left_over_keys": { "tokens": 0 } }), "tokens"),
        (json!({ "decode_offset_by_one": { "tokens": 0 } }), "tokens"),
    ] {
        let fault: AnyFault = serde_json::from_value(written.clone()).unwrap();
        let error = Injected::new(setting("linear", 4.0), &[fault]).unwrap_err();
        assert!(matches!(error, FaultError::Parameter { name, .. } if name == parameter), "{written}: {error}");
    }
}

#[test]
fn a_fault_applies_where_it_can_bite() {
    for (name, method, applies) in [
        ("stale_keys", "dynamic", true),
        ("stale_keys", "ntk", false),
        ("sticky_base", "dynamic_step", true),
        ("sticky_base", "linear", false),
        ("attention_factor_squared", "yarn", true),
        ("attention_factor_squared", "ntk", false),
        ("attention_factor_on_queries", "linear", false),
        ("exponent_one", "ntk", true),
        ("exponent_one", "linear", false),
        ("trained_length_mistaken", "yarn", true),
        ("trained_length_mistaken", "linear", false),
        ("factor_doubled", "linear", true),
        ("factor_doubled", "none", false),
        ("table_clamps", "linear", true),
        ("table_clamps", "alibi", false),
        ("bias_ignored", "alibi", true),
        ("bias_ignored", "yarn", false),
        ("alibi_slopes_naive", "alibi", true),
        ("t5_bidirectional", "t5", true),
        ("t5_bidirectional", "alibi", false),
        ("padding_seen", "nope", true),
        ("base_fallback", "linear", false),
        ("window_ignored", "linear", false),
    ] {
        let setting = setting(method, 4.0);
        assert_eq!(fault(name).applies(&setting), applies, "{name} under {method}");
    }
    let powers = Setting { heads: HeadShape { heads: 8, ..setting("alibi", 1.0).heads }, ..setting("alibi", 1.0) };
    assert!(!fault("alibi_slopes_naive").applies(&powers), "8 heads have the plain series");
    let windowed = Setting { window: Some(512), ..setting("none", 1.0) };
    assert!(fault("window_ignored").applies(&windowed) && fault("window_off_by_one").applies(&windowed));
    let theta = Setting { heads: HeadShape { theta: 5e5, ..windowed.heads.clone() }, ..windowed };
    assert!(fault("base_fallback").applies(&theta));
}

/// Rows of the unscaled table can stand beside the engine's own, whatever else is wrong with it.
#[test]
fn mixed_tables_have_rows_of_one_width_under_any_two_faults() {
    let all: Vec<AnyFault> = AnyFault::all().collect();
    let mut mixing = 0;
    for method in
        ["yarn", "dynamic", "longrope", "ntk", "partial", "half_split", "interleaved", "xpos", "self_extend", "none"]
    {
        let setting = setting(method, if method == "none" { 1.0 } else { 4.0 });
        let able: Vec<&AnyFault> = all.iter().filter(|fault| fault.applies(&setting)).collect();
        for (index, first) in able.iter().enumerate() {
            for second in &able[index + 1..] {
                let Ok(engine) = Injected::new(setting.clone(), &[(*first).clone(), (*second).clone()]) else {
                    continue;
                };
                let table = &engine.execution().table;
                if table.scaled_from == 0 && table.beyond != Beyond::RegrowUnscaled {
                    continue;
                }
                let (own, unscaled) = (engine.mechanism(Tokens(8192)).unwrap(), engine.unscaled().unwrap());
                let width = |mechanism: &Mechanism| {
                    mechanism.rotation().map(|own| (own.inverse_frequencies.len(), own.pairing))
                };
                assert_eq!(width(&own), width(&unscaled), "{} and {} under {method}", first.label(), second.label());
                mixing += 1;
            }
        }
    }
    assert!(mixing > 100, "{mixing} pairs mix tables");
}

/// Against numbers that were written down elsewhere: `4^(62/64)`, the published slopes, T5's buckets by transformers.
#[test]
fn formulas_are_wrong_in_the_way_that_they_say() {
    let plain = inverse_frequencies(1e4, 64);
    let exponent = frequencies(&mechanism("ntk", 4.0, "exponent_one", 8192));
    assert!((plain[31] / exponent[31] - 3.830_413).abs() < 1e-6, "{}", plain[31] / exponent[31]);
    assert_eq!(frequencies(&mechanism("yarn", 4.0, "scaling_ignored", 8192)), plain);
    let eighth: Vec<f64> = plain.iter().map(|f| f / 8.0).collect();
    assert_close(&frequencies(&mechanism("linear", 4.0, "factor_doubled", 8192)), &eighth);
    let half: Vec<f64> = plain.iter().map(|f| f / 2.0).collect();
    assert_close(&frequencies(&mechanism("linear", 4.0, "factor_halved", 8192)), &half);
    let fast: Vec<f64> = plain.iter().map(|f| f / 2.0).collect();
    assert_close(&frequencies(&mechanism("linear", 4.0, "positions_doubled", 8192)), &fast);
    let by_width: Vec<f64> = (0..16).map(|i| 1e4_f64.powf(-2.0 * f64::from(i) / 64.0)).collect();
    assert_close(&frequencies(&mechanism("partial", 1.0, "head_dim_for_rotary_dim", 8192)), &by_width);
    assert_eq!(frequencies(&mechanism("partial", 1.0, "full_rotation", 8192)).len(), 32);
    assert_eq!(frequencies(&mechanism("linear", 4.0, "rotary_share_lost", 8192)).len(), 16);

    let factor = |name| mechanism("yarn", 4.0, name, 8192).rotation().unwrap().attention_factor;
    let published = 0.1 * 4.0_f64.ln() + 1.0;
    assert_eq!(factor("attention_factor_absent"), 1.0);
    assert!((factor("attention_factor_squared") - published * published).abs() < 1e-12);

    let slopes = |name| match mechanism("alibi", 1.0, name, 2048) {
        Mechanism::Bias(Bias::Linear { slopes }) => slopes,
        other => panic!("{other:?}"),
    };
    let naive: Vec<f64> = (1..=12).map(|h| 2_f64.powf(-8.0 * f64::from(h) / 12.0)).collect();
    assert_close(&slopes("alibi_slopes_naive"), &naive);
    let six = [0.25, 0.0625, 0.015_625, 0.003_906_25, 0.5, 0.125];
    assert_close(&slopes("alibi_slopes_by_rank"), &[six, six].concat());
    let healthy = slopes("alibi_interleaved_slopes");
    assert_close(&slopes("alibi_sign"), &healthy.iter().map(|m| -m).collect::<Vec<_>>());
    assert_close(&slopes("alibi_scale"), &healthy.iter().map(|m| 2.0 * m).collect::<Vec<_>>());

    let buckets = |name| match mechanism("t5", 1.0, name, 2048) {
        Mechanism::Bias(Bias::Learned(buckets)) => buckets,
        other => panic!("{other:?}"),
    };
    for distance in 0..300 {
        let bidirectional = Buckets::bidirectional(-(distance as i64), 32, 128);
        assert_eq!(buckets("t5_bidirectional").of(distance), bidirectional, "{distance}");
    }
    assert_eq!(buckets("t5_saturates_early").of(32), 31);
}

#[test]
fn several_faults_add_up_in_one_engine() {
    let both = [fault("table_wraps"), fault("decode_offset_ignored"), fault("attention_factor_squared")];
    let injected = Injected::new(setting("yarn", 4.0), &both).unwrap();
    let execution: &Execution = injected.execution();
    assert_eq!(execution.table.rows, Some(2048));
    assert!(execution.offsets.decode_ignored && !execution.is_healthy());
    assert!(injected.mechanism(Tokens(8192)).unwrap().rotation().unwrap().attention_factor > 1.29);
    // The target length by the factor as the engine believes it.
    let doubled = Injected::new(setting("yarn", 4.0), &[fault("factor_doubled"), fault("trained_length_mistaken")]);
    assert_eq!(doubled.unwrap().setting().heads.trained, Tokens(16_384));
}

#[test]
fn a_condition_is_part_of_the_cell_and_a_healthy_cell_is_what_it_was() {
    let healthy = Cell::grid(AnyMethod::named("yarn").unwrap(), Stretch(4.0));
    assert_eq!(healthy.condition(), "healthy");
    assert!(!serde_json::to_string(&healthy).unwrap().contains("faults"), "older readers know no faults");
    let wraps = serde_json::from_value(json!({ "table_wraps": { "rows": 512 } })).unwrap();
    let faulty = healthy.clone().under(vec![wraps, fault("sticky_base")]);
    assert_eq!(faulty.condition(), "table_wraps (rows 512)+sticky_base");
    assert_eq!(faulty.label(), "yarn x4 under table_wraps (rows 512)+sticky_base");
    assert_ne!(faulty.id(), healthy.id());
    assert_ne!(faulty.latency().id(), healthy.latency().id());
    assert_eq!(serde_json::from_str::<Cell>(&serde_json::to_string(&faulty).unwrap()).unwrap(), faulty);
    assert_eq!(faulty.under(vec![]), healthy);
}
