//! Identification on a scripted engine whose answers are known: what it names, how wide its intervals are, what it refuses.

#[cfg(feature = "libtorch")]
mod engines;
#[cfg(feature = "libtorch")]
mod llamas;
mod toy;

use gyro::identify::{
    Attention, Candidate, Configuration, Identification, Question, Recovered, Verdict, Weights, identify,
};
use gyro::observed::Observation;
use gyro::positions::{AnyMethod, Bias, Buckets, Mechanism};
use gyro::stats::random::Random;
use gyro::units::{Seconds, Stretch, Tokens};
use toy::{Toy, prompts};

fn candidate(method: &str, factor: f64) -> Candidate {
    Candidate::healthy(AnyMethod::named(method).unwrap(), Stretch(factor))
}

/// A configuration at each length of a request.
fn running(toy: &Toy, candidate: &Candidate) -> impl Fn(usize) -> Configuration {
    use gyro::identify::Oracle;
    let injected = candidate.injected(toy.heads()).unwrap();
    move |length| Configuration {
        mechanism: injected.mechanism(Tokens(length)).unwrap(),
        learned: None,
        temperature: 1.0,
    }
}

fn ask(toy: &Toy, observations: &[Observation], declared: Candidate) -> Identification {
    identify(&mut toy.clone(), &Question { observations, declared, budget: None }).unwrap()
}

/// The two noises of the field: single precision, and bfloat16.
const NOISES: [(f64, &str); 2] = [(1e-4, "float32"), (2e-2, "bfloat16")];

const METHODS: [&str; 9] =
    ["none", "linear", "ntk", "yarn", "yarn_paper", "dynamic", "dynamic_vllm", "llama3", "longrope"];

#[test]
fn every_method_and_factor_is_identified() {
    let toy = Toy::new(1, "rope", None);
    let prompts = prompts(2);
    for (noise, dtype) in NOISES {
        for (seed, method) in METHODS.iter().enumerate() {
            for factor in [2.0, 4.0, 8.0, 16.0] {
                let truth = candidate(method, if *method == "none" { 1.0 } else { factor });
                let observed = toy.observe(&running(&toy, &truth), &prompts, noise, dtype, seed as u64);
                let found = ask(&toy, &observed, candidate("linear", 3.0));
                let matched = found.matched.as_ref().unwrap_or_else(|| panic!("{}: {}", truth.label(), found.sentence));
                let name = match &matched.fault {
                    None => candidate(&matched.method, matched.factor).label(),
                    Some(fault) => format!("linear x3 under {fault}"),
                };
                // At the noise of bfloat16 neighbours may be the same; at that of single precision none is.
                assert!(
                    name == truth.label() || matched.also.contains(&truth.label()),
                    "{} at {noise}: {}, also {:?}",
                    truth.label(),
                    found.sentence,
                    matched.also
                );
                assert_eq!(found.verdict, Verdict::Other);
            }
        }
    }
}

#[test]
fn two_hundred_engines_that_run_what_was_declared_are_never_called_otherwise() {
    let mut random = Random::new(7);
    for case in 0..200 {
        let toy = Toy::new(100 + case, "rope", None);
        let method = METHODS[random.below(METHODS.len())];
        let factor = if method == "none" { 1.0 } else { [2.0, 3.0, 4.0, 7.0, 8.0, 16.0][random.below(6)] };
        let declared = candidate(method, factor);
        let (noise, dtype) = NOISES[case as usize % 2];
        let observed = toy.observe(&running(&toy, &declared), &prompts(case), noise, dtype, case);
        let found = ask(&toy, &observed, declared.clone());
        assert_eq!(found.verdict, Verdict::AsDeclared, "{case}, {}: {}", declared.label(), found.sentence);
        assert!(found.declared.agrees && found.anomalies.is_empty());
    }
}

#[test]
fn without_time_the_declared_configuration_is_judged_all_the_same() {
    let toy = Toy::new(61, "rope", None);
    let declared = candidate("yarn", 4.0);
    let ask = |truth: &Candidate| {
        let observations = toy.observe(&running(&toy, truth), &prompts(9), 1e-4, "float32", 4);
        let budget = Some(Seconds(0.0));
        let question = Question { observations: &observations, declared: declared.clone(), budget };
        identify(&mut toy.clone(), &question).unwrap()
    };
    let found = ask(&declared);
    assert!(found.cut_short && found.verdict == Verdict::AsDeclared, "{}", found.sentence);
    assert!(found.sentence.contains("only the first 8 tokens were compared, as the time was up"), "{}", found.sentence);
    let found = ask(&candidate("linear", 4.0));
    assert!(found.cut_short && !found.declared.agrees && found.verdict != Verdict::AsDeclared, "{}", found.sentence);
}

/// A spectrum that is in no catalogue.
fn strange(toy: &Toy, random: &mut Random) -> (Configuration, Vec<f64>, f64) {
    let configuration = running(toy, &candidate("none", 1.0))(8);
    let Mechanism::Rotate(mut rotation) = configuration.mechanism else { unreachable!() };
    for frequency in &mut rotation.inverse_frequencies {
        *frequency *= (0.4 * random.normal()).exp();
    }
    rotation.attention_factor = (0.1 * random.normal()).exp();
    let truth = (rotation.inverse_frequencies.clone(), rotation.attention_factor);
    (Configuration { mechanism: Mechanism::Rotate(rotation), learned: None, temperature: 1.0 }, truth.0, truth.1)
}

#[test]
fn intervals_cover_the_truth_as_often_as_they_say() {
    for (noise, dtype) in NOISES {
        let (mut stated, mut covered, mut fits) = (0, 0, 0);
        let mut random = Random::new(11);
        for case in 0..200 {
            let toy = Toy::new(500 + case, "rope", None);
            let (truth, frequencies, factor) = strange(&toy, &mut random);
            let observed = toy.observe(&|_| truth.clone(), &prompts(case), noise, dtype, case);
            let found = ask(&toy, &observed, candidate("none", 1.0));
            assert_ne!(found.verdict, Verdict::AsDeclared, "{case}: {}", found.sentence);
            let Some(Recovered { inverse_frequencies, attention_factor, .. }) = found.recovered else { continue };
            fits += 1;
            let intervals = inverse_frequencies.iter().copied().chain(attention_factor);
            for (interval, truth) in intervals.zip(frequencies.into_iter().chain([factor])) {
                let (Some(point), Some(low), Some(high)) = (interval.point, interval.low, interval.high) else {
                    continue;
                };
                stated += 1;
                covered += usize::from(low <= truth && truth <= high);
                assert!((point / truth - 1.0).abs() < 0.02, "{case} at {noise}: {point} for {truth}");
            }
        }
        let coverage = f64::from(covered as u32) / f64::from(stated);
        println!("noise {noise}: {fits} of 200 recovered, {stated} intervals stated, {coverage:.4} cover the truth");
        assert!(fits >= 190, "{fits} of 200 recovered at {noise}");
        assert!((0.93..=0.97).contains(&coverage), "{coverage} of {stated} at {noise}");
    }
}

#[test]
fn slopes_buckets_and_a_temperature_are_recovered() {
    let toy = Toy::new(21, "alibi", None);
    let mechanism = Mechanism::Bias(Bias::Linear { slopes: vec![0.11, 0.031] });
    let truth = Configuration { mechanism, learned: None, temperature: 1.3 };
    let observed = toy.observe(&|_| truth.clone(), &prompts(3), 1e-4, "float32", 4);
    let found = ask(&toy, &observed, candidate("none", 1.0));
    let recovered = found.recovered.as_ref().unwrap_or_else(|| panic!("{}", found.sentence));
    for (interval, truth) in recovered.slopes.iter().chain(&recovered.temperature).zip([0.11, 0.031, 1.3]) {
        let point = interval.point.unwrap();
        assert!((point / truth - 1.0).abs() < 0.01, "{point} for {truth}");
    }

    let learned: Vec<f64> = (0..64).map(|i| -0.1 * f64::from(i / 2) + 0.05 * f64::from(i % 2)).collect();
    let toy = Toy::new(22, "t5", Some(learned.clone()));
    let buckets = Buckets::Logarithmic { count: 32, max_distance: 128, stretch: 1.0 };
    let mut changed = learned;
    changed[10] += 0.4;
    let truth = Configuration {
        mechanism: Mechanism::Bias(Bias::Learned(buckets)),
        learned: Some(changed.clone()),
        temperature: 1.0,
    };
    let observed = toy.observe(&|_| truth.clone(), &prompts(5), 1e-4, "float32", 6);
    let found = ask(&toy, &observed, candidate("none", 1.0));
    let recovered = found.recovered.as_ref().unwrap_or_else(|| panic!("{}", found.sentence));
    // The first bucket's two values stay: the tensor's eleventh value is the ninth recovered.
    let point = recovered.values[8].point.unwrap();
    assert!((point - changed[10]).abs() < 0.02, "{point} for {}", changed[10]);
}

#[test]
fn a_factor_of_no_list_and_a_base_are_named() {
    let toy = Toy::new(31, "rope", None);
    let truth = candidate("yarn", 5.3);
    let observed = toy.observe(&running(&toy, &truth), &prompts(3), 1e-4, "float32", 4);
    let found = ask(&toy, &observed, candidate("yarn", 4.0));
    let nearest = found.recovered.as_ref().and_then(|recovered| recovered.nearest.as_ref()).unwrap();
    assert!((nearest.factor / 5.3 - 1.0).abs() < 0.01, "{nearest:?}");
    assert!(matches!(nearest.attention, Attention::Own), "{nearest:?}");
    assert_eq!(found.verdict, Verdict::Other);
    assert_eq!(found.exit_code(), 1);
}

#[test]
fn other_weights_are_no_positions() {
    let toy = Toy::new(41, "rope", None);
    let declared = candidate("yarn", 4.0);
    let run = running(&toy, &declared);
    for (engine, dtype, expected) in [
        (Toy::new(42, "rope", None), "float32", Weights::Other),
        (Toy::new(42, "rope", None), "bfloat16", Weights::Other),
        (toy.disturbed(0.02, 1), "float32", Weights::Close),
    ] {
        let observed = engine.observe(&run, &prompts(9), 1e-4, dtype, 4);
        let found = ask(&toy, &observed, declared.clone());
        assert_eq!((found.weights.weights, found.verdict, found.exit_code()), (expected, Verdict::Unknown, 2));
        assert!(found.sentence.contains("weights differ, not the positions"), "{}", found.sentence);
        assert!(found.matched.is_none() && found.recovered.is_none());
    }
}

#[test]
fn values_beside_the_wrong_tokens_are_no_positions() {
    let toy = Toy::new(51, "rope", None);
    let declared = candidate("linear", 4.0);
    let sound = toy.observe(&running(&toy, &declared), &prompts(9), 1e-4, "float32", 4);
    // The values of each request beside the tokens of the next one of its length.
    let mut reordered = sound.clone();
    for (index, observation) in reordered.iter_mut().enumerate() {
        let other = (1..sound.len()).map(|step| &sound[(index + step) % sound.len()]);
        if let Some(next) = other.into_iter().find(|other| other.tokens.len() == observation.tokens.len()) {
            observation.logprobs = next.logprobs.clone();
        }
    }
    let found = ask(&toy, &reordered, declared.clone());
    assert_eq!((found.weights.weights, found.verdict), (Weights::Misplaced, Verdict::Unknown), "{}", found.sentence);
    let mut shifted = sound;
    for observation in &mut shifted {
        let last = observation.logprobs.len() - 1;
        observation.logprobs[1..].rotate_left(1);
        observation.logprobs[last] = Some(-3.0);
    }
    let found = ask(&toy, &shifted, declared);
    assert_eq!((found.weights.weights, found.verdict), (Weights::Misplaced, Verdict::Unknown), "{}", found.sentence);
}
