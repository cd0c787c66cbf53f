//! Deployments of the reference model, examined blind; and what the battery reads against float64 arithmetic.

use std::path::Path;

use gyro::ablation::condition::catalogue;
use gyro::checkpoint::Config;
use gyro::faults::{AnyFault, Fault, Setting, Site};
use gyro::findings::Axis;
use gyro::measurement::Cell;
use gyro::positions::{AnyMethod, Mechanism, Method};
use gyro::replay::{Alone, device_named};
use gyro::run::examine::{Deployment, Examination, Opaque, Workshop};
use gyro::subject::{Engine, Route};
use gyro::text::Tokenizer;
use gyro::units::{Stretch, Tokens};

fn model() -> (Alone, Config, Vec<u32>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/reference");
    let dir = root.join("rope-2k");
    let tokens = Tokenizer::of_checkpoint(&dir).unwrap().encode_file(&root.join("held-out.txt")).unwrap();
    (Alone::load(&dir, device_named(Some("cpu")).unwrap()).unwrap(), Config::read(&dir).unwrap(), tokens)
}

fn yarn() -> Cell {
    Cell::grid(AnyMethod::named("yarn").unwrap(), Stretch(4.0))
}

#[test]
fn faults_of_the_reference_model_are_named_blind() {
    let (engine, config, tokens) = model();
    let declared = yarn();
    let setting =
        Setting { method: declared.method.clone(), factor: declared.factor, heads: config.heads, window: None };
    let texts = vec![tokens[..2560].to_vec()];
    let workshop = Workshop::new(&engine, texts, (Tokens(2048), Tokens(8192)), None);
    let examined = |faults: &[&str]| -> Examination {
        let faults = faults.iter().map(|name| AnyFault::named(name).unwrap()).collect();
        let opaque = Opaque { replay: &engine, faults };
        workshop.examine(&Deployment { engine: &opaque, declared: &declared, setting: &setting }, &catalogue()).unwrap()
    };
    let healthy = examined(&[]);
    assert_eq!(healthy.suspicions[0].axis, Axis::None, "{:#?}", healthy.suspicions);
    for (name, site) in [("attention_factor_absent", Site::Temperature), ("decode_offset_by_one", Site::Cache)] {
        let found = examined(&[name]);
        let first = &found.suspicions[0];
        assert_eq!((first.name.as_str(), first.site, first.exact), (name, Some(site), true), "{:#?}", found.suspicions);
    }
}

/// What the replay applies is what the method's arithmetic says, pair by pair, up to the rounding of a table.
#[test]
fn the_healthy_rotation_is_the_declared_one() {
    let (engine, config, _) = model();
    let declared = yarn();
    let positions = [0, 1, 2, 63, 64, 2047, 2048, 8191];
    let mut subject = engine.subject(&declared).unwrap();
    let read = subject.applied_rotation(&positions, Route::OneShot).unwrap().unwrap();
    let mechanism = declared.method.mechanism(&config.heads, declared.factor, Tokens(8192)).unwrap();
    let Mechanism::Rotate(rotation) = mechanism else { panic!("yarn rotates") };
    for turned in [&read.queries, &read.keys] {
        assert!(turned.mixing < 1e-5, "{}", turned.mixing);
        for (position, gains) in positions.iter().zip(&turned.gains) {
            for (frequency, gain) in rotation.inverse_frequencies.iter().zip(gains) {
                let angle = *position as f64 * frequency - gain.angle;
                let off = angle.sin().atan2(angle.cos());
                assert!(off.abs() < 1e-5, "position {position}: {off} radians");
                assert!((gain.magnitude - rotation.attention_factor).abs() < 1e-5);
            }
        }
    }
    assert_eq!(AnyFault::named("table_clamps").unwrap().site(), Site::Table);
}
