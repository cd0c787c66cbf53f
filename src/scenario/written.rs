//! What a scenario's file says, word by word; the doc comments become the descriptions in `gyro schema`.
//!
//! No flatten, no untagged and no tagged enums: with them the YAML crate no longer knows where a mistake is.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::ProbeName;
use crate::faults::{AnyFault, Fault};
use crate::findings::{Axis, Question};
use crate::positions::{AnyMethod, Method};

/// One question about a model whose context was stretched, and everything that is needed to answer it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Gyro scenario")]
pub(super) struct Written {
    /// The question in your own words; it heads the report.
    pub(super) question: String,
    /// Folder of the checkpoint in Hugging Face layout (`config.json`, `model.safetensors`, `tokenizer.json`), relative to this file.
    pub(super) checkpoint: String,
    /// Folders of checkpoints that were trained with other positional methods, by the method's name; all share one tokenizer.
    #[serde(default)]
    pub(super) checkpoints: BTreeMap<String, String>,
    /// The context length that the checkpoint was trained at, in tokens.
    pub(super) trained: usize,
    /// The context length to serve, in tokens; at least `trained`.
    pub(super) target: usize,
    /// The stretch as it is deployed: what is suspected.
    pub(super) deployed: Retrofit,
    /// What to try instead; every method is measured at every factor.
    pub(super) ablate: Axes,
    /// How weights are adapted where `adapted` asks for it.
    #[serde(default)]
    pub(super) adaptation: Option<WrittenAdaptation>,
    /// The methods that `gyro memo` weighs against each other; by default all of the grid.
    #[serde(default)]
    #[schemars(with = "Option<Vec<MethodForm>>")]
    pub(super) candidates: Option<Vec<AnyMethod>>,
    /// What to measure.
    pub(super) probes: Vec<ProbeName>,
    /// How much to measure; more takes longer and narrows the intervals.
    #[serde(default)]
    pub(super) sizes: WrittenSizes,
    /// How much worse is still accepted, for each question.
    #[serde(default)]
    pub(super) tolerance: WrittenTolerance,
    /// File of UTF-8 text that the model has not seen, relative to this file; by default `held-out.txt` in the checkpoint's folder.
    #[serde(default)]
    pub(super) text: Option<String>,
    /// File of log-probabilities that the engine gave (JSON Lines, as `gyro capture` records them), relative to this file: what the engine really runs is identified from it, and takes the place of what `deployed` says was meant.
    #[serde(default)]
    pub(super) observed: Option<String>,
    /// Seed of everything that is drawn: facts, windows, resamples.
    #[serde(default = "seed")]
    pub(super) seed: u64,
    /// Questions that must be decided: `undecided` on one of them ends the run with exit code 2. By default every question that the probes answer.
    #[serde(default)]
    pub(super) decide: Option<Vec<Question>>,
    /// The axis that the diagnosis is expected to blame, for each question; turns the scenario into a test.
    #[serde(default)]
    #[schemars(with = "ExpectForm")]
    pub(super) expect: BTreeMap<Question, ExpectedCause>,
}

fn seed() -> u64 {
    17
}

fn no_adaptation() -> Vec<usize> {
    vec![0]
}

/// A positional method with its factor: both written here, or read from a configuration of its own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Retrofit {
    /// The positional method: a name, or a name with parameters.
    #[serde(default)]
    #[schemars(with = "MethodForm")]
    pub(super) method: Option<AnyMethod>,
    /// The scaling factor, usually target / trained; 1 leaves the context as trained.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1024))]
    pub(super) factor: Option<f64>,
    /// The deployment's own `config.json`, relative to this file: method and factor are those that it declares, and it is
    /// audited before anything runs.
    #[serde(default)]
    pub(super) config: Option<String>,
    /// Tokens of adaptation before it was deployed; 0 for weights as they were trained.
    #[serde(default)]
    pub(super) adapted: usize,
    /// Faults of the engine that it is deployed in, each a name or a name with parameters; by default the engine is healthy.
    #[serde(default)]
    #[schemars(with = "Vec<FaultForm>")]
    pub(super) conditions: Vec<AnyFault>,
}

/// How weights are adapted to a retrofit before they are measured.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenAdaptation {
    /// File of UTF-8 training text, relative to this file; it must not be the text that is measured on.
    pub(super) text: String,
    /// Tokens in a sequence; by default `target`.
    #[serde(default)]
    pub(super) length: Option<usize>,
}

/// The axes of the grid.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Axes {
    /// Positional methods, each a name or a name with parameters; the deployed one is added if it is missing.
    #[schemars(with = "Vec<MethodForm>", length(min = 1))]
    pub(super) methods: Vec<AnyMethod>,
    /// Scaling factors; the deployed one is added if it is missing.
    #[schemars(length(min = 1), inner(range(min = 1, max = 1024)))]
    pub(super) factors: Vec<f64>,
    /// Tokens of adaptation under each method and factor; 0 measures weights as they are. By default only that.
    #[serde(default = "no_adaptation")]
    #[schemars(length(min = 1))]
    pub(super) adapted: Vec<usize>,
    /// Faults to try under the deployed method and factor, each a name or a name with parameters; the deployed ones are reverted
    /// one by one in any case.
    #[serde(default)]
    #[schemars(with = "Vec<FaultForm>")]
    pub(super) conditions: Vec<AnyFault>,
}

/// How much is measured.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenSizes {
    /// Documents of the target length; everything is paired by document.
    #[schemars(range(min = 2, max = 1000))]
    pub(super) documents: usize,
    /// Windows of 256 tokens placed deep in each document.
    #[schemars(range(min = 1, max = 64))]
    pub(super) short_windows: usize,
    /// Documents whose attention is looked at; at most `documents`.
    #[schemars(range(min = 1, max = 1000))]
    pub(super) attention_documents: usize,
    /// One query in so many is looked at.
    #[schemars(range(min = 1, max = 4096))]
    pub(super) attention_every: usize,
    /// Context lengths at which latency is measured, in tokens; by default 256, 1024, `trained` and `target`.
    pub(super) latency_lengths: Option<Vec<usize>>,
    /// Interleaved blocks of timings at each length.
    #[schemars(range(min = 3, max = 1000))]
    pub(super) latency_blocks: usize,
    /// Tokens decoded in each timing.
    #[schemars(range(min = 1, max = 256))]
    pub(super) decode_tokens: usize,
    /// How many of the best candidates are timed beside the deployed cell, each against the unscaled model.
    #[schemars(range(max = 8))]
    pub(super) latency_candidates: usize,
}

impl Default for WrittenSizes {
    fn default() -> Self {
        Self {
            documents: 8,
            short_windows: 7,
            attention_documents: 1,
            attention_every: 16,
            latency_lengths: None,
            latency_blocks: 6,
            decode_tokens: 16,
            latency_candidates: 0,
        }
    }
}

/// Changes that are accepted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenTolerance {
    /// Rise of the loss with at most 256 tokens of context, in nats per token.
    #[schemars(range(min = 0))]
    pub(super) short_range: f64,
    /// Rise of the loss beyond the trained length, in nats per token.
    #[schemars(range(min = 0))]
    pub(super) long_range: f64,
    /// Fall of the share of facts that are recalled, 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub(super) retrieval: f64,
    /// Time of the deployed model divided by the reference's: 1.05 accepts 5 % more.
    #[schemars(range(min = 1))]
    pub(super) latency: f64,
}

impl Default for WrittenTolerance {
    fn default() -> Self {
        Self { short_range: 0.02, long_range: 0.02, retrieval: 0.05, latency: 1.05 }
    }
}

/// What the diagnosis of one question is expected to say.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectedCause {
    /// The axis to blame; `none` where nothing may be worse.
    pub(super) axis: Axis,
}

/// The form of an [`AnyMethod`] for the schema, made from the list of methods.
struct MethodForm;

impl JsonSchema for MethodForm {
    fn schema_name() -> Cow<'static, str> {
        "Method".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let known = AnyMethod::NAMES.iter().filter_map(|name| AnyMethod::named(name));
        one_of("A positional method", known.map(|method| (method.name(), method.summary())))
    }
}

/// The form of an [`AnyFault`] for the schema, made from the list of faults.
struct FaultForm;

impl JsonSchema for FaultForm {
    fn schema_name() -> Cow<'static, str> {
        "Fault".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        one_of("A fault", AnyFault::all().map(|fault| (fault.name(), fault.summary())))
    }
}

/// One of a list of things, by its name alone or with parameters.
fn one_of(what: &str, known: impl Iterator<Item = (&'static str, &'static str)>) -> Schema {
    let (bare, with_parameters): (Vec<_>, serde_json::Map<_, _>) = known
        .map(|(name, summary)| {
            let parameters = serde_json::json!({ "type": "object", "description": summary });
            (serde_json::json!({ "const": name, "description": summary }), (name.to_owned(), parameters))
        })
        .unzip();
    json_schema!({
        "description": format!("{what}: its name, or its name with parameters."),
        "anyOf": [
            { "oneOf": bare },
            {
                "type": "object",
                "properties": with_parameters,
                "additionalProperties": false,
                "minProperties": 1,
                "maxProperties": 1
            }
        ]
    })
}

/// The form of `expect` for the schema: one key for each question.
struct ExpectForm;

impl JsonSchema for ExpectForm {
    fn schema_name() -> Cow<'static, str> {
        "Expect".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let cause = generator.subschema_for::<ExpectedCause>().to_value();
        let keys: serde_json::Map<_, _> =
            Question::ALL.iter().map(|question| (question.name().to_owned(), cause.clone())).collect();
        json_schema!({ "type": "object", "properties": keys, "additionalProperties": false })
    }
}
