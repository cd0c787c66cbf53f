//! The finished checkpoint in Hugging Face layout.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use tch::{Device, Kind};

use super::TrainingError;
use super::optimizer::AdamW;
use super::state::file_error;
use crate::positions::{AnyMethod, Rope};
use crate::recipe::Recipe;

/// The `config.json` of a recipe's model, as transformers 5 writes it.
pub(super) fn config_json(recipe: &Recipe) -> Value {
    let m = &recipe.model;
    json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": m.vocabulary,
        "hidden_size": m.width,
        "num_hidden_layers": m.layers,
        "num_attention_heads": m.heads,
        "num_key_value_heads": m.kv_heads,
        "head_dim": m.width / m.heads,
        "intermediate_size": m.feed_forward,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": true,
        "attention_bias": false,
        "mlp_bias": false,
        "max_position_embeddings": m.trained,
        "rope_parameters": { "rope_type": "default", "rope_theta": m.theta },
        "bos_token_id": null,
        "eos_token_id": null,
        "dtype": "float32"
    })
}

/// The `config.json` of a recipe's model with its positional mechanism; transformers knows RoPE under Llama, and must
/// refuse the others.
pub(super) fn config_with(mut config: Value, method: &AnyMethod, factor: f64) -> String {
    // More training without a scaling leaves what the file says as it is.
    let is_as_before = *method == AnyMethod::unscaled() || *method == AnyMethod::Rope(Rope::default()) && factor == 1.0;
    if !is_as_before && let Some(keys) = config.as_object_mut() {
        keys.insert("architectures".to_owned(), json!(["GyroForCausalLM"]));
        keys.insert("model_type".to_owned(), json!("gyro"));
        keys.insert("positions".to_owned(), json!(method));
        keys.insert("position_factor".to_owned(), json!(factor));
    }
    format!("{config:#}\n")
}

/// Writes `config.json` and `model.safetensors` (float32, with the metadata that transformers asks for).
pub(super) fn write(json: &str, out: &Path, optimizer: &AdamW) -> Result<(), TrainingError> {
    let config = out.join("config.json");
    fs::write(&config, json).map_err(|error| file_error("write", &config, &error))?;
    let mut bytes: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    for parameter in &optimizer.parameters {
        let flat = parameter.weight.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?.f_contiguous()?.f_view([-1])?;
        let values = Vec::<f32>::try_from(&flat)?;
        let shape = parameter.weight.size().iter().map(|&n| n as usize).collect();
        bytes.push((parameter.name.clone(), shape, values.iter().flat_map(|value| value.to_le_bytes()).collect()));
    }
    let file = out.join("model.safetensors");
    let views = bytes
        .iter()
        .map(|(name, shape, data)| Ok((name.as_str(), TensorView::new(Dtype::F32, shape.clone(), data)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
        .map_err(|error| file_error("write", &file, &error))?;
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let temporary = out.join("model.safetensors.new");
    safetensors::serialize_to_file(views, Some(metadata), &temporary)
        .map_err(|error| file_error("write", &file, &error))?;
    fs::rename(&temporary, &file).map_err(|error| file_error("write", &file, &error))
}
