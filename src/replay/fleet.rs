//! The checkpoints of a scenario as an [`Engine`]: each method gets weights that know it, adapted where a cell asks for it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tch::Device;

use super::{Checkpoint, Replay, ReplayError, stopwatch, training};
use crate::checkpoint::{Config, hash_files};
use crate::measurement::{Cell, CellId};
use crate::positions::{Method, Scheme};
use crate::recipe::{Adaptation, CurvePoint};
use crate::scenario::Scenario;
use crate::subject::{Engine, Stopwatch, Subject, SubjectError};
use crate::text::TextError;
use crate::units::Seconds;

/// A change of what the adaptation does makes earlier results invalid; this number keeps them apart.
const ADAPTATION_VERSION: u32 = 1;

/// All weights of a scenario.
pub struct Fleet {
    scenario: Scenario,
    main: Rc<Checkpoint>,
    others: BTreeMap<Scheme, Rc<Checkpoint>>,
    cache: PathBuf,
    adapted: RefCell<BTreeMap<CellId, Rc<Checkpoint>>>,
    notify: Box<dyn Fn(&str)>,
    device: Device,
    /// The processor's count of throttling when it was last asked for.
    throttled: std::cell::Cell<f64>,
}

impl Fleet {
    /// Loads the checkpoints of a scenario. Adapted weights are kept under `cache`, each in a folder named by the hash of
    /// all that decides them; `notify` hears when an adaptation begins and, once a minute, how far it is.
    ///
    /// # Errors
    /// [`ReplayError`] where a checkpoint cannot be read, or its tokenizer is not that of the main one.
    pub fn load(
        scenario: &Scenario,
        device: Device,
        cache: &Path,
        notify: impl Fn(&str) + 'static,
    ) -> Result<Self, ReplayError> {
        let mut others = BTreeMap::new();
        for (scheme, dir) in &scenario.checkpoints {
            same_tokenizer(&scenario.checkpoint, dir)?;
            others.insert(*scheme, Rc::new(Checkpoint::load(dir, device)?));
        }
        Ok(Self {
            main: Rc::new(Checkpoint::load(&scenario.checkpoint, device)?),
            others,
            scenario: scenario.clone(),
            cache: cache.to_owned(),
            adapted: RefCell::default(),
            notify: Box::new(notify),
            device,
            throttled: std::cell::Cell::new(0.0),
        })
    }

    fn weights(&self, cell: &Cell) -> Result<Rc<Checkpoint>, ReplayError> {
        if cell.adapted.0 > 0 {
            return self.adapted(cell);
        }
        Ok(Rc::clone(self.others.get(&cell.method.scheme()).unwrap_or(&self.main)))
    }

    /// The adapted weights of a cell: those of this process, those on disk, or made now.
    fn adapted(&self, cell: &Cell) -> Result<Rc<Checkpoint>, ReplayError> {
        if let Some(ready) = self.adapted.borrow().get(&cell.id()) {
            return Ok(Rc::clone(ready));
        }
        let Some(plan) = &self.scenario.adaptation else {
            return Err(ReplayError::Request("the scenario says nothing of `adaptation`".to_owned()));
        };
        let from = self.scenario.weights_of(&cell.method);
        let length = plan.length.0;
        let (method, factor) = (cell.method.clone(), cell.factor.0);
        let recipe = Adaptation::usual(from.to_owned(), method, factor, length, cell.adapted.0, plan.text.clone());
        let dir = self.cache.join(identity(&recipe)?);
        if !dir.join("model.safetensors").is_file() {
            (self.notify)(&format!("adapting to {} in {}", cell.label(), dir.display()));
            let mut pace = Pace { said: Instant::now(), steps: recipe.course().steps() };
            let report = |point: &CurvePoint| pace.words(point).into_iter().for_each(|words| (self.notify)(&words));
            training::adapt(&recipe, &dir, self.device, report)
                .map_err(|error| ReplayError::Request(format!("the adaptation failed: {error}")))?;
        }
        let config = Config::read(from)?.with_native(&cell.method);
        let ready = Rc::new(Checkpoint::load_with(&dir, config, self.device)?);
        self.adapted.borrow_mut().insert(cell.id(), Rc::clone(&ready));
        Ok(ready)
    }
}

/// How far an adaptation is, said once a minute.
struct Pace {
    said: Instant,
    steps: usize,
}

impl Pace {
    fn words(&mut self, point: &CurvePoint) -> Option<String> {
        if self.said.elapsed() < Duration::from_secs(60) {
            return None;
        }
        self.said = Instant::now();
        let left = Seconds(point.seconds.0 / point.step as f64 * (self.steps - point.step) as f64);
        Some(format!("adapting: step {} of {}, about {} left", point.step, self.steps, left.in_words()))
    }
}

/// The hash of all that decides adapted weights, in 16 hexadecimal digits.
fn identity(recipe: &Adaptation) -> Result<String, ReplayError> {
    let text = std::fs::read(&recipe.text).map_err(|error| ReplayError::File {
        action: "read",
        path: recipe.text.display().to_string(),
        reason: error.to_string(),
    })?;
    // Paths do not decide anything; what is in the files does.
    let mut nameless = recipe.clone();
    (nameless.checkpoint, nameless.text) = (PathBuf::new(), PathBuf::new());
    let words = serde_json::to_string(&nameless).map_err(|error| ReplayError::Request(error.to_string()))?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(&ADAPTATION_VERSION.to_le_bytes()).update(words.as_bytes()).update(&text);
    for (name, hash) in hash_files(&recipe.checkpoint)? {
        hasher.update(name.as_bytes()).update(hash.as_bytes());
    }
    Ok(hasher.finalize().to_hex()[..16].to_owned())
}

fn same_tokenizer(main: &Path, other: &Path) -> Result<(), ReplayError> {
    let read = |dir: &Path| {
        let path = dir.join("tokenizer.json");
        std::fs::read(&path).map_err(|error| TextError::Read { path, source: error })
    };
    let both = read(main).and_then(|a| Ok((a, read(other)?)));
    let (a, b) = both.map_err(|error| ReplayError::Request(error.to_string()))?;
    if a == b {
        return Ok(());
    }
    Err(ReplayError::Request(format!(
        "`{}` has another tokenizer than `{}`\nhint: methods are compared on the same tokens, so all checkpoints must share one",
        other.display(),
        main.display()
    )))
}

impl Engine for Fleet {
    fn subject(&self, cell: &Cell) -> Result<Box<dyn Subject>, SubjectError> {
        Ok(Box::new(Replay::under(self.weights(cell)?, cell.method.clone(), cell.factor, &cell.faults)?))
    }

    fn stopwatch(&self) -> Option<&dyn Stopwatch> {
        Some(self)
    }
}

impl Stopwatch for Fleet {
    fn without_positions(&self) -> Result<Box<dyn Subject>, SubjectError> {
        Ok(Box::new(Replay::without_positions(Rc::clone(&self.main))?))
    }

    fn fixed_kernel(&self) -> Result<Seconds, SubjectError> {
        Ok(stopwatch::fixed_kernel(self.device)?)
    }

    fn held_back(&self) -> Option<f64> {
        stopwatch::held_back(self.device, &self.throttled)
    }

    fn clock(&self) -> Option<f64> {
        stopwatch::clock(self.device)
    }

    fn fresh_pages(&self) -> Option<f64> {
        stopwatch::fresh_pages(self.device)
    }

    fn peak_memory(&self) -> Option<f64> {
        stopwatch::peak_memory(self.device)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::units::Tokens;

    #[test]
    fn an_adaptation_says_once_a_minute_what_is_left() {
        let point = CurvePoint {
            step: 12,
            tokens: Tokens(98_304),
            length: Tokens(8192),
            text_nll: 2.3,
            answer_nll: None,
            answer_top1: None,
            rate: 1e-4,
            seconds: Seconds(120.0),
        };
        let mut pace = Pace { said: Instant::now().checked_sub(Duration::from_secs(61)).unwrap(), steps: 48 };
        assert_eq!(pace.words(&point).as_deref(), Some("adapting: step 12 of 48, about 6 min left"));
        assert_eq!(pace.words(&point), None, "said a moment ago");
    }
}
