//! The weights' shapes against what the configuration says.

use std::collections::BTreeMap;
use std::path::Path;

use super::case::Case;
use crate::checkpoint::{CheckpointError, Tensor, tensors, weight_files};
use crate::findings::{AuditFinding, Severity};

pub(super) fn check(case: &Case<'_>) -> Vec<AuditFinding> {
    let Some(dir) = case.dir else { return Vec::new() };
    let files = match weight_files(dir) {
        Ok(files) => files,
        // A configuration without weights is audited as such.
        Err(CheckpointError::NoWeights { .. }) => return Vec::new(),
        Err(error) => return vec![unreadable(case, &error)],
    };
    let mut all = BTreeMap::new();
    for file in &files {
        match tensors(file) {
            Ok(found) => all.extend(found.into_iter().map(|(tensor, about)| (tensor, (name(file), about)))),
            Err(error) => return vec![unreadable(case, &error)],
        }
    }
    let mut found = shapes(case, &all);
    found.extend(layers(case, &all));
    found.extend(stored_frequencies(case, &all));
    found
}

/// Families whose attention has the projections of Llama's, and no others in them.
const LLAMAS: [&str; 6] = ["llama", "mistral", "mixtral", "qwen2", "qwen3", "gyro"];

/// Tensors by name, each with its file.
type Tensors = BTreeMap<String, (String, Tensor)>;

fn name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Weights that cannot be read, or are not all there.
fn unreadable(case: &Case<'_>, error: &CheckpointError) -> AuditFinding {
    let (file, key, meaning) = match error {
        CheckpointError::MissingShard { path, shard } => {
            (name(path), "weight_map", format!("the shard `{shard}` is named here and is not in the folder"))
        }
        CheckpointError::Read { path, source } => (name(path), "header", format!("it cannot be read: {source}")),
        other => (String::from("model.safetensors.index.json"), "weight_map", other.to_string().replace('\n', "; ")),
    };
    let instead = "the file as its publisher has it: was the download complete?";
    AuditFinding { file, line: None, ..case.found(Severity::Error, key, meaning, instead, &[]) }
}

/// The first tensor of each kind whose shape is another than the configuration's.
fn shapes(case: &Case<'_>, all: &Tensors) -> Vec<AuditFinding> {
    // Packed numbers have shapes of their own.
    if case.config.value("quantization_config").is_some() {
        return Vec::new();
    }
    let count = |key: &str| case.top(key).map(|count| count as usize);
    let (Some(width), Some(heads)) = (count("hidden_size"), count("num_attention_heads")) else { return Vec::new() };
    let head_dim = count("head_dim").unwrap_or(width / heads.max(1));
    let keys = count("num_key_value_heads").unwrap_or(heads);
    let (inner, vocabulary) = (count("intermediate_size"), count("vocab_size"));
    // What each kind of tensor says, and the key that says so.
    let kinds: [(&str, &str, Option<[usize; 2]>); 9] = [
        ("embed_tokens.weight", "vocab_size", vocabulary.map(|rows| [rows, width])),
        ("lm_head.weight", "vocab_size", vocabulary.map(|rows| [rows, width])),
        ("self_attn.q_proj.weight", "num_attention_heads", Some([heads * head_dim, width])),
        ("self_attn.k_proj.weight", "num_key_value_heads", Some([keys * head_dim, width])),
        ("self_attn.v_proj.weight", "num_key_value_heads", Some([keys * head_dim, width])),
        ("self_attn.o_proj.weight", "num_attention_heads", Some([width, heads * head_dim])),
        ("mlp.gate_proj.weight", "intermediate_size", inner.map(|inner| [inner, width])),
        ("mlp.up_proj.weight", "intermediate_size", inner.map(|inner| [inner, width])),
        ("mlp.down_proj.weight", "intermediate_size", inner.map(|inner| [width, inner])),
    ];
    let mut found = Vec::new();
    let is_plain = LLAMAS.contains(&case.model_type());
    for (kind, key, expected) in kinds {
        let Some(expected) = expected.filter(|_| is_plain || !kind.starts_with("self_attn")) else { continue };
        let wrong = all.iter().find(|(tensor, (_, about))| tensor.ends_with(kind) && about.shape != expected);
        if let Some((tensor, (file, about))) = wrong {
            let meaning = format!(
                "`{tensor}` in {file} is {:?}, and the configuration makes it {expected:?}: these are other weights, or \
                 another configuration",
                about.shape
            );
            let instead = "the configuration that was saved with these weights";
            found.push(case.found(Severity::Error, key, meaning, instead, &[]));
        }
    }
    found
}

/// Whether the weights have as many layers as the configuration.
fn layers(case: &Case<'_>, all: &Tensors) -> Option<AuditFinding> {
    let index = |tensor: &String| tensor.strip_prefix("model.layers.")?.split_once('.')?.0.parse::<usize>().ok();
    let there = all.keys().filter_map(index).max()? + 1;
    // Layers that predict further tokens stand behind the others.
    let further = case.top("num_nextn_predict_layers").unwrap_or(0.0);
    let written = (case.top("num_hidden_layers")? + further) as usize;
    (there != written).then(|| {
        let meaning = format!("the configuration has {written} layers, and the weights {there}");
        case.found(Severity::Error, "num_hidden_layers", meaning, format!("\"num_hidden_layers\": {there}"), &[])
    })
}

/// Frequencies that were saved with the weights: an engine that loads them forgets the scaling.
fn stored_frequencies(case: &Case<'_>, all: &Tensors) -> Option<AuditFinding> {
    let (tensor, (file, about)) = all.iter().find(|(tensor, _)| tensor.ends_with("rotary_emb.inv_freq"))?;
    let meaning = format!(
        "`{tensor}` is stored as {}: an engine that loads it in the place of computed frequencies runs without the scaling, \
         and in half precision its angles drift with the position",
        about.dtype
    );
    let known = ["huggingface/transformers #25681", "huggingface/transformers #29285"];
    let instead = "weights without buffers; frequencies are computed from the configuration";
    let found = case.found(Severity::Warning, tensor, meaning, instead, &known);
    Some(AuditFinding { file: file.clone(), ..found })
}
