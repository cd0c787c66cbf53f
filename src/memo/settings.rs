//! The settings to paste: a cell as transformers, vLLM and llama.cpp take it, read back through the checkpoint reader.
//!
//! transformers' names and defaults are those of 5.23.0. vLLM takes the same `rope_parameters` by `--hf-overrides` (its
//! `get_rope`); llama.cpp has flags for a base, for a uniform stretch and for YaRN, and nothing for the rest. What cannot be
//! said truly in an engine's words is refused with the reason: a setting that is almost right is a fault of its own.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::checkpoint::Config;
use crate::measurement::Cell;
use crate::positions::{AnyMethod, ByParts, HeadShape, Llama3, Mechanism, Method, Rotation, Yarn};
use crate::units::{Stretch, Tokens};

/// Read-back numbers may differ by the rounding of a power and its inverse, and by nothing else.
const EXACT: f64 = 1e-9;

/// The key of the trained length.
const ORIGINAL: &str = "original_max_position_embeddings";

/// A cell as engines take it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Settings {
    /// The cell.
    pub cell: String,
    /// The keys of `config.json` to replace, for transformers.
    pub transformers: Setting,
    /// The command line of vLLM.
    pub vllm: Setting,
    /// The command line of llama.cpp.
    pub llama_cpp: Setting,
    /// The largest relative difference, over frequencies and attention factor, between the cell and what the checkpoint reader
    /// makes of the keys; absent where there are none.
    pub residual: Option<f64>,
    /// What to know before pasting.
    pub remarks: Vec<String>,
}

/// What to write for an engine, or why nothing can be written.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// To paste.
    Paste(String),
    /// The reason why the engine cannot be told.
    Refused(String),
}

impl Setting {
    /// What to paste, if there is something.
    #[must_use]
    pub fn pasted(&self) -> Option<&str> {
        match self {
            Self::Paste(text) => Some(text),
            Self::Refused(_) => None,
        }
    }

    fn of(result: Result<String, String>) -> Self {
        result.map_or_else(Self::Refused, Self::Paste)
    }
}

/// Keys of `config.json`, and how much of the length they name.
struct Keys {
    rope: Map<String, Value>,
    /// `max_position_embeddings`: the target where the scaling does not count from it, else the trained length.
    longest: Tokens,
}

/// The settings of a cell for a checkpoint whose `config.json` has this text.
#[must_use]
pub fn settings(config_text: &str, cell: &Cell, target: Tokens) -> Settings {
    let made = Config::parse(config_text)
        .map_err(|error| error.to_string())
        .and_then(|config| Ok((keys(&config.heads, cell, target)?, config)));
    let (keys, config) = match made {
        Ok(made) => made,
        Err(why) => return refused(cell, &why),
    };
    let patch = patch(&keys);
    let residual = match residual(config_text, &config, &patch, cell, target) {
        Ok(residual) if residual <= EXACT => residual,
        Ok(residual) => return refused(cell, &format!("the keys read back as other frequencies, off by {residual:e}")),
        Err(why) => return refused(cell, &format!("the keys cannot be read back: {why}")),
    };
    let mut remarks = Vec::new();
    if cell.adapted.0 > 0 {
        remarks.push(format!(
            "The cell was measured on weights adapted for {} tokens: the settings belong to those weights, not to the \
             checkpoint as it is.",
            cell.adapted
        ));
    }
    let written = Value::Object(keys.rope.clone());
    if written.get("attention_factor").is_some() || written.get("mscale").is_some() {
        remarks.push(
            "Some vLLM builds drop an explicit attention factor; compare log-probabilities before the rollout."
                .to_owned(),
        );
    }
    if keys.longest == target {
        remarks.push(format!(
            "`max_position_embeddings` becomes {} because this scaling does not count from it.",
            target.0
        ));
    }
    Settings {
        cell: cell.label(),
        transformers: Setting::Paste(format!("{patch:#}")),
        vllm: Setting::of(vllm(&keys, cell, target)),
        llama_cpp: Setting::of(llama_cpp(&config.heads, &keys, cell, target)),
        residual: Some(residual),
        remarks,
    }
}

fn refused(cell: &Cell, why: &str) -> Settings {
    let refused = || Setting::Refused(why.to_owned());
    Settings {
        cell: cell.label(),
        transformers: refused(),
        vllm: refused(),
        llama_cpp: refused(),
        residual: None,
        remarks: Vec::new(),
    }
}

fn patch(keys: &Keys) -> Value {
    let mut patch = json!({ "rope_parameters": keys.rope, "max_position_embeddings": keys.longest.0 });
    // llama.cpp's converter looks for the length of Llama 3's bands at the top alone, and takes 8,192 where there is none.
    let is_llama3 = keys.rope.get("rope_type").and_then(Value::as_str) == Some("llama3");
    if let (true, Some(trained), Some(patch)) = (is_llama3, keys.rope.get(ORIGINAL), patch.as_object_mut()) {
        patch.insert(ORIGINAL.to_owned(), trained.clone());
    }
    patch
}

/// The text of `config.json` with these keys in the place of all that it says about its rotation.
///
/// # Errors
/// Where the text is no JSON object.
pub fn patched(config_text: &str, patch: &Value) -> Result<String, String> {
    let mut config: Map<String, Value> = serde_json::from_str(config_text).map_err(|error| error.to_string())?;
    for key in ["rope_scaling", "rope_theta", ORIGINAL] {
        config.remove(key);
    }
    config.extend(patch.as_object().cloned().unwrap_or_default());
    Ok(Value::Object(config).to_string())
}

/// The largest relative difference between the cell's rotation and the one that the checkpoint reader makes of the keys, at
/// the trained and at the target length.
fn residual(config_text: &str, config: &Config, patch: &Value, cell: &Cell, target: Tokens) -> Result<f64, String> {
    let read = Config::parse(&patched(config_text, patch)?).map_err(|error| error.to_string())?;
    let (method, factor) = &read.declared;
    let mut worst = 0.0_f64;
    for length in [config.heads.trained, target] {
        let wanted = rotation(&config.heads, &cell.method, cell.factor, length)?;
        let got = rotation(&read.heads, method, *factor, length)?;
        if wanted.inverse_frequencies.len() != got.inverse_frequencies.len() {
            return Err("another number of pairs rotates".to_owned());
        }
        let pairs = wanted.inverse_frequencies.iter().zip(&got.inverse_frequencies);
        let factors = [(&wanted.attention_factor, &got.attention_factor)];
        worst =
            pairs.chain(factors).map(|(a, b)| if a == b { 0.0 } else { (a - b).abs() / a.abs() }).fold(worst, f64::max);
    }
    Ok(worst)
}

/// The method's rotation, if it is a plain one.
fn rotation(heads: &HeadShape, method: &AnyMethod, factor: Stretch, length: Tokens) -> Result<Rotation, String> {
    match method.mechanism(heads, factor, length).map_err(|error| error.to_string())? {
        Mechanism::Rotate(rotation) if rotation.decay.is_none() && rotation.pairing == heads.pairing => Ok(rotation),
        _ => Err(format!(
            "`{}` is no plain rotation, and engines take only those for a RoPE checkpoint; it needs an engine that \
             implements it",
            method.name()
        )),
    }
}

/// The cell in the words of transformers.
fn keys(heads: &HeadShape, cell: &Cell, target: Tokens) -> Result<Keys, String> {
    let at = |length| rotation(heads, &cell.method, cell.factor, length);
    let (near, far) = (at(heads.trained)?, at(target)?);
    let (factor, trained) = (cell.factor.0, heads.trained.0);
    let theta = ("rope_theta".to_owned(), json!(heads.theta));
    let named = |name: &str, more: Value, longest| {
        let mut rope = Map::from_iter([("rope_type".to_owned(), json!(name)), theta.clone()]);
        rope.extend(more.as_object().cloned().unwrap_or_default());
        if heads.rotary_dim != heads.head_dim {
            let share = heads.rotary_dim as f64 / heads.head_dim as f64;
            rope.insert("partial_rotary_factor".to_owned(), json!(share));
        }
        Keys { rope, longest }
    };
    let original = |more: Value| {
        let mut more = more.as_object().cloned().unwrap_or_default();
        more.insert(ORIGINAL.to_owned(), json!(trained));
        Value::Object(more)
    };
    Ok(match &cell.method {
        AnyMethod::Linear(_) => named("linear", json!({ "factor": factor }), heads.trained),
        AnyMethod::Dynamic(_) => named("dynamic", json!({ "factor": factor }), heads.trained),
        AnyMethod::Yarn(yarn) => named("yarn", original(yarn_keys(yarn, factor)), target),
        AnyMethod::Llama3(Llama3 { low_freq_factor: low, high_freq_factor: high })
        | AnyMethod::ByParts(ByParts { alpha: low, beta: high }) => {
            let more = json!({ "factor": factor, "low_freq_factor": low, "high_freq_factor": high });
            named("llama3", original(more), target)
        }
        _ if near == far && far.attention_factor == 1.0 && base(&far).is_some() => {
            let mut keys = named("default", json!({}), target);
            keys.rope.insert("rope_theta".to_owned(), json!(base(&far)));
            keys
        }
        AnyMethod::Longrope(_) => named("longrope", original(lists(heads, &near, &far, factor)), target),
        _ if near == far => named("longrope", original(lists(heads, &far, &far, factor)), target),
        method => {
            return Err(format!(
                "`{}` follows the length of each request in a way that no engine's settings name",
                method.name()
            ));
        }
    })
}

fn yarn_keys(yarn: &Yarn, factor: f64) -> Value {
    let mut keys = json!({ "factor": factor, "beta_fast": yarn.beta_fast, "beta_slow": yarn.beta_slow });
    let optional =
        [("attention_factor", yarn.attention_factor), ("mscale", yarn.mscale), ("mscale_all_dim", yarn.mscale_all_dim)];
    if let Some(map) = keys.as_object_mut() {
        map.extend(optional.into_iter().filter_map(|(key, value)| Some((key.to_owned(), json!(value?)))));
        if !yarn.truncate {
            map.insert("truncate".to_owned(), json!(false));
        }
    }
    keys
}

/// One stretch a pair: below and beyond the trained length.
fn lists(heads: &HeadShape, near: &Rotation, far: &Rotation, factor: f64) -> Value {
    let trained = |i: usize| heads.theta.powf(-2.0 * i as f64 / heads.rotary_dim as f64);
    let stretches = |rotation: &Rotation| -> Vec<f64> {
        rotation.inverse_frequencies.iter().enumerate().map(|(i, f)| trained(i) / f).collect()
    };
    json!({
        "factor": factor,
        "short_factor": stretches(near),
        "long_factor": stretches(far),
        "attention_factor": far.attention_factor,
    })
}

/// The base whose powers the frequencies are; nothing where they are no powers of one.
fn base(rotation: &Rotation) -> Option<f64> {
    let d = 2.0 * rotation.inverse_frequencies.len() as f64;
    let last = *rotation.inverse_frequencies.last()?;
    let base = last.powf(-d / (d - 2.0));
    let fits = |(i, f): (usize, &f64)| (base.powf(-2.0 * i as f64 / d) / f - 1.0).abs() < EXACT;
    (base.is_finite() && rotation.inverse_frequencies.iter().enumerate().all(fits)).then_some(base)
}

fn vllm(keys: &Keys, cell: &Cell, target: Tokens) -> Result<String, String> {
    let mut rope = keys.rope.clone();
    match (rope.get("rope_type").and_then(Value::as_str), &cell.method) {
        (Some("dynamic"), _) => {
            return Err(
                "vLLM makes one base of the longest context at the start, whatever a request's length: that is \
                 `dynamic_vllm`, another method; measure it and paste its settings"
                    .to_owned(),
            );
        }
        (Some("longrope"), AnyMethod::Longrope(_)) => {
            return Err(
                "vLLM takes the long list at every length once the served length exceeds the trained one, so short \
                 prompts would run on other frequencies than were measured"
                    .to_owned(),
            );
        }
        // vLLM's own temperature for LongRoPE is replaced by these keys alone.
        (Some("longrope"), _) => {
            for key in ["short_mscale", "long_mscale"] {
                let factor = rope.get("attention_factor").cloned().unwrap_or_default();
                rope.insert(key.to_owned(), factor);
            }
        }
        _ => {}
    }
    let overrides = json!({ "rope_parameters": rope, "max_position_embeddings": keys.longest.0 });
    Ok(format!("vllm serve CHECKPOINT --max-model-len {} --hf-overrides '{overrides}'", target.0))
}

fn llama_cpp(heads: &HeadShape, keys: &Keys, cell: &Cell, target: Tokens) -> Result<String, String> {
    let rope = |key: &str| keys.rope.get(key).and_then(Value::as_f64);
    let kind = keys.rope.get("rope_type").and_then(Value::as_str).unwrap_or_default();
    let theta = rope("rope_theta").unwrap_or(heads.theta);
    let flags = match (kind, &cell.method) {
        ("default", _) => format!("--rope-scaling none --rope-freq-base {theta}"),
        ("linear", _) => format!("--rope-scaling linear --rope-scale {} --rope-freq-base {theta}", cell.factor),
        ("yarn", AnyMethod::Yarn(yarn)) if yarn.truncate => {
            let usual = 1.0 + 0.1 * cell.factor.0.ln();
            let far = rotation(heads, &cell.method, cell.factor, target)?;
            // llama.cpp multiplies by its own temperature, so only what is beyond it is given.
            format!(
                "--rope-scaling yarn --rope-scale {} --rope-freq-base {theta} --yarn-orig-ctx {} --yarn-ext-factor 1 \
                 --yarn-attn-factor {} --yarn-beta-fast {} --yarn-beta-slow {}",
                cell.factor,
                heads.trained.0,
                far.attention_factor / usual,
                yarn.beta_fast,
                yarn.beta_slow
            )
        }
        ("yarn", _) => return Err("llama.cpp always rounds the ends of YaRN's ramp (`truncate`)".to_owned()),
        ("llama3", _) => {
            return Err(
                "no flag: put the keys for transformers into config.json, `original_max_position_embeddings` at the top \
                 as well, and convert the checkpoint again; the GGUF then carries them as `rope_freqs`"
                    .to_owned(),
            );
        }
        _ => return Err(format!("llama.cpp has no flag for `{kind}`")),
    };
    // Since ggml-org/llama.cpp#17459 the server caps a request's context at the length that the file names.
    Ok(format!("llama-server -m MODEL.gguf -c {0} --override-kv llama.context_length=int:{0} {flags}", target.0))
}
