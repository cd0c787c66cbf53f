//! Identification of the replay itself on real checkpoints, with the noise of an engine: tiny Llamas with random weights, and
//! the trained reference model.

use std::path::Path;
use std::time::Instant;

use gyro::faults::AnyFault;
use gyro::identify::{
    Candidate, Configuration, Hypothesis, Identification, Oracle, Prompt, Question, Recovered, Verdict, identify,
};
use gyro::observed::{Observation, Phase, Precision};
use gyro::positions::{AnyMethod, Mechanism};
use gyro::replay::{Checkpoint, Examined};
use gyro::stats::random::Random;
use gyro::units::Tokens;
use tch::Device;

use super::{METHODS, NOISES, candidate};

/// Checkpoints with random weights: two layers, 4 and 8 pairs, grouped and plain heads, in the dialects of several years.
const TINY: [&str; 4] = ["default_tied_f32", "linear_gqa_old_form", "wide_heads", "yarn_new_form"];

/// A checkpoint as an engine: what it answers, and noise.
struct Engine {
    oracle: Examined,
    vocabulary: usize,
    dtype: &'static str,
    noise: f64,
}

impl Engine {
    fn new(checkpoint: &Path, (noise, dtype): (f64, &'static str)) -> Self {
        let checkpoint = Checkpoint::load(checkpoint, Device::Cpu).unwrap();
        let vocabulary = checkpoint.config.architecture.vocabulary;
        let precision = if dtype == "bfloat16" { Precision::Bfloat16 } else { Precision::Float32 };
        let oracle = Examined::new(&checkpoint, Some(precision)).unwrap();
        Self { oracle, vocabulary, dtype, noise }
    }

    /// Random prompts: many short ones, a few beyond 64 tokens and one of `longest`.
    fn prompts(&self, longest: usize, random: &mut Random) -> Vec<Vec<u32>> {
        [(8, 40), (16, 16), (40, 8), (100, 3), (longest, 1)]
            .into_iter()
            .flat_map(|(length, count)| vec![length; count])
            .map(|length: usize| (0..length).map(|_| random.below(self.vocabulary) as u32).collect())
            .collect()
    }

    fn observe(&mut self, running: Hypothesis<'_>, longest: usize, seed: u64) -> Vec<Observation> {
        let mut random = Random::new(seed);
        let prompts = self.prompts(longest, &mut random);
        let asked: Vec<Prompt<'_>> = prompts
            .iter()
            .map(|tokens| Prompt { tokens, upto: tokens.len(), phase: Phase::Prefill, batch: None })
            .collect();
        let answers = self.oracle.score(running, &asked).unwrap();
        let noisy = |value: f64, random: &mut Random| Some((value + self.noise * random.normal()) as f32);
        prompts
            .iter()
            .zip(answers)
            .map(|(tokens, answers)| Observation {
                tokens: tokens.clone(),
                logprobs: std::iter::once(None)
                    .chain(answers.into_iter().map(|value| noisy(value, &mut random)))
                    .collect(),
                phase: Some(Phase::Prefill),
                batch: None,
                dtype: Some(self.dtype.to_owned()),
            })
            .collect()
    }

    fn ask(&mut self, observations: &[Observation], declared: Candidate) -> Identification {
        identify(&mut self.oracle, &Question { observations, declared, budget: None }).unwrap()
    }

    /// Whether a candidate is named; where it is not, what was said.
    fn names(&mut self, truth: &Candidate, longest: usize, seed: u64) -> Result<(), String> {
        let observed = self.observe(Hypothesis::Named(truth), longest, seed);
        let found = self.ask(&observed, candidate("linear", 3.0));
        let wrong = || Err(format!("{} at {}: {}", truth.label(), self.noise, found.sentence));
        let Some(matched) = found.matched.as_ref() else { return wrong() };
        let name = match &matched.fault {
            None => candidate(&matched.method, matched.factor).label(),
            Some(fault) => format!("linear x3 under {fault}"),
        };
        let named = name == truth.label() || matched.also.contains(&truth.label());
        if named && found.verdict == Verdict::Other { Ok(()) } else { wrong() }
    }

    /// A spectrum that is in no catalogue: each pair's frequency and the attention factor by something of its own.
    fn strange(&self, random: &mut Random) -> (Configuration, Vec<f64>) {
        let unscaled = candidate("none", 1.0).injected(self.oracle.heads()).unwrap();
        let Mechanism::Rotate(mut rotation) = unscaled.mechanism(Tokens(8)).unwrap() else { unreachable!() };
        for frequency in &mut rotation.inverse_frequencies {
            *frequency *= (0.4 * random.normal()).exp();
        }
        rotation.attention_factor = (0.1 * random.normal()).exp();
        let truth = rotation.inverse_frequencies.iter().copied().chain([rotation.attention_factor]).collect();
        (Configuration { mechanism: Mechanism::Rotate(rotation), learned: None, temperature: 1.0 }, truth)
    }
}

/// What two hundred recoveries, say, came to.
#[derive(Debug, Default)]
struct Tally {
    cases: u32,
    recovered: u32,
    stated: u32,
    covered: u32,
    /// The worst relative error of a number with an interval.
    worst: f64,
}

impl Tally {
    fn coverage(&self) -> f64 {
        f64::from(self.covered) / f64::from(self.stated)
    }

    fn add(&mut self, engine: &mut Engine, longest: usize, case: u64, random: &mut Random) {
        let (truth, numbers) = engine.strange(random);
        let observed = engine.observe(Hypothesis::Numbers(&truth), longest, case);
        let found = engine.ask(&observed, candidate("none", 1.0));
        assert_ne!(found.verdict, Verdict::AsDeclared, "{case}: {}", found.sentence);
        self.cases += 1;
        let Some(Recovered { inverse_frequencies, attention_factor, .. }) = found.recovered else { return };
        self.recovered += 1;
        for (interval, truth) in inverse_frequencies.iter().copied().chain(attention_factor).zip(numbers) {
            let (Some(point), Some(low), Some(high)) = (interval.point, interval.low, interval.high) else { continue };
            self.stated += 1;
            self.covered += u32::from(low <= truth && truth <= high);
            self.worst = self.worst.max((point / truth - 1.0).abs());
        }
    }
}

/// The factors that a method is tried at.
fn factors(method: &str) -> &'static [f64] {
    if method == "none" { &[1.0] } else { &[2.0, 4.0, 8.0, 16.0] }
}

/// Every method at every factor on the engines of some folders in turn; nothing may be named otherwise.
fn all_are_named(engine: impl Fn(usize) -> Engine, longest: usize) {
    let mut wrong = Vec::new();
    for (seed, method) in METHODS.iter().enumerate() {
        let mut engine = engine(seed);
        for factor in factors(method) {
            let clock = Instant::now();
            wrong.extend(engine.names(&candidate(method, *factor), longest, seed as u64).err());
            println!(
                "{method} x{factor} at {}: {:.1} s, {} wrong",
                engine.noise,
                clock.elapsed().as_secs_f64(),
                wrong.len()
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// So many spectra of no catalogue, on engines in turn.
fn recovered(engine: impl Fn(usize) -> Engine, longest: usize, cases: usize) -> Tally {
    let (mut tally, mut random) = (Tally::default(), Random::new(13));
    for case in 0..cases {
        let clock = Instant::now();
        tally.add(&mut engine(case), longest, case as u64, &mut random);
        println!("{case}: {:.1} s, {tally:?}", clock.elapsed().as_secs_f64());
    }
    println!("{tally:?}, {:.4} cover", tally.coverage());
    tally
}

fn tiny(noise: (f64, &'static str)) -> impl Fn(usize) -> Engine {
    move |case| Engine::new(&Path::new("tests/fixtures/llama").join(TINY[case % TINY.len()]), noise)
}

fn reference(noise: (f64, &'static str)) -> impl Fn(usize) -> Engine {
    move |_| Engine::new(Path::new("models/reference/rope-2k"), noise)
}

#[test]
fn every_method_and_factor_is_identified_on_tiny_llamas() {
    for noise in NOISES {
        all_are_named(tiny(noise), 256);
    }
}

#[test]
fn what_is_lost_or_left_over_of_the_context_is_not_taken_for_other_weights() {
    let left_over = serde_json::json!({ "left_over_keys": { "tokens": 4 } });
    let faults = [serde_json::from_value(left_over).ok(), AnyFault::named("missing_bos")];
    for fault in faults.into_iter().map(Option::unwrap) {
        let mut engine = tiny(NOISES[0])(0);
        let declared = candidate("linear", 3.0);
        let truth = declared.under(fault);
        // Behind a single token, where the weights are checked, it differs by far more than single precision rounds.
        let mut first = |running: &Candidate| -> Vec<f64> {
            let observed = engine.observe(Hypothesis::Named(running), 256, 5);
            observed.iter().filter_map(|request| request.at(1)).collect()
        };
        let (healthy, faulty) = (first(&declared), first(&truth));
        assert!(healthy.iter().zip(&faulty).any(|(a, b)| (a - b).abs() > 1e-2), "{}", truth.label());
        engine.names(&truth, 256, 5).unwrap();
    }
}

#[test]
fn the_parameters_of_a_method_are_identified_with_it() {
    let method = |beta: f64| serde_json::from_value(serde_json::json!({ "yarn": { "beta_fast": beta } })).unwrap();
    let own = |beta, factor| Candidate::healthy(method(beta), gyro::units::Stretch(factor));
    let mut engine = tiny(NOISES[0])(2);
    for (runs, declared, beta) in [
        // The parameter is ignored.
        (candidate("yarn", 4.0), own(3.0, 4.0), None),
        // It is not, and the factor is another one.
        (own(3.0, 2.0), own(3.0, 4.0), Some(3.0)),
    ] {
        let observed = engine.observe(Hypothesis::Named(&runs), 256, 9);
        let found = engine.ask(&observed, declared);
        let matched = found.matched.unwrap_or_else(|| panic!("{}", found.sentence));
        let wanted = beta.map_or_else(|| AnyMethod::named("yarn").unwrap(), method);
        assert_eq!((matched.runs, found.verdict), (wanted, Verdict::Other), "{}", found.sentence);
    }
}

#[test]
fn spectra_of_no_catalogue_are_recovered_on_tiny_llamas() {
    for noise in NOISES {
        let tally = recovered(tiny(noise), 256, 6);
        assert!(tally.recovered >= 5 && tally.worst < 0.02, "{noise:?}: {tally:?}");
    }
}

#[test]
#[ignore = "takes a quarter of an hour; `spectra_of_no_catalogue_are_recovered_on_tiny_llamas` is its short form"]
fn two_hundred_spectra_are_covered_on_tiny_llamas() {
    for noise in NOISES {
        let tally = recovered(tiny(noise), 256, 200);
        assert!(tally.recovered >= 190 && tally.worst < 0.02, "{noise:?}: {tally:?}");
        assert!((0.93..=0.97).contains(&tally.coverage()), "{noise:?}: {tally:?}");
    }
}

#[test]
#[ignore = "takes an hour of a shared core: sixteen pairs, and requests beyond 2,048 tokens"]
fn every_method_and_factor_is_identified_on_the_reference_model() {
    for noise in NOISES {
        all_are_named(reference(noise), 2_560);
    }
}

#[test]
#[ignore = "takes long: two hundred spectra of sixteen pairs"]
fn two_hundred_spectra_are_covered_on_the_reference_model() {
    for noise in NOISES {
        let tally = recovered(reference(noise), 512, 200);
        assert!((0.93..=0.97).contains(&tally.coverage()), "{noise:?}: {tally:?}");
    }
}
