//! `gyro score`: faults are injected, deployments are diagnosed blind, and the names are compared with the labels.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::examine::{Deployment, Opaque, Timing, Workshop};
use super::fingerprint;
use crate::ablation::condition::{Candidate, Signature, Suspicion, signature, slow};
use crate::baselines::write_page;
use crate::checkpoint::{Config, hash_files};
use crate::faults::{AnyFault, Fault, Injected, Length, Setting, Site};
use crate::findings::Axis;
use crate::measurement::Cell;
use crate::probes::battery::Text;
use crate::score::{Case, DEPLOYMENTS, Declared, Kind, Named, Plan, Row, Score, Truth, pairs, spread, tally};
use crate::stats::random::Random;
use crate::subject::Engine;
use crate::text::Tokenizer;
use crate::units::Tokens;

/// How far a deployment is served beyond its trained length: the stretch of the scaled ones.
const STRETCH: usize = 4;

/// Texts of a diagnosis of an injected fault; intervals of onsets need two.
const TEXTS: usize = 2;

/// Seeds: of the texts that diagnoses see, of those that truths are read from, and of each healthy pair's own.
const SEEN: u64 = 41;
const TRUE: u64 = 97;
const OWN: u64 = 1000;

/// How many suspicions of a diagnosis are kept.
const KEPT: usize = 5;

/// What the user asked of `gyro score`.
#[derive(Clone, Debug)]
pub struct Request {
    /// The folder with the reference models and their held-out text.
    pub models: PathBuf,
    /// The score's folder.
    pub out: PathBuf,
    /// How many cases.
    pub plan: Plan,
    /// The device's name, and the threads: rows of other machines are not resumed.
    pub device: String,
    /// Threads of one tensor operation.
    pub threads: usize,
    /// Cases that are diagnosed at once.
    pub jobs: usize,
}

/// Loads the engine of a checkpoint's folder.
pub type Load<'a> = &'a (dyn Fn(&Path) -> anyhow::Result<Box<dyn Engine>> + Sync);

/// Hears what happens.
pub type Notify<'a> = &'a (dyn Fn(&str) + Sync);

/// A deployment that is at hand.
struct Bench {
    declared: Declared,
    cell: Cell,
    setting: Setting,
    checkpoint: usize,
}

/// A checkpoint with its engine and its text.
struct Model {
    name: &'static str,
    engine: Box<dyn Engine>,
    config: Config,
    tokens: Vec<u32>,
}

/// Scores the diagnosis; rows that a killed run has left in the folder are not diagnosed again. `catalogue` is what the
/// diagnosis knows, under the names that it gives.
///
/// # Errors
/// Whatever keeps a case from being diagnosed; every finished row stays on disk.
pub fn score(request: &Request, catalogue: &[Candidate], load: Load<'_>, notify: Notify<'_>) -> anyhow::Result<Score> {
    let settings: Vec<Setting> = benches(&models(request, load)?)?.into_iter().map(|bench| bench.setting).collect();
    let cases = cases(&settings, &request.plan);
    let store = Store::open(&request.out, &identity(request, catalogue)?);
    let left: Vec<&Case> = cases.iter().filter(|case| !store.knows(&key(case))).collect();
    notify(&format!("{} cases, {} of them on disk already", cases.len(), cases.len() - left.len()));
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    // An engine belongs to one thread, so each worker has its own.
    let work = || -> anyhow::Result<()> {
        let models = models(request, load)?;
        let benches = benches(&models)?;
        let rooms: Vec<Room<'_>> = models.iter().map(Room::of).collect::<anyhow::Result<_>>()?;
        while let Some(case) = left.get(next.fetch_add(1, Ordering::Relaxed)) {
            let Some(bench) = benches.get(case.deployment) else { continue };
            let (Some(model), Some(room)) = (models.get(bench.checkpoint), rooms.get(bench.checkpoint)) else {
                continue;
            };
            let begun = processor_seconds();
            let mut row = diagnose(case, bench, model, room, catalogue)
                .with_context(|| format!("cannot diagnose `{}` in {}", case.name(), bench.declared.label()))?;
            if let (Some(row), Some(begun), 1) = (&mut row, begun, request.threads) {
                row.processor_seconds = processor_seconds().map(|now| now - begun);
            }
            store.save(&key(case), row.as_ref())?;
            notify(&format!("{} ({}): {}", key(case), bench.declared.label(), said(row.as_ref())));
            done.lock().unwrap_or_else(PoisonError::into_inner).insert(key(case), row);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..request.jobs.max(1)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(ended) => ended,
            Err(_) => bail!("a worker of the score was lost\n  hint: this is a defect of gyro, please report it"),
        })
    })?;
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let row = |case: &Case| store.row(&key(case)).or_else(|| done.get(&key(case)).cloned().flatten());
    let with_same = |case: &Case| {
        let mut row = row(case)?;
        row.truth.same = settings.get(case.deployment).map(|setting| same(setting, case)).unwrap_or_default();
        Some(row)
    };
    Ok(tally(cases.iter().filter_map(with_same).collect()))
}

/// Other faults of the catalogue that make the very same engine as a single fault does: no request can tell their names apart.
fn same(setting: &Setting, case: &Case) -> Vec<String> {
    let [injected] = case.faults.as_slice() else { return Vec::new() };
    let trained = setting.heads.trained.0;
    let lengths = [trained / 4, trained, trained + 1, 2 * trained, STRETCH * trained];
    let engine = |fault: &AnyFault| {
        let made = Injected::new(setting.clone(), std::slice::from_ref(fault)).ok()?;
        let mut execution = made.execution().clone();
        // An engine that goes by the trained length for ever is one that follows no length.
        let is_frozen = execution.length == Length::Trained;
        if is_frozen {
            execution.length = Length::default();
        }
        let mechanisms = lengths.map(|length| made.mechanism(Tokens(if is_frozen { trained } else { length })).ok());
        Some((mechanisms, execution))
    };
    let own = engine(injected);
    let others = AnyFault::all().filter(|other| other.name() != injected.name() && engine(other) == own);
    others.map(|other| other.name().to_owned()).collect()
}

/// What a case is called on disk.
fn key(case: &Case) -> String {
    format!("{:?} {}", case.kind, case.name()).to_lowercase()
}

/// A finished case in one line.
fn said(row: Option<&Row>) -> String {
    row.map_or("left out: one of the two hides the other".to_owned(), |row| {
        let top: Vec<&str> = row.top.iter().map(|named| named.name.as_str()).collect();
        format!("{} in {:.1} s, {} engines", top.join(", "), row.seconds, row.cells)
    })
}

/// The checkpoints that are there.
fn models(request: &Request, load: Load<'_>) -> anyhow::Result<Vec<Model>> {
    let mut models: Vec<Model> = Vec::new();
    let text = request.models.join("held-out.txt");
    for declared in DEPLOYMENTS {
        let dir = request.models.join(declared.checkpoint);
        let known = models.iter().any(|model| model.name == declared.checkpoint);
        if known || !dir.join("config.json").is_file() {
            continue;
        }
        let tokens = Tokenizer::of_checkpoint(&dir)?.encode_file(&text)?;
        models.push(Model { name: declared.checkpoint, engine: load(&dir)?, config: Config::read(&dir)?, tokens });
    }
    if models.is_empty() {
        bail!(
            "there is no reference model in `{}`\n  hint: run gyro from the project's folder, or give `--models`",
            request.models.display()
        );
    }
    Ok(models)
}

fn benches(models: &[Model]) -> anyhow::Result<Vec<Bench>> {
    let mut benches = Vec::new();
    for declared in DEPLOYMENTS {
        let Some(checkpoint) = models.iter().position(|model| model.name == declared.checkpoint) else { continue };
        let Some(model) = models.get(checkpoint) else { continue };
        let method = declared.method().with_context(|| format!("there is no method `{}`", declared.method))?;
        let setting = Setting {
            method: method.clone(),
            factor: declared.factor(),
            heads: model.config.heads.clone(),
            window: None,
        };
        benches.push(Bench { declared, cell: Cell::grid(method, declared.factor()), setting, checkpoint });
    }
    Ok(benches)
}

/// Every case of the plan, singles first.
fn cases(settings: &[Setting], plan: &Plan) -> Vec<Case> {
    let mut singles: Vec<Case> = AnyFault::all()
        .filter_map(|fault| {
            let deployment = settings.iter().position(|setting| fault.applies(setting))?;
            let kind = if fault.is_control() { Kind::Control } else { Kind::Single };
            Some(Case { kind, deployment, faults: vec![fault], repeat: 0 })
        })
        .collect();
    if let Some(count) = plan.faults {
        singles = spread(&singles, count);
    }
    let able = |setting: &Setting| -> Vec<AnyFault> {
        AnyFault::all().filter(|fault| !fault.is_control() && fault.applies(setting)).collect()
    };
    let able: Vec<Vec<AnyFault>> = settings.iter().map(able).collect();
    let healthy = (0..plan.healthy).map(|repeat| Case {
        kind: Kind::Healthy,
        deployment: repeat % settings.len().max(1),
        faults: Vec::new(),
        repeat,
    });
    let unseen: Vec<Case> = singles
        .iter()
        .filter(|case| plan.unseen && case.kind == Kind::Single)
        .map(|case| Case { kind: Kind::Unseen, ..case.clone() })
        .collect();
    singles.iter().cloned().chain(unseen).chain(pairs(&able, plan.pairs)).chain(healthy).collect()
}

/// The workshops of a checkpoint: over the texts that diagnoses see, and over those that truths are read from.
struct Room<'a> {
    seen: Workshop<'a>,
    truth: Workshop<'a>,
}

impl<'a> Room<'a> {
    fn of(model: &'a Model) -> anyhow::Result<Self> {
        Ok(Self { seen: workshop(model, TEXTS, SEEN)?, truth: workshop(model, 1, TRUE)? })
    }
}

fn workshop(model: &Model, texts: usize, seed: u64) -> anyhow::Result<Workshop<'_>> {
    let trained = model.config.heads.trained;
    let needed = Text::needed(trained.0);
    let Some(room) = model.tokens.len().checked_sub(needed) else {
        bail!("the held-out text holds {} tokens, a diagnosis needs {needed}", model.tokens.len());
    };
    let mut random = Random::new(seed);
    let texts = (0..texts)
        .map(|_| {
            let from = random.below(room + 1);
            model.tokens.get(from..from + needed).unwrap_or_default().to_vec()
        })
        .collect();
    let target = Tokens(STRETCH * trained.0);
    Ok(Workshop::new(model.engine.as_ref(), texts, (trained, target), Some(Timing::usual(trained))))
}

/// Injects, reads the truth off texts of its own, and diagnoses; nothing where one fault of a pair hides the other.
fn diagnose(
    case: &Case,
    bench: &Bench,
    model: &Model,
    room: &Room<'_>,
    catalogue: &[Candidate],
) -> anyhow::Result<Option<Row>> {
    let opaque = Opaque { replay: model.engine.as_ref(), faults: case.faults.clone() };
    let Some(truth) = truth(case, bench, &opaque, &room.truth)? else { return Ok(None) };
    // Who has never heard of a fault has not heard of its doubles either.
    let mut hidden: Vec<String> = Vec::new();
    if case.kind == Kind::Unseen {
        hidden = same(&bench.setting, case);
        hidden.extend(case.faults.iter().map(|fault| fault.name().to_owned()));
    }
    let is_known = |candidate: &&Candidate| hidden.iter().all(|name| name != candidate.fault.name());
    let known: Vec<Candidate> = catalogue.iter().filter(is_known).cloned().collect();
    let own = (case.kind == Kind::Healthy).then(|| workshop(model, 1, OWN + case.repeat as u64)).transpose()?;
    let clock = Instant::now();
    let deployment = Deployment { engine: &opaque, declared: &bench.cell, setting: &bench.setting };
    let found = own.as_ref().unwrap_or(&room.seen).examine(&deployment, &known)?;
    Ok(Some(Row {
        fault: case.name(),
        truth,
        top: found.suspicions.iter().take(KEPT).map(named).collect(),
        cells: found.cells,
        seconds: clock.elapsed().as_secs_f64(),
        processor_seconds: None,
    }))
}

/// Seconds that a processor has worked for this thread; nothing where the system does not tell.
fn processor_seconds() -> Option<f64> {
    let told = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(told.split_whitespace().next()?.parse::<f64>().ok()? / 1e9)
}

fn named(suspicion: &Suspicion) -> Named {
    Named {
        axis: suspicion.axis,
        name: suspicion.name.clone(),
        place: suspicion.site,
        shape: suspicion.shape.clone(),
        onset: suspicion.onset,
        explained: suspicion.explained,
        exact: suspicion.exact,
    }
}

/// What is true of a case: whether anything measurable was injected, and where it begins, on texts that no diagnosis sees.
fn truth(case: &Case, bench: &Bench, opaque: &Opaque<'_>, workshop: &Workshop<'_>) -> anyhow::Result<Option<Truth>> {
    let mut truth = Truth {
        kind: case.kind,
        deployment: bench.declared.label(),
        axis: Axis::None,
        same: Vec::new(),
        names: case.faults.iter().map(|fault| fault.name().to_owned()).collect(),
        places: case.faults.iter().map(Fault::site).collect(),
        shape: "none".to_owned(),
        onset: None,
        development: case.faults.iter().all(Fault::is_development),
    };
    if case.kind == Kind::Healthy {
        return Ok(Some(truth));
    }
    let mut subject = opaque.subject(&bench.cell)?;
    if case.kind == Kind::Control {
        // A look-alike is healthy in its answers; where it takes longer, a diagnosis that says so is right.
        let paced = workshop.pace(subject.as_mut(), &bench.cell)?;
        if let Some(late) = paced.and_then(|(pace, _)| slow(&pace, &Signature::default())) {
            truth.axis = Axis::Condition;
            truth.places = vec![Site::Latency];
            (truth.shape, truth.onset) = (late.shape, late.onset);
        }
        return Ok(Some(truth));
    }
    let mut found = signature(&workshop.effect(subject.as_mut(), &bench.cell)?);
    let answers = !found.divergent.is_empty();
    let slowing = case.faults.iter().find(|fault| fault.site() == Site::Latency);
    let late = slowing.map(|fault| slowness(fault, bench, opaque, workshop)).transpose()?.flatten();
    if let (Some(late), false) = (&late, answers) {
        (found.shape, found.onset) = (late.shape.clone(), late.onset);
    }
    if case.kind == Kind::Pair {
        // A pair of which one fault alone does nothing, or does all that both do, is no pair.
        let mut both = if slowing.is_some() { answers && late.is_some() } else { answers };
        for fault in case.faults.iter().filter(|_| slowing.is_none()) {
            let single = bench.cell.hypothesis(vec![fault.clone()]);
            both &= !signature(&workshop.effect(subject.as_mut(), &single)?).divergent.is_empty();
        }
        if !both {
            return Ok(None);
        }
    }
    if answers || late.is_some() {
        truth.axis = Axis::Condition;
        truth.shape = found.shape;
        truth.onset = found.onset;
    }
    Ok(Some(truth))
}

/// What a fault that is a matter of time does by itself; nothing where it slows nothing.
fn slowness(
    fault: &AnyFault,
    bench: &Bench,
    opaque: &Opaque<'_>,
    workshop: &Workshop<'_>,
) -> anyhow::Result<Option<Suspicion>> {
    let alone = Opaque { replay: opaque.replay, faults: vec![fault.clone()] };
    let mut subject = alone.subject(&bench.cell)?;
    let paced = workshop.pace(subject.as_mut(), &bench.cell)?;
    Ok(paced.and_then(|(pace, _)| slow(&pace, &Signature::default())))
}

/// The hash of all that decides a row, the program itself first: what another build has reasoned is reasoned again.
fn identity(request: &Request, catalogue: &[Candidate]) -> anyhow::Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(fingerprint::program()?.as_bytes());
    hasher.update(format!("{} {} threads", request.device, request.threads).as_bytes());
    for candidate in catalogue {
        hasher.update(candidate.name.as_bytes()).update(candidate.fault.label().as_bytes());
    }
    for declared in DEPLOYMENTS {
        let dir = request.models.join(declared.checkpoint);
        if dir.join("config.json").is_file() {
            for (name, hash) in hash_files(&dir)? {
                hasher.update(name.as_bytes()).update(hash.as_bytes());
            }
        }
    }
    let text = request.models.join("held-out.txt");
    hasher.update(&fs::read(&text).with_context(|| format!("cannot read {}", text.display()))?);
    Ok(hasher.finalize().to_hex().to_string())
}

/// The rows of a score on disk: one file a case, so that a killed run goes on where it was.
struct Store {
    dir: PathBuf,
    identity: String,
    known: BTreeMap<String, Option<Row>>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    identity: String,
    key: String,
    /// Null where one fault of a pair hides the other.
    row: Option<Row>,
}

impl Store {
    /// Rows of the same identity are known; others are diagnosed again and overwritten.
    fn open(dir: &Path, identity: &str) -> Self {
        let mut known = BTreeMap::new();
        if let Ok(entries) = fs::read_dir(dir.join("rows")) {
            for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
                // A row that cannot be read is diagnosed again.
                let kept = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Kept>(&bytes).ok());
                if let Some(kept) = kept.filter(|kept| kept.identity == identity) {
                    known.insert(kept.key, kept.row);
                }
            }
        }
        Self { dir: dir.to_owned(), identity: identity.to_owned(), known }
    }

    /// Whether a case was diagnosed.
    fn knows(&self, key: &str) -> bool {
        self.known.contains_key(key)
    }

    /// The row of a case that was diagnosed and shows an effect.
    fn row(&self, key: &str) -> Option<Row> {
        self.known.get(key).cloned().flatten()
    }

    fn save(&self, key: &str, row: Option<&Row>) -> anyhow::Result<()> {
        let kept = Kept { identity: self.identity.clone(), key: key.to_owned(), row: row.cloned() };
        let name = format!("{}.json", &blake3::hash(key.as_bytes()).to_hex()[..16]);
        write_page(&self.dir, &Path::new("rows").join(name), &serde_json::to_vec_pretty(&kept)?)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::positions::AnyMethod;
    use crate::units::Stretch;

    fn doubles(method: &str, factor: f64, fault: &str) -> Vec<String> {
        let heads = Config::read(Path::new("models/reference/rope-2k")).unwrap().heads;
        let setting =
            Setting { method: AnyMethod::named(method).unwrap(), factor: Stretch(factor), heads, window: None };
        let faults = vec![AnyFault::named(fault).unwrap()];
        same(&setting, &Case { kind: Kind::Single, deployment: 0, faults, repeat: 0 })
    }

    #[test]
    fn faults_that_make_one_engine_are_each_others_doubles_and_no_others_are() {
        // A trained length taken for four times as much is never reached.
        assert_eq!(doubles("dynamic", 4.0, "length_frozen"), ["scaling_ignored", "trained_length_mistaken"]);
        assert_eq!(doubles("dynamic", 4.0, "scaling_ignored"), ["trained_length_mistaken", "length_frozen"]);
        assert_eq!(doubles("partial", 1.0, "full_rotation"), ["scaling_ignored"]);
        assert_eq!(doubles("yarn", 4.0, "factor_doubled"), [""; 0]);
    }
}
