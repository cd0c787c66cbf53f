//! Settings to paste: what engines would make of them is what the cell is.

use gyro::checkpoint::Config;
use gyro::measurement::Cell;
use gyro::memo::{Setting, patched, settings};
use gyro::positions::{AnyMethod, Mechanism, Method, Rotation};
use gyro::units::{Stretch, Tokens};
use serde_json::{Value, json};

/// Checkpoints of three shapes: the reference model, a wide head with another base, and one that is scaled already.
fn configs() -> Vec<String> {
    let config = |head_dim: usize, rope: Value| {
        json!({
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 64, "hidden_size": 128,
            "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "head_dim": head_dim,
            "max_position_embeddings": 4096, "rope_parameters": rope,
        })
        .to_string()
    };
    vec![
        std::fs::read_to_string("models/reference/rope-2k/config.json").unwrap(),
        config(64, json!({ "rope_type": "default", "rope_theta": 500_000.0 })),
        config(128, json!({ "rope_type": "linear", "rope_theta": 10_000.0, "factor": 2.0 })),
    ]
}

fn rotation(config: &Config, method: &AnyMethod, factor: Stretch, length: Tokens) -> Rotation {
    match method.mechanism(&config.heads, factor, length).unwrap() {
        Mechanism::Rotate(rotation) => rotation,
        other => panic!("{other:?} is no rotation"),
    }
}

fn same(a: &Rotation, b: &Rotation, what: &str) {
    assert_eq!(a.inverse_frequencies.len(), b.inverse_frequencies.len(), "{what}");
    let near = |x: f64, y: f64| (x - y).abs() <= 1e-9 * x.abs();
    let pairs = a.inverse_frequencies.iter().zip(&b.inverse_frequencies);
    assert!(pairs.clone().all(|(x, y)| near(*x, *y)), "{what}: {:?}", pairs.collect::<Vec<_>>());
    assert!(near(a.attention_factor, b.attention_factor), "{what}: {} {}", a.attention_factor, b.attention_factor);
}

/// What the checkpoint reader makes of a configuration with these keys.
fn read(config_text: &str, patch: &Value) -> Config {
    Config::parse(&patched(config_text, patch).unwrap()).unwrap()
}

/// The keys inside of vLLM's command line.
fn overrides(command: &str) -> Value {
    let (_, rest) = command.split_once("--hf-overrides '").unwrap();
    serde_json::from_str(rest.strip_suffix('\'').unwrap()).unwrap()
}

/// llama.cpp's own arithmetic (`ggml_rope_yarn_corr_dims`, `rope_yarn`): frequencies and the factor on cosine and sine.
fn llama_cpp(command: &str, pairs: usize) -> Rotation {
    let words: Vec<&str> = command.split_whitespace().collect();
    let flag = |name: &str| {
        let at = words.iter().position(|word| *word == name)?;
        words.get(at + 1).copied()
    };
    let number = |name: &str| flag(name).map(|word| word.parse::<f64>().unwrap());
    let (base, scale) = (number("--rope-freq-base").unwrap(), number("--rope-scale").unwrap_or(1.0));
    let d = 2.0 * pairs as f64;
    let yarn = flag("--rope-scaling") == Some("yarn");
    let original = number("--yarn-orig-ctx").unwrap_or(1.0);
    let dimension = |turns: f64| d * (original / (turns * 2.0 * std::f64::consts::PI)).ln() / (2.0 * base.ln());
    let low = dimension(number("--yarn-beta-fast").unwrap_or(32.0)).floor().max(0.0);
    let high = dimension(number("--yarn-beta-slow").unwrap_or(1.0)).ceil().min(d - 1.0);
    let frequency = |i: usize| {
        let f = base.powf(-2.0 * i as f64 / d);
        if !yarn {
            return f / scale;
        }
        let ramp = 1.0 - ((i as f64 - low) / (high - low).max(0.001)).clamp(0.0, 1.0);
        f / scale * (1.0 - ramp) + f * ramp
    };
    let temperature = if yarn { 1.0 + 0.1 * scale.ln() } else { 1.0 };
    let attention = number("--yarn-attn-factor").unwrap_or(1.0) * temperature;
    let frequencies = (0..pairs).map(frequency).collect();
    Rotation { attention_factor: attention, ..Rotation::plain(frequencies, gyro::positions::Pairing::HalfSplit) }
}

/// Methods with their usual and with other parameters.
fn methods() -> Vec<AnyMethod> {
    let more = [
        json!({ "rope": { "theta": 43_873.0 } }),
        json!({ "yarn": { "beta_fast": 16.0, "beta_slow": 2.0 } }),
        json!({ "yarn": { "attention_factor": 1.0 } }),
        json!({ "yarn": { "mscale": 0.7, "mscale_all_dim": 1.0 } }),
        json!({ "yarn": { "truncate": false } }),
        json!({ "llama3": { "low_freq_factor": 2.0, "high_freq_factor": 8.0 } }),
    ];
    let usual = AnyMethod::NAMES.iter().map(|name| AnyMethod::named(name).unwrap());
    usual.chain(more.map(|method| serde_json::from_value(method).unwrap())).collect()
}

#[test]
fn what_is_pasted_reads_back_as_the_cell() {
    let mut pasted = std::collections::BTreeSet::new();
    for text in configs() {
        let config = Config::parse(&text).unwrap();
        let target = Tokens(config.heads.trained.0 * 4);
        for method in methods() {
            let cell = Cell::grid(method.clone(), Stretch(4.0));
            let settings = settings(&text, &cell, target);
            let what = format!("{} on {}", cell.label(), config.heads.head_dim);
            let Some(keys) = settings.transformers.pasted() else { continue };
            pasted.insert(method.label());
            assert!(settings.residual.unwrap() <= 1e-9, "{what}: {:?}", settings.residual);
            let keys: Value = serde_json::from_str(keys).unwrap();
            let got = read(&text, &keys);
            for length in [config.heads.trained, target] {
                let wanted = rotation(&config, &cell.method, cell.factor, length);
                same(&wanted, &rotation(&got, &got.declared.0, got.declared.1, length), &what);
            }
            let wanted = rotation(&config, &cell.method, cell.factor, target);
            if let Setting::Paste(command) = &settings.vllm {
                let got = read(&text, &overrides(command));
                same(&wanted, &rotation(&got, &got.declared.0, got.declared.1, target), &format!("{what}, vLLM"));
                assert!(command.contains(&format!("--max-model-len {} ", target.0)), "{command}");
            }
            if let Setting::Paste(command) = &settings.llama_cpp {
                same(&wanted, &llama_cpp(command, wanted.inverse_frequencies.len()), &format!("{what}: {command}"));
            }
        }
    }
    for name in [
        "none",
        "rope",
        "linear",
        "ntk",
        "yarn",
        "by_parts",
        "yarn_paper",
        "llama3",
        "longrope",
        "dynamic",
        "dynamic_vllm",
    ] {
        assert!(pasted.contains(name), "{name} cannot be pasted: {pasted:?}");
    }
}

/// llama.cpp's converter (`conversion/llama.py`, `generate_extra_tensors`) reads the length of Llama 3's bands at the top level of
/// `config.json`, with 8,192 where there is none.
#[test]
fn the_length_of_llama3_bands_stands_where_converters_look_for_it() {
    let text = std::fs::read_to_string("models/reference/rope-2k/config.json").unwrap();
    for (name, there) in [("llama3", Some(2048)), ("by_parts", Some(2048)), ("yarn", None)] {
        let cell = Cell::grid(AnyMethod::named(name).unwrap(), Stretch(4.0));
        let settings = settings(&text, &cell, Tokens(8192));
        let keys: Value = serde_json::from_str(settings.transformers.pasted().unwrap()).unwrap();
        assert_eq!(keys.get("original_max_position_embeddings").and_then(Value::as_u64), there, "{name}");
    }
}

#[test]
fn what_no_engine_can_be_told_is_refused_with_a_reason() {
    let text = &configs()[0];
    let of = |name: &str| settings(text, &Cell::grid(AnyMethod::named(name).unwrap(), Stretch(4.0)), Tokens(8192));
    for name in ["self_extend", "alibi", "t5", "xpos", "interleaved", "dynamic_step", "sinusoidal"] {
        let settings = of(name);
        for setting in [&settings.transformers, &settings.vllm, &settings.llama_cpp] {
            assert!(matches!(setting, Setting::Refused(why) if why.len() > 20), "{name}: {setting:?}");
        }
        assert_eq!(settings.residual, None);
    }
    // vLLM's `dynamic` is another method, and llama.cpp has no flags for lists.
    let dynamic = of("dynamic");
    assert!(dynamic.transformers.pasted().is_some() && dynamic.vllm.pasted().is_none(), "{dynamic:?}");
    assert!(of("llama3").llama_cpp.pasted().is_none());
}

#[test]
fn a_yarn_that_llama_cpp_would_round_is_refused() {
    let method: AnyMethod = serde_json::from_value(json!({ "yarn": { "truncate": false } })).unwrap();
    let settings = settings(&configs()[0], &Cell::grid(method, Stretch(4.0)), Tokens(8192));
    assert!(settings.transformers.pasted().is_some_and(|keys| keys.contains("\"truncate\": false")));
    assert!(matches!(&settings.llama_cpp, Setting::Refused(why) if why.contains("truncate")));
}
