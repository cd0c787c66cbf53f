//! Scenarios: the shipped ones load, the broken ones say what is wrong, the schema knows every key.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gyro::faults::AnyFault;
use gyro::findings::{Axis, Question};
use gyro::measurement::{Arm, Cell};
use gyro::positions::AnyMethod;
use gyro::scenario::{GridShape, ProbeName, Scenario, ScenarioError, load};
use gyro::units::{Stretch, Tokens};
use serde_json::Value;

const VALID: &str = "\
question: Is it the method or the factor?
checkpoint: checkpoint
trained: 2048
target: 8192
deployed: { method: linear, factor: 4 }
ablate: { methods: [none, linear, yarn], factors: [8, 1, 4] }
probes: [short_range, long_range, attention]
";

/// A folder of this test alone, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("scenarios-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Writes a scenario, and a checkpoint where it says, as far as loading looks at it.
    fn scenario(&self, file: &str, text: &str) -> PathBuf {
        let path = self.0.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        let checkpoint = text.lines().find_map(|line| line.strip_prefix("checkpoint: ")).unwrap();
        let checkpoint = path.parent().unwrap().join(checkpoint);
        fs::create_dir_all(&checkpoint).unwrap();
        fs::write(checkpoint.join("config.json"), "{}").unwrap();
        let text = text.lines().find_map(|line| line.strip_prefix("text: ")).unwrap_or("held-out.txt");
        let text = if text == "held-out.txt" { checkpoint.join(text) } else { path.parent().unwrap().join(text) };
        fs::create_dir_all(text.parent().unwrap()).unwrap();
        fs::write(text, "Unseen.").unwrap();
        path
    }

    fn load(&self, text: &str) -> Scenario {
        load(&self.scenario("s.yaml", text)).unwrap_or_else(|error| panic!("{error}"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn yaml_files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    files.sort();
    assert!(!files.is_empty(), "no files in {folder}");
    files
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn every_shipped_scenario_loads() {
    for path in yaml_files("scenarios") {
        let scenario = load(&path).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(scenario.name, stem(&path));
        assert!(scenario.cells().contains(&scenario.deployed_cell()), "{}", scenario.name);
    }
}

#[test]
fn every_method_is_measured_in_some_scenario() {
    let used: BTreeSet<&str> = yaml_files("scenarios")
        .iter()
        .flat_map(|path| load(path).unwrap_or_else(|error| panic!("{error}")).methods)
        .map(|method| method.name())
        .collect();
    let unused: Vec<&&str> = AnyMethod::NAMES.iter().filter(|name| !used.contains(*name)).collect();
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn every_broken_scenario_says_what_is_wrong_where_and_what_to_do() {
    for path in yaml_files("tests/broken") {
        let error = load(&path).expect_err(&path.display().to_string());
        let ScenarioError::Mistakes(mistakes) = &error else { panic!("{}: {error}", path.display()) };
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        for mistake in mistakes {
            assert!(mistake.place.line >= 1 && mistake.place.column >= 1, "{mistake}");
            assert!(mistake.place.line <= text.lines().count() + 1, "{mistake}");
            assert!(!mistake.expected.is_empty() && !mistake.hint.is_empty(), "{mistake}");
        }
        insta::assert_snapshot!(format!("broken_{}", stem(&path)), error.to_string());
    }
}

#[test]
fn a_file_of_ten_megabytes_is_refused_at_once() {
    let folder = Folder::new("large");
    let path = folder.scenario("large.yaml", VALID);
    fs::write(&path, format!("{VALID}# {}\n", "x".repeat(10 << 20))).unwrap();
    let started = Instant::now();
    let error = load(&path).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(1), "took {:?}", started.elapsed());
    assert!(matches!(error, ScenarioError::TooLarge { .. }), "{error}");
    let message = error.to_string().replace(folder.0.to_str().unwrap(), "FOLDER");
    insta::assert_snapshot!(message, @r"
    FOLDER/large.yaml:1:1: the file is too large
      expected at most 1048576 bytes
      hint: name large files by their path instead of pasting them in; is this the file that you meant?
    ");
}

#[test]
fn a_missing_file_is_named() {
    let error = load(Path::new("scenarios/no_such_scenario.yaml")).unwrap_err();
    assert!(matches!(error, ScenarioError::Read { .. }));
    insta::assert_snapshot!(error, @r"
    cannot read scenarios/no_such_scenario.yaml: No such file or directory (os error 2)
      hint: paths on the command line are relative to the current folder
    ");
}

#[test]
fn what_is_left_out_has_the_documented_defaults() {
    let folder = Folder::new("defaults");
    let scenario = folder.load(VALID);
    assert_eq!(scenario.name, "s");
    assert_eq!(scenario.seed, 17);
    assert_eq!(scenario.documents, folder.0.join("checkpoint/held-out.txt"));
    assert_eq!(scenario.checkpoint, folder.0.join("checkpoint"));
    assert_eq!(scenario.factors, [Stretch(1.0), Stretch(4.0), Stretch(8.0)]);
    assert_eq!(scenario.decide, [Question::ShortRange, Question::LongRange]);
    assert_eq!((scenario.sizes.documents, scenario.sizes.short_windows), (8, 7));
    assert_eq!(scenario.sizes.latency_lengths, [Tokens(512), Tokens(2048), Tokens(8192)]);
    assert_eq!(scenario.tolerance.latency, 1.05);
    assert!(scenario.expect.is_empty());
}

#[test]
fn what_is_written_is_taken() {
    let folder = Folder::new("written");
    fs::write(folder.0.join("mine.txt"), "Mine.").unwrap();
    let scenario = folder.load(&format!(
        "{VALID}text: mine.txt\nseed: 3\ndecide: []\nexpect: {{ long_range: {{ axis: none }} }}\n\
         sizes: {{ documents: 3, latency_lengths: [4096, 64] }}\ntolerance: {{ latency: 1.5 }}\n"
    ));
    assert_eq!(scenario.documents, folder.0.join("mine.txt"));
    assert_eq!((scenario.seed, scenario.sizes.documents), (3, 3));
    assert!(scenario.decide.is_empty());
    assert_eq!(scenario.expect[&Question::LongRange], Axis::None);
    assert_eq!(scenario.sizes.latency_lengths, [Tokens(64), Tokens(4096)]);
    assert_eq!((scenario.tolerance.latency, scenario.tolerance.long_range), (1.5, 0.02));
}

#[test]
fn methods_have_parameters_and_the_deployed_one_joins_the_grid() {
    let folder = Folder::new("methods");
    let scenario =
        folder.load(&VALID.replace("method: linear, factor: 4", "method: { yarn: { beta_fast: 16 } }, factor: 3"));
    assert_eq!(scenario.deployed.0.label(), "yarn (beta_fast 16.0)");
    let labels: Vec<String> = scenario.methods.iter().map(AnyMethod::label).collect();
    assert_eq!(labels, ["yarn (beta_fast 16.0)", "none", "linear", "yarn"]);
    assert_eq!(scenario.factors, [1.0, 3.0, 4.0, 8.0].map(Stretch));
    assert!(scenario.cells().contains(&scenario.deployed_cell()));
}

fn labels(scenario: &Scenario) -> Vec<String> {
    scenario.cells().iter().map(Cell::label).collect()
}

#[test]
fn cells_are_the_grid_once_with_the_unscaled_model_first() {
    let scenario = Folder::new("cells").load(VALID);
    let expected = ["none", "linear x4", "linear x8", "yarn x4", "yarn x8", "none, truncated context"];
    assert_eq!(labels(&scenario), expected);
}

#[test]
fn the_truncated_reference_needs_a_question_beyond_the_trained_length() {
    let folder = Folder::new("truncated");
    let truncated = |text: &str| folder.load(text).cells().iter().any(|cell| cell.arm == Arm::Truncated);
    assert!(truncated(VALID));
    assert!(truncated(&VALID.replace("short_range, long_range", "retrieval")));
    assert!(!truncated(&VALID.replace("short_range, long_range", "short_range")));
    assert!(!truncated(&VALID.replace("short_range, long_range", "retrieval").replace("8192", "2048")));
}

#[test]
fn a_deployment_without_method_is_the_unscaled_model_at_any_factor() {
    let scenario = Folder::new("noop").load(&VALID.replace("method: linear", "method: none"));
    assert_eq!(scenario.deployed_cell(), Cell::unscaled());
    assert_eq!(labels(&scenario)[0], "none");
}

#[test]
fn deployed_conditions_are_reverted_one_by_one_and_others_are_tried() {
    let text = VALID
        .replace("factor: 4 }", "factor: 4, conditions: [table_wraps: { rows: 1024 }, padding_seen] }")
        .replace("factors: [8, 1, 4] }", "factors: [4], conditions: [half_rotation] }");
    let scenario = Folder::new("conditions").load(&text);
    assert_eq!(scenario.deployed_cell().condition(), "table_wraps (rows 1024)+padding_seen");
    let expected = [
        "none",
        "linear x4",
        "yarn x4",
        "linear x4 under table_wraps (rows 1024)+padding_seen",
        "linear x4 under padding_seen",
        "linear x4 under table_wraps (rows 1024)",
        "linear x4 under half_rotation",
        "none, truncated context",
    ];
    assert_eq!(labels(&scenario), expected);
}

#[test]
fn a_wrong_condition_is_named_with_its_line() {
    for (conditions, place, what) in [
        ("[table_warps]", "s.yaml:5:", "did you mean `table_wraps`?"),
        ("[{ table_wraps: { rows: 0 } }]", "s.yaml:5:", "`rows` of `table_wraps` must be at least 1, got 0"),
        ("[{ table_wraps: { row: 9 } }]", "s.yaml:5:", "unknown key `row`"),
        ("[padding_seen, padding_seen]", "s.yaml:5:", "`padding_seen` occurs twice"),
    ] {
        let text = VALID.replace("factor: 4 }", &format!("factor: 4, conditions: {conditions} }}"));
        let path = Folder::new("wrong-condition").scenario("s.yaml", &text);
        let error = load(&path).unwrap_err().to_string();
        assert!(error.contains(place) && error.contains(what) && error.contains("hint:"), "{conditions}: {error}");
    }
}

#[test]
fn quick_keeps_the_cross_through_the_deployed_cell() {
    let full = Folder::new("quick").load(VALID);
    let quick = full.clone().quick();
    assert_eq!(labels(&quick), ["none", "linear x4", "linear x8", "yarn x4", "none, truncated context"]);
    assert_eq!(quick.grid, GridShape::Cross);
    assert_eq!((quick.sizes.documents, quick.sizes.short_windows, quick.sizes.latency_blocks), (4, 3, 3));
    assert_eq!(quick.sizes.latency_lengths, [Tokens(512), Tokens(2048)]);
    assert_eq!(quick.probes, [ProbeName::ShortRange, ProbeName::LongRange]);
    assert_ne!(full.hash(), quick.hash(), "their rows must not be mixed");
    assert_eq!(quick.hash(), full.clone().quick().quick().hash());
}

#[test]
fn the_hash_follows_the_text() {
    let folder = Folder::new("hash");
    let one = folder.load(VALID);
    assert_eq!(one.hash(), folder.load(VALID).hash());
    assert_eq!(one.hash(), blake3::hash(VALID.as_bytes()).to_hex().to_string());
    assert_ne!(one.hash(), folder.load(&format!("{VALID}seed: 18\n")).hash());
}

/// Follows `$ref` and `anyOf`, and returns the properties that a schema allows.
fn properties(root: &Value, schema: &Value) -> Option<serde_json::Map<String, Value>> {
    if let Some(reference) = schema["$ref"].as_str() {
        return properties(root, root.pointer(reference.strip_prefix('#')?)?);
    }
    if let Some(found) = schema["properties"].as_object() {
        return Some(found.clone());
    }
    let branches = ["allOf", "anyOf", "oneOf"].iter().filter_map(|key| schema[*key].as_array()).flatten();
    branches.into_iter().find_map(|branch| properties(root, branch))
}

/// Lists the keys of a document that its schema does not know.
fn unknown_keys(root: &Value, schema: &Value, document: &Value, at: &str, unknown: &mut BTreeSet<String>) {
    let Some(entries) = document.as_object() else { return };
    // A map whose keys are names of the user's.
    if schema["additionalProperties"].is_object() {
        return;
    }
    let known = properties(root, schema).unwrap_or_default();
    for (key, value) in entries {
        match known.get(key) {
            Some(inner) => unknown_keys(root, inner, value, &format!("{at}{key}."), unknown),
            None => drop(unknown.insert(format!("{at}{key}"))),
        }
    }
}

#[test]
fn the_schema_knows_every_key_of_the_shipped_scenarios_and_describes_it() {
    let schema: Value = serde_json::from_str(&Scenario::schema()).unwrap();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    let mut unknown = BTreeSet::new();
    for path in yaml_files("scenarios") {
        let document: Value = serde_yaml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        unknown_keys(&schema, &schema, &document, "", &mut unknown);
    }
    assert!(unknown.is_empty(), "{unknown:?}");
    let top = schema["properties"].as_object().unwrap();
    assert!(top.values().all(|property| property["description"].is_string()), "{top:#?}");
    assert_eq!(schema["additionalProperties"], false);
    let mut broken = BTreeSet::new();
    unknown_keys(&schema, &schema, &serde_json::json!({ "deployed": { "factr": 4 } }), "", &mut broken);
    assert_eq!(broken, BTreeSet::from(["deployed.factr".to_owned()]));
}

#[test]
fn the_schema_names_every_method_and_fault() {
    let schema = Scenario::schema();
    for name in AnyMethod::NAMES.iter().chain(AnyFault::NAMES) {
        assert!(schema.contains(&format!("\"const\": \"{name}\"")), "{name} in {schema}");
    }
}

/// A scenario whose deployment comes as a configuration of its own, beside a checkpoint that was trained at 2,048 tokens.
fn deployed_by(name: &str, config: &Value, deployed: &str) -> Result<Scenario, ScenarioError> {
    let folder = Folder::new(name);
    let text = VALID.replace("{ method: linear, factor: 4 }", deployed);
    let path = folder.scenario("s.yaml", &text);
    let mut all = serde_json::json!({
        "model_type": "llama", "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
        "intermediate_size": 48, "max_position_embeddings": 2048, "rope_theta": 1e4
    });
    fs::write(folder.0.join("checkpoint/config.json"), all.to_string()).unwrap();
    config.as_object().unwrap().iter().for_each(|(key, value)| all[key] = value.clone());
    fs::write(folder.0.join("engine.json"), all.to_string()).unwrap();
    load(&path)
}

#[test]
fn a_deployment_may_come_as_its_own_configuration() {
    let yarn = serde_json::json!({ "max_position_embeddings": 8192, "rope_scaling": {
        "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 2048, "beta_fast": 16.0 } });
    let scenario = deployed_by("by-config", &yarn, "{ config: engine.json }").unwrap();
    assert_eq!(scenario.deployed.0.label(), "yarn (beta_fast 16.0)");
    assert_eq!(scenario.deployed.1, Stretch(4.0));
    assert!(scenario.deployed_config.unwrap().ends_with("engine.json"));
    assert!(scenario.methods.contains(&scenario.deployed.0));
    assert!(deployed_by("by-both", &yarn, "{ config: engine.json, factor: 4 }").is_ok());
    // Another base alone is a method of its own.
    let base = deployed_by("by-base", &serde_json::json!({ "rope_theta": 5e5 }), "{ config: engine.json }").unwrap();
    assert_eq!((base.deployed.0.label().as_str(), base.deployed.1), ("rope (theta 500000.0)", Stretch::ONE));
}

#[test]
fn what_a_scenario_says_against_the_deployments_configuration_is_a_mistake() {
    let yarn = serde_json::json!({ "max_position_embeddings": 16384, "rope_scaling": {
        "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 4096 } });
    let error =
        deployed_by("conflict", &yarn, "{ config: engine.json, method: ntk, factor: 2 }").unwrap_err().to_string();
    for part in [
        ":3:10: the scenario says 2048 trained tokens, and `engine.json` says 4096",
        ":5:42: the scenario says `ntk`, and `engine.json` says `yarn`",
        ":5:55: the scenario says factor 2, and `engine.json` says 4",
        "hint: remove it here, or correct the file",
    ] {
        assert!(error.contains(part), "{part} is not in\n{error}");
    }
    let broken = serde_json::json!({ "rope_scaling": { "rope_type": "yarn" } });
    let error = deployed_by("broken-config", &broken, "{ config: engine.json }").unwrap_err().to_string();
    assert!(error.contains(":5:21: ") && error.contains("has no `rope_scaling.factor`"), "{error}");
    let error = deployed_by("no-config", &broken, "{ config: gone.json }").unwrap_err().to_string();
    assert!(error.contains("gone.json"), "{error}");
}
