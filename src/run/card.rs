//! The card beside a trained model: recipe, curve, and numbers on text that it has not seen.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::rc::Rc;

use anyhow::Context as _;

use super::documents::draw;
use crate::checkpoint::Config;
use crate::measurement::{Quantity, Reading};
use crate::positions::{AnyMethod, Method, Scheme};
use crate::probes::{self, Context, Plan, Session};
use crate::recipe::{CurvePoint, Recipe};
use crate::replay::{Checkpoint, Replay, training};
use crate::reports::training_curve;
use crate::scenario::{ProbeName, Sizes};
use crate::stats::mean_estimate;
use crate::units::{Stretch, Tokens};

/// Tokens that each table rests on: 16 documents of 8,192 tokens, or 64 of 2,048.
const TOKENS: usize = 16 * 8192;

/// Measures a trained model and writes `README.md` and `curve.svg` into its folder.
///
/// # Errors
/// Where the model cannot be read or measured, or the files cannot be written.
pub fn card(recipe: &Recipe, path: &Path, dir: &Path, checkpoint: &Rc<Checkpoint>) -> anyhow::Result<()> {
    let curve = training::curve(dir)?;
    let trained = Tokens(recipe.model.trained);
    let mut text = head(recipe, path, dir, &checkpoint.config, &curve);
    for length in [trained, Tokens(4 * trained.0)] {
        let count = (TOKENS / length.0).max(2);
        let readings = measure(recipe, dir, checkpoint, count, length)?;
        let _ = write!(text, "\n## {count} held-out documents of {length} tokens, unscaled\n\n");
        text.push_str(&table("positions", "loss, nats/token [95 %]", &readings, Quantity::Nll));
        text.push('\n');
        text.push_str(&table("distance of the fact, tokens", "recall [95 %]", &readings, Quantity::Recall));
    }
    for (name, bytes) in [("README.md", text), ("curve.svg", training_curve(&curve)?)] {
        let file = dir.join(name);
        fs::write(&file, bytes).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

fn head(recipe: &Recipe, path: &Path, dir: &Path, config: &Config, curve: &[CurvePoint]) -> String {
    let m = &recipe.model;
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let minutes = curve.last().map_or(0.0, |point| point.seconds.0 / 60.0);
    let feed = 3 * m.width * m.feed_forward;
    let heads = 2 * m.width * m.width * (m.heads + m.kv_heads) / m.heads;
    let learned = config.heads.native.mechanism(&config.heads, Stretch::ONE, config.heads.trained);
    let learned = learned.ok().and_then(|mechanism| mechanism.learned_shape(&config.heads)).map_or(0, |[a, b]| a * b);
    let parameters = m.vocabulary * m.width + m.layers * (feed + heads + 2 * m.width) + m.width + learned;
    let positions = match m.position.scheme() {
        Scheme::Rotary => format!("{} with base {}", m.position.label(), m.theta),
        _ => m.position.label(),
    };
    format!(
        "# {name}\n\nA Llama decoder with {parameters} parameters: width {}, {} layers, {} heads of {}, vocabulary \
         {} (byte-level \
         BPE), positions: {positions}. Trained by `gyro train` from `{file}` (seed {}) on {} tokens, the last stage \
         at {} tokens a \
         sequence, in {minutes:.0} minutes by the clock.\n\n\
         The text is Django's documentation (BSD 3-Clause, `held-out.LICENSE`), with random facts that are asked for \
         again \
         later. `held-out.txt` shares no page, and no run of 13 words, with the training text (`tools/text.py`). The \
         weights \
         are under Gyro's own licence, MIT or Apache-2.0.\n\n\
         ![Training curve](curve.svg)\n",
        m.width,
        m.layers,
        m.heads,
        m.width / m.heads,
        m.vocabulary,
        recipe.seed,
        recipe.course().tokens(),
        Tokens(m.trained),
    )
}

fn measure(
    recipe: &Recipe,
    dir: &Path,
    checkpoint: &Rc<Checkpoint>,
    count: usize,
    length: Tokens,
) -> anyhow::Result<Vec<Reading>> {
    let documents = draw(dir, &recipe.held_out, count, length, recipe.seed)?;
    let plan = Plan {
        probes: vec![ProbeName::LongRange, ProbeName::Retrieval],
        sizes: Sizes {
            documents: count,
            short_windows: 1,
            attention_documents: 0,
            attention_every: 1,
            latency_lengths: Vec::new(),
            latency_blocks: 0,
            decode_tokens: 0,
            latency_candidates: 0,
        },
        trained: Tokens(recipe.model.trained),
        context: Context::Whole,
    };
    let mut replay = Replay::new(Rc::clone(checkpoint), AnyMethod::unscaled(), Stretch::ONE)?;
    let mut readings = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        readings.extend(probes::read(&mut Session::new(&mut replay, document, index as u32, &plan))?);
    }
    Ok(readings)
}

/// A row for each bin: its mean over documents with the interval.
fn table(bins: &str, values: &str, readings: &[Reading], quantity: Quantity) -> String {
    let mut by_bin: BTreeMap<(u32, u32), Vec<f64>> = BTreeMap::new();
    for reading in readings.iter().filter(|reading| reading.quantity == quantity) {
        let at = &reading.at;
        if let (Some(from), Some(to)) = (at.from.or(at.distance_from), at.to.or(at.distance_to)) {
            by_bin.entry((from, to)).or_default().push(reading.value);
        }
    }
    let mut text = format!("| {bins} | {values} | documents |\n|---|---|---|\n");
    for ((from, to), values) in by_bin {
        if let Some(e) = mean_estimate(&values) {
            let _ = writeln!(text, "| {from} to {to} | {:.3} [{:.3}, {:.3}] | {} |", e.point, e.low, e.high, e.n);
        }
    }
    text
}
