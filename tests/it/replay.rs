//! The replay against transformers, against itself in chunks, and on the reference model.

use std::path::Path;
use std::rc::Rc;

use gyro::positions::AnyMethod;
use gyro::replay::{Checkpoint, Replay};
use gyro::subject::{Subject, Window};
use gyro::units::{Stretch, Tokens};

fn reference() -> Rc<Checkpoint> {
    Rc::new(Checkpoint::load(Path::new("models/reference/rope-2k"), tch::Device::Cpu).unwrap())
}

#[test]
fn a_window_scores_alike_wherever_it_stands() {
    let text = std::fs::read_to_string("models/reference/held-out.txt").unwrap();
    let tokenizer = gyro::text::Tokenizer::of_checkpoint(Path::new("models/reference/rope-2k")).unwrap();
    let tokens = tokenizer.encode(&text[..4000]).unwrap();
    for method in ["none", "ntk", "yarn", "linear"] {
        let mut replay = Replay::new(reference(), AnyMethod::named(method).unwrap(), Stretch(4.0)).unwrap();
        for start in [0, 500, 800] {
            let tokens = &tokens[start..start + 256];
            let at = |replay: &mut Replay, first| {
                let scores = replay.score(&[Window { tokens, first_position: Tokens(first) }]).unwrap();
                scores[0].log_probability.iter().map(|&x| f64::from(x)).sum::<f64>() / 255.0
            };
            eprintln!("{method} {start}: {:?}", [0, 1000, 4000, 7900].map(|first| at(&mut replay, first)));
        }
    }
}
