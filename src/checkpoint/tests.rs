//! Tests of the folder's readers: precedence and defaults as transformers has them, and every error by its key.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::*;
use crate::positions::{AnyMethod, Linear, Yarn};
use crate::units::{Stretch, Tokens};

/// A complete configuration with some keys replaced; a `"-"` removes one.
fn written(changes: Value) -> String {
    let mut all = json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "vocab_size": 64,
        "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
        "max_position_embeddings": 64, "rms_norm_eps": 1e-5
    });
    for (key, value) in changes.as_object().unwrap() {
        if value == "-" {
            all.as_object_mut().unwrap().remove(key);
        } else {
            all[key] = value.clone();
        }
    }
    all.to_string()
}

fn read(changes: Value) -> Config {
    Config::parse(&written(changes)).unwrap()
}

/// The message for a configuration that must be refused.
fn refusal(changes: Value) -> String {
    Config::parse(&written(changes)).unwrap_err().to_string()
}

/// A folder of its own that is removed with the value.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gyro-checkpoint-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn with(self, name: &str, text: &str) -> Self {
        fs::write(self.0.join(name), text).unwrap();
        self
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

#[test]
fn absent_keys_take_transformers_defaults() {
    let config = read(json!({ "rms_norm_eps": "-", "max_position_embeddings": "-", "hidden_act": "-" }));
    let shape = &config.architecture;
    assert_eq!((shape.kv_heads, shape.head_dim, shape.norm_epsilon), (4, 8, 1e-6));
    assert_eq!((shape.max_positions, shape.beginning_token), (Tokens(2048), Some(1)));
    assert!(!shape.tied_embeddings && !shape.attention_bias && !shape.mlp_bias);
    assert_eq!((config.heads.theta, config.heads.rotary_dim, config.heads.trained), (10_000.0, 8, Tokens(2048)));
    assert_eq!(config.declared, (AnyMethod::unscaled(), Stretch::ONE));
}

#[test]
fn written_keys_are_read() {
    let shape = read(json!({
        "num_key_value_heads": 2, "head_dim": 16, "tie_word_embeddings": true, "attention_bias": true,
        "mlp_bias": true, "bos_token_id": 5
    }))
    .architecture;
    assert_eq!((shape.kv_heads, shape.head_dim, shape.beginning_token), (2, 16, Some(5)));
    assert!(shape.tied_embeddings && shape.attention_bias && shape.mlp_bias);
    assert_eq!(read(json!({ "bos_token_id": null })).architecture.beginning_token, None);
    assert_eq!(read(json!({ "head_dim": null, "num_key_value_heads": null })).architecture.kv_heads, 4);
}

#[test]
fn the_old_and_the_new_form_say_the_same() {
    let old = json!({ "rope_theta": 5e5, "rope_scaling": { "type": "linear", "factor": 4 } });
    let new = json!({ "rope_parameters": { "rope_type": "linear", "factor": 4.0, "rope_theta": 5e5 } });
    assert_eq!(read(old.clone()), read(new));
    assert_eq!(read(old).declared, (AnyMethod::Linear(Linear {}), Stretch(4.0)));
}

#[test]
fn the_inner_theta_wins_and_the_old_scaling_replaces_the_new_whole() {
    let inner = read(json!({ "rope_theta": 2e4, "rope_parameters": { "rope_type": "default", "rope_theta": 3e4 } }));
    assert_eq!(inner.heads.theta, 3e4);
    let both = read(json!({
        "rope_scaling": { "rope_type": "linear", "factor": 2.0 },
        "rope_parameters": { "rope_type": "default", "rope_theta": 3e4 }
    }));
    assert_eq!((both.heads.theta, both.declared.1), (10_000.0, Stretch(2.0)));
    for nothing in [json!(null), json!({})] {
        let config = read(json!({ "rope_scaling": nothing, "rope_parameters": { "rope_theta": 3e4 } }));
        assert_eq!((config.heads.theta, config.declared), (3e4, (AnyMethod::unscaled(), Stretch::ONE)));
    }
}

#[test]
fn yarn_takes_its_trained_length_from_the_scaling_and_else_from_the_longest_context() {
    let named = json!({ "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16 });
    assert_eq!(read(json!({ "rope_parameters": named })).heads.trained, Tokens(16));
    let unnamed = json!({ "rope_parameters": { "rope_type": "yarn", "factor": 4.0 } });
    assert_eq!(read(unnamed).heads.trained, Tokens(64));
    let above = read(json!({ "original_max_position_embeddings": 32, "rope_parameters": named }));
    assert_eq!(above.heads.trained, Tokens(32));
}

#[test]
fn a_yarn_factor_of_null_is_the_ratio_of_the_lengths() {
    let rope = json!({ "rope_type": "yarn", "factor": null, "original_max_position_embeddings": 16 });
    assert_eq!(read(json!({ "rope_parameters": rope })).declared.1, Stretch(4.0));
}

#[test]
fn yarn_keeps_its_parameters_and_python_truthiness() {
    let yarn = |mut changes: Value| {
        changes["type"] = json!("yarn");
        changes["factor"] = json!(4.0);
        read(json!({ "rope_scaling": changes })).declared.0
    };
    assert_eq!(yarn(json!({ "beta_fast": 0, "beta_slow": null, "finetuned": true })), AnyMethod::Yarn(Yarn::default()));
    assert_eq!(yarn(json!({ "truncate": null })), AnyMethod::Yarn(Yarn { truncate: false, ..Yarn::default() }));
    let all = json!({
        "beta_fast": 16.0, "beta_slow": 2.0, "mscale": 1.0, "mscale_all_dim": 0.8, "attention_factor": 1.25,
        "truncate": false
    });
    let expected = Yarn {
        beta_fast: 16.0,
        beta_slow: 2.0,
        attention_factor: Some(1.25),
        mscale: Some(1.0),
        mscale_all_dim: Some(0.8),
        truncate: false,
    };
    assert_eq!(yarn(all), AnyMethod::Yarn(expected));
}

#[test]
fn a_partial_rotation_narrows_the_rotated_width() {
    let share = json!({ "head_dim": 16, "rope_parameters": { "rope_type": "default", "partial_rotary_factor": 0.25 } });
    assert_eq!(read(share).heads.rotary_dim, 4);
    assert_eq!(read(json!({ "partial_rotary_factor": 0.5 })).heads.rotary_dim, 4);
    for share in [0.0, -1.0, 0.4, 1.5] {
        let message = refusal(json!({ "partial_rotary_factor": share }));
        assert!(message.starts_with("`partial_rotary_factor` in `config.json`"), "{message}");
    }
}

#[test]
fn dynamic_scaling_starts_from_the_longest_context() {
    let rope = json!({ "rope_type": "dynamic", "factor": 2.0, "original_max_position_embeddings": 16 });
    let config = read(json!({ "original_max_position_embeddings": 32, "rope_parameters": rope }));
    assert_eq!(
        (config.declared.0.name(), config.declared.1, config.heads.trained),
        ("dynamic", Stretch(2.0), Tokens(64))
    );
}

#[test]
fn a_proportional_rotation_spans_the_head_and_belongs_to_the_weights() {
    let rope = json!({ "rope_type": "proportional", "partial_rotary_factor": 0.5, "factor": 2.0 });
    let config = read(json!({ "rope_parameters": rope }));
    assert_eq!((config.heads.rotary_dim, config.declared.1), (8, Stretch(2.0)));
    // The unscaled model has pairs without positions too.
    assert_eq!(config.heads.native, config.declared.0);
}

#[test]
fn mistral_without_a_window_is_the_same_graph() {
    let mistral = |window: Value| {
        json!({ "model_type": "mistral", "architectures": ["MistralForCausalLM"], "sliding_window": window,
                "num_attention_heads": 16, "attention_bias": true })
    };
    let shape = read(mistral(json!(null))).architecture;
    assert_eq!((shape.kv_heads, shape.attention_bias), (8, false));
    assert!(refusal(mistral(json!(4096))).starts_with("`sliding_window` in `config.json` cannot be replayed: 4096"));
    assert!(refusal(mistral(json!("-"))).contains("4096 (the default)"));
}

#[test]
fn what_cannot_be_replayed_is_refused_by_its_key() {
    let rope = |rope: Value| json!({ "rope_parameters": rope });
    let cases = [
        (json!({ "model_type": "gpt2" }), "model_type", "gpt2", "llama"),
        (json!({ "model_type": 3 }), "model_type", "3", "a string"),
        (
            json!({ "architectures": ["LlamaForSequenceClassification"] }),
            "architectures",
            "Sequence",
            "LlamaForCausalLM",
        ),
        (json!({ "architectures": ["MistralForCausalLM"] }), "architectures", "Mistral", "`model_type`"),
        (json!({ "hidden_act": "gelu" }), "hidden_act", "gelu", "silu"),
        (json!({ "quantization_config": { "bits": 4 } }), "quantization_config", "bits", "bf16"),
        (json!({ "num_key_value_heads": 3 }), "num_key_value_heads", "3", "a divisor of the 4 query heads"),
        (json!({ "num_attention_heads": 5 }), "num_attention_heads", "5", "a divisor of the hidden size 32"),
        (json!({ "head_dim": 7 }), "head_dim", "7", "an even number"),
        (json!({ "hidden_size": 0 }), "hidden_size", "0", "an integer from 1"),
        (json!({ "vocab_size": 1.5 }), "vocab_size", "1.5", "an integer from 1"),
        (json!({ "num_hidden_layers": 9_000_000_000_u64 }), "num_hidden_layers", "9000000000", "2,147,483,647"),
        (json!({ "rms_norm_eps": -1.0 }), "rms_norm_eps", "-1", "at least 0"),
        (json!({ "tie_word_embeddings": "yes" }), "tie_word_embeddings", "yes", "true or false"),
        (json!({ "bos_token_id": 64 }), "bos_token_id", "64", "below 64"),
        (json!({ "rope_theta": 1.0 }), "rope_theta", "1", "above 1"),
        (json!({ "rope_scaling": "yarn" }), "rope_scaling", "yarn", "an object"),
        (rope(json!({ "rope_type": "axial" })), "rope_parameters.rope_type", "axial", "default, linear, dynamic, yarn"),
        (rope(json!({ "type": "su", "factor": 2.0 })), "rope_parameters.type", "su", "longrope, llama3, proportional"),
        (
            rope(json!({ "rope_type": "longrope", "short_factor": 1.0, "long_factor": [1.0] })),
            "rope_parameters.short_factor",
            "1",
            "a list of numbers",
        ),
        (
            rope(json!({ "rope_type": "longrope", "short_factor": [1, "2"], "long_factor": [1.0] })),
            "rope_parameters.short_factor",
            "[1,\"2\"]",
            "a list of numbers",
        ),
        (
            rope(json!({ "rope_type": "longrope", "short_factor": [1, 1, 1, 1], "long_factor": [] })),
            "rope_parameters.long_factor",
            "[]",
            "one number for each rotated pair",
        ),
        (rope(json!({ "rope_type": "linear", "factor": "4" })), "rope_parameters.factor", "\"4\"", "a number"),
        (
            rope(json!({ "full_attention": { "rope_type": "default" } })),
            "rope_parameters.full_attention",
            "one type",
            "all layers",
        ),
    ];
    for (changes, key, found, supported) in cases {
        let message = refusal(changes);
        assert!(message.starts_with(&format!("`{key}` in `config.json` cannot be replayed: ")), "{message}");
        let (problem, hint) = message.split_once("\nhint: supported: ").unwrap();
        assert!(problem.contains(found) && hint.contains(supported), "{message}");
    }
}

#[test]
fn keys_without_a_default_must_be_there() {
    for key in ["vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"] {
        assert!(refusal(json!({ key: "-" })).starts_with(&format!("`config.json` has no `{key}`")));
    }
    assert!(refusal(json!({ "model_type": "-", "architectures": "-" })).contains("has no `model_type`"));
    for name in ["linear", "yarn", "dynamic", "llama3"] {
        let rope = json!({ "rope_type": name, "low_freq_factor": 1, "high_freq_factor": 4 });
        let message = refusal(json!({ "rope_scaling": rope }));
        assert!(message.contains("has no `rope_scaling.factor`"), "{message}");
    }
    for (name, key) in [("llama3", "low_freq_factor"), ("longrope", "short_factor")] {
        let message = refusal(json!({ "rope_scaling": { "rope_type": name, "factor": 4 } }));
        assert!(message.contains(&format!("has no `rope_scaling.{key}`")), "{message}");
    }
}

#[test]
fn a_declared_method_is_checked() {
    for (rope, word) in [
        (json!({ "rope_type": "linear", "factor": 0.5 }), "factor"),
        (json!({ "rope_type": "yarn", "factor": 4, "attention_factor": -1.0 }), "attention_factor"),
        (json!({ "rope_type": "yarn", "factor": 4, "beta_fast": 1, "beta_slow": 2 }), "beta_fast"),
        (json!({ "rope_type": "longrope", "short_factor": [1, 1, 1, 1], "long_factor": [2, 2, 2] }), "long_factor"),
        (
            json!({ "rope_type": "llama3", "factor": 4, "low_freq_factor": 4, "high_freq_factor": 4 }),
            "high_freq_factor",
        ),
        (json!({ "rope_type": "proportional", "partial_rotary_factor": 0.0 }), "partial_rotary_factor"),
    ] {
        let error = Config::parse(&written(json!({ "rope_scaling": rope }))).unwrap_err();
        assert!(matches!(error, CheckpointError::Method { .. }) && error.to_string().contains(word), "{error}");
    }
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let missing = Config::read(Path::new("no/such/folder")).unwrap_err();
    assert!(matches!(&missing, CheckpointError::Read { path, .. } if path.ends_with("config.json")));
    let folder = Folder::new("broken").with("config.json", "{ \"hidden_size\": 32,");
    let broken = Config::read(&folder.0).unwrap_err();
    assert!(matches!(broken, CheckpointError::Json { .. }) && broken.to_string().contains("line 1"), "{broken}");
    assert!(matches!(Config::parse("[]"), Err(CheckpointError::Json { .. })));
}

#[test]
fn weights_are_one_file_or_the_shards_of_the_index() {
    let folder = Folder::new("weights").with("config.json", "{}");
    assert!(matches!(weight_files(&folder.0), Err(CheckpointError::NoWeights { .. })));
    let index = r#"{ "metadata": {}, "weight_map": { "b": "two.safetensors", "a": "one.safetensors", "c": "one.safetensors" } }"#;
    let folder = folder.with("model.safetensors.index.json", index).with("one.safetensors", "1");
    let missing = weight_files(&folder.0).unwrap_err();
    assert!(matches!(&missing, CheckpointError::MissingShard { shard, .. } if shard == "two.safetensors"));
    let folder = folder.with("two.safetensors", "2");
    let shards = ["one.safetensors", "two.safetensors"].map(|name| folder.0.join(name));
    assert_eq!(weight_files(&folder.0).unwrap(), shards);
    let folder = folder.with("model.safetensors", "3");
    assert_eq!(weight_files(&folder.0).unwrap(), [folder.0.join("model.safetensors")]);
}

#[test]
fn an_index_names_no_file_outside_its_folder() {
    let folder = Folder::new("escape");
    for shard in [json!("../x.safetensors"), json!("/etc/passwd"), json!("a/../../x"), json!(""), json!(3)] {
        let index = json!({ "weight_map": { "w": shard } }).to_string();
        fs::write(folder.0.join("model.safetensors.index.json"), index).unwrap();
        let message = weight_files(&folder.0).unwrap_err().to_string();
        assert!(message.starts_with("`weight_map.w` in "), "{message}");
    }
    fs::write(folder.0.join("model.safetensors.index.json"), "{}").unwrap();
    assert!(matches!(weight_files(&folder.0), Err(CheckpointError::Missing { key, .. }) if key == "weight_map"));
}

#[test]
fn hashes_cover_configuration_weights_and_tokenizer() {
    let folder = Folder::new("hash").with("config.json", "{}").with("model.safetensors", "abc");
    let hashes = hash_files(&folder.0).unwrap();
    assert_eq!(hashes.keys().collect::<Vec<_>>(), ["config.json", "model.safetensors"]);
    // The official blake3 digest of "abc".
    assert_eq!(hashes["model.safetensors"], "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85");
    let folder = folder.with("tokenizer.json", "{}");
    let hashes = hash_files(&folder.0).unwrap();
    assert_eq!(hashes["tokenizer.json"], hashes["config.json"]);
    fs::remove_file(folder.0.join("config.json")).unwrap();
    assert!(matches!(hash_files(&folder.0), Err(CheckpointError::Read { .. })));
}
