//! Examining a deployment from outside: the battery beside the healthy replay, then replays of what it may suffer from.
//!
//! The deployment is an engine whose faults nobody here sees; what it declares is a method and a factor.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use crate::ablation::condition::{
    self, BESIDE, Candidate, Divergent, MOST_NAMED, Pace, Replayed, Search, Signature, Suspicion, marks, may_be_slow,
    pace, refined, signature, slow, suspect,
};
use crate::faults::{AnyFault, Fault, Setting, Site};
use crate::measurement::{Cell, CellId, Reading};
use crate::probes::battery::{self, Answers, CHEAP, Family, Inside, Record, Text, Witness};
use crate::probes::latency;
use crate::scenario::Sizes;
use crate::subject::{Engine, Subject, SubjectError};
use crate::units::Tokens;

/// A deployment: an opaque engine and what it declares.
#[derive(Clone, Copy)]
pub struct Deployment<'a> {
    /// The engine; it is asked for its declared cell and answers as it is.
    pub engine: &'a dyn Engine,
    /// The declared method and factor, without faults.
    pub declared: &'a Cell,
    /// The same with the heads that it is applied to.
    pub setting: &'a Setting,
}

/// An engine that has faults whatever it is asked for: what a deployment looks like from outside.
pub struct Opaque<'a> {
    /// The replay that the faults are injected into.
    pub replay: &'a dyn Engine,
    /// The faults.
    pub faults: Vec<AnyFault>,
}

impl Engine for Opaque<'_> {
    fn subject(&self, cell: &Cell) -> Result<Box<dyn Subject>, SubjectError> {
        self.replay.subject(&cell.clone().under(self.faults.clone()))
    }
}

/// How much is timed: lengths, tokens decoded in each timing, and blocks.
#[derive(Clone, Debug, PartialEq)]
pub struct Timing {
    /// Context lengths.
    pub lengths: Vec<Tokens>,
    /// Tokens decoded in each timing.
    pub decoded: usize,
    /// Rounds where something may be slow; a glance tells whether.
    pub blocks: usize,
}

impl Timing {
    /// Twice below the trained length, and beyond it, where tables have ended and what grows with the cache has grown.
    #[must_use]
    pub fn usual(trained: Tokens) -> Self {
        let below = [8, 2].map(|part| Tokens((trained.0 / part).max(1)));
        let lengths = below.into_iter().chain([Tokens(trained.0 + trained.0 / 2)]).collect();
        Self { lengths, decoded: 12, blocks: 6 }
    }

    fn sizes(&self) -> Sizes {
        Sizes {
            documents: 1,
            short_windows: 1,
            attention_documents: 0,
            attention_every: 1,
            latency_lengths: self.lengths.clone(),
            latency_blocks: self.blocks,
            decode_tokens: self.decoded,
            latency_candidates: 0,
        }
    }
}

/// What was found of a deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct Examination {
    /// The battery's rows and the timings.
    pub readings: Vec<Reading>,
    /// The hypotheses that were replayed.
    pub replayed: Vec<Replayed>,
    /// Suspicions, the surest first.
    pub suspicions: Vec<Suspicion>,
    /// How many engines were looked at: the deployment, its healthy replay, and every hypothesis.
    pub cells: usize,
}

/// The witness of the longest request by itself, which every text is asked.
const LONGEST: &str = "one_shot";

/// Rounds of timings that tell whether something may be slow.
const GLANCES: u32 = 3;

/// How many times the rounds are repeated while an engine seems slow and no interval says so. The limit of what is slow lies
/// so far above a healthy engine that looking again calls none of them slow.
const TURNS: u32 = 4;

/// A cell, the name of a witness, and the number of a text.
type Asked = (CellId, String, usize);

/// The replay and everything that is known of it: answers are kept, since they depend on the texts and the cell alone.
pub struct Workshop<'a> {
    replay: &'a dyn Engine,
    texts: Vec<Vec<u32>>,
    trained: Tokens,
    target: Tokens,
    timing: Option<Timing>,
    answers: RefCell<BTreeMap<Asked, Option<Rc<Answers>>>>,
    records: RefCell<BTreeMap<(CellId, usize, bool), Rc<Record>>>,
    insides: RefCell<BTreeMap<CellId, Rc<Inside>>>,
    paces: RefCell<BTreeMap<CellId, Vec<Reading>>>,
}

impl<'a> Workshop<'a> {
    /// A workshop over some texts; without a `timing` nothing is timed.
    #[must_use]
    pub fn new(
        replay: &'a dyn Engine,
        texts: Vec<Vec<u32>>,
        (trained, target): (Tokens, Tokens),
        timing: Option<Timing>,
    ) -> Self {
        Self {
            replay,
            texts,
            trained,
            target,
            timing,
            answers: RefCell::default(),
            records: RefCell::default(),
            insides: RefCell::default(),
            paces: RefCell::default(),
        }
    }

    fn witnesses(&self, document: usize) -> Vec<Witness> {
        let tokens = self.texts.get(document).map(Vec::as_slice).unwrap_or_default();
        let all = battery::witnesses(&Text { tokens, trained: self.trained.0, target: self.target.0 });
        // Texts after the first one confirm what it says; the costly requests are asked once.
        let asked = |witness: &Witness| document == 0 || witness.cost() <= CHEAP || witness.name == LONGEST;
        all.into_iter().filter(asked).collect()
    }

    /// Examines a deployment with the candidates of a catalogue.
    ///
    /// # Errors
    /// [`SubjectError`] where an engine cannot be made or memory runs out.
    pub fn examine(&self, deployment: &Deployment<'_>, catalogue: &[Candidate]) -> Result<Examination, SubjectError> {
        let mut deployed = deployment.engine.subject(deployment.declared)?;
        let (records, readings) = self.observe(deployed.as_mut(), deployment.declared)?;
        let mut readings = readings;
        if !signature(&readings).divergent.is_empty() {
            readings.extend(self.look_inside(deployed.as_mut(), deployment)?);
            if marks(&signature(&readings), &readings).iter().any(|mark| mark.site == Site::Mask) {
                readings.extend(self.reach(deployed.as_mut(), deployment)?);
            }
        }
        let able: Vec<Candidate> =
            catalogue.iter().filter(|candidate| candidate.fault.applies(deployment.setting)).cloned().collect();
        let mut replayed = self.search(deployment, &records, &readings, &able)?;
        if let Some((own, rows)) = self.pace(deployed.as_mut(), deployment.declared)? {
            readings.extend(rows);
            let signature = signature(&readings);
            if slow(&own, &signature).is_some() {
                self.time_exact(deployment, &signature, &mut replayed)?;
                // Where what changes the answers takes the time as well, no other fault is looked for.
                if !replayed.iter().any(|one| one.explains_time(&own, &signature)) {
                    replayed.extend(self.paces(deployment, &able)?);
                    self.time_beside(deployed.as_mut(), deployment, &own, &mut replayed)?;
                }
            }
        }
        let suspicions = suspect(&readings, &replayed);
        // The deployment and its healthy replay are engines too.
        let cells = 2 + replayed.len();
        Ok(Examination { readings, replayed, suspicions, cells })
    }

    /// The battery alone: a subject's answers over every text, and their distances from those of a cell of the replay.
    ///
    /// # Errors
    /// [`SubjectError`] where an engine cannot be made or memory runs out.
    fn observe(&self, subject: &mut dyn Subject, against: &Cell) -> Result<(Vec<Record>, Vec<Reading>), SubjectError> {
        let (mut records, mut readings) = (Vec::new(), Vec::new());
        for document in 0..self.texts.len() {
            let compare =
                |ours: &Record, theirs: &Record| battery::divergences(ours, theirs, self.trained.0, document as u32);
            let mut record = battery::record(subject, &self.witnesses(document))?;
            let mut rows = compare(&record, &*self.record(against, document, false)?);
            // Where a request by itself is answered otherwise, only an engine's own answers tell whether its company matters.
            let plain = |one: &Divergent| Family::of(&one.witness) == Family::Plain;
            if signature(&rows).divergent.iter().any(plain) {
                battery::add_alike(subject, &mut record)?;
                rows = compare(&record, &*self.record(against, document, true)?);
            }
            readings.extend(rows);
            records.push(record);
        }
        Ok((records, readings))
    }

    /// Rows that tell whether a subject answers otherwise than a cell of the replay, and from where on: those of the longest
    /// request by itself where it differs, else those of every one.
    ///
    /// # Errors
    /// [`SubjectError`] where an engine cannot be made or memory runs out.
    pub fn effect(&self, subject: &mut dyn Subject, against: &Cell) -> Result<Vec<Reading>, SubjectError> {
        let mut readings = Vec::new();
        for document in 0..self.texts.len() {
            let all = self.witnesses(document);
            let (long, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|witness| witness.name == LONGEST);
            for witness in long.into_iter().chain(others) {
                let own = battery::record(subject, std::slice::from_ref(&witness))?;
                let theirs = self.answer(against, &witness, document)?.map(|answers| (*answers).clone());
                let rows =
                    battery::divergences(&own, &vec![(witness.clone(), theirs)], self.trained.0, document as u32);
                readings.extend(rows);
                if witness.name == LONGEST && !signature(&readings).divergent.is_empty() {
                    break;
                }
            }
        }
        Ok(readings)
    }

    /// The pace of a subject beside the healthy replay; nothing where this workshop times nothing.
    ///
    /// # Errors
    /// [`SubjectError`] where an engine cannot be made or memory runs out.
    pub fn pace(
        &self,
        subject: &mut dyn Subject,
        declared: &Cell,
    ) -> Result<Option<(Pace, Vec<Reading>)>, SubjectError> {
        let Some(timing) = &self.timing else { return Ok(None) };
        let mut rows = Vec::new();
        for glance in 0..GLANCES {
            rows.extend(self.timed(subject, declared, (timing, glance..glance + 1), false)?);
            if !may_be_slow(&rows) {
                return Ok(Some((pace(&rows), rows)));
            }
        }
        let blocks = timing.blocks as u32;
        let (mut rows, mut found) = (Vec::new(), Pace::default());
        for turn in 0..TURNS {
            rows.extend(self.timed(subject, declared, (timing, turn * blocks..(turn + 1) * blocks), true)?);
            found = pace(&rows);
            if !found.is_open() {
                break;
            }
        }
        Ok(Some((found, rows)))
    }

    /// Readings of the insides: where outputs differ, they say where.
    fn look_inside(
        &self,
        deployed: &mut dyn Subject,
        deployment: &Deployment<'_>,
    ) -> Result<Vec<Reading>, SubjectError> {
        let (trained, target) = (self.trained.0, self.target.0);
        let id = deployment.declared.id();
        let kept = self.insides.borrow().get(&id).cloned();
        let healthy = if let Some(healthy) = kept {
            healthy
        } else {
            let mut subject = self.replay.subject(deployment.declared)?;
            let healthy = Rc::new(battery::inside(subject.as_mut(), trained, target)?);
            self.insides.borrow_mut().insert(id, Rc::clone(&healthy));
            healthy
        };
        Ok(battery::inside(deployed, trained, target)?.readings(&healthy))
    }

    /// Which tokens are seen: where nothing else is left to blame, outputs say how far.
    fn reach(&self, deployed: &mut dyn Subject, deployment: &Deployment<'_>) -> Result<Vec<Reading>, SubjectError> {
        let mut healthy = self.replay.subject(deployment.declared)?;
        let tokens = self.texts.first().map(Vec::as_slice).unwrap_or_default();
        let text = Text { tokens, trained: self.trained.0, target: self.target.0 };
        battery::reach(deployed, healthy.as_mut(), &text, 0)
    }

    /// The answers of a cell of the replay over a document, with or without those to the costly equivalent requests.
    fn record(&self, declared: &Cell, document: usize, alike: bool) -> Result<Rc<Record>, SubjectError> {
        let key = (declared.id(), document, alike);
        if let Some(record) = self.records.borrow().get(&key) {
            return Ok(Rc::clone(record));
        }
        let mut subject = self.replay.subject(declared)?;
        let mut record = if alike {
            (*self.record(declared, document, false)?).clone()
        } else {
            battery::record(subject.as_mut(), &self.witnesses(document))?
        };
        if alike {
            battery::add_alike(subject.as_mut(), &mut record)?;
        }
        let record = Rc::new(record);
        self.records.borrow_mut().insert(key, Rc::clone(&record));
        Ok(record)
    }

    /// The answers of the replay with faults to one witness; nothing where it cannot be made or refuses.
    fn answer(&self, cell: &Cell, witness: &Witness, document: usize) -> Result<Option<Rc<Answers>>, SubjectError> {
        let key = (cell.id(), witness.name.to_owned(), document);
        if let Some(answers) = self.answers.borrow().get(&key) {
            return Ok(answers.clone());
        }
        let read =
            self.replay.subject(cell).and_then(|mut subject| battery::record_one(subject.as_mut(), witness, false));
        let answers = match read {
            Ok(answers) => Some(Rc::new(answers)),
            Err(SubjectError::Engine(_)) => None,
            Err(error) => return Err(error),
        };
        self.answers.borrow_mut().insert(key, answers.clone());
        Ok(answers)
    }

    /// How far a hypothesis is from the deployment on one witness and document; nothing where one of them refuses.
    fn distances(
        &self,
        cell: &Cell,
        name: &str,
        records: &[Record],
        document: usize,
    ) -> Result<Option<Vec<Reading>>, SubjectError> {
        let Some((witness, Some(deployed))) =
            records.get(document).and_then(|record| record.iter().find(|(witness, _)| witness.name == name))
        else {
            return Ok(None);
        };
        let Some(answers) = self.answer(cell, witness, document)? else { return Ok(None) };
        Ok(Some(battery::disagreements(name, &answers, deployed, self.trained.0, document as u32)))
    }

    /// Replays hypotheses, and keeps the rows of their distances.
    fn search(
        &self,
        deployment: &Deployment<'_>,
        records: &[Record],
        battery: &[Reading],
        able: &[Candidate],
    ) -> Result<Vec<Replayed>, SubjectError> {
        let signature = signature(battery);
        let marks = marks(&signature, battery);
        let costs: Vec<(String, usize)> =
            self.witnesses(0).iter().map(|witness| (witness.name.to_owned(), witness.cost())).collect();
        // Time alone is no reason for another answer.
        let outputs: Vec<Candidate> =
            able.iter().filter(|candidate| candidate.fault.site() != Site::Latency).cloned().collect();
        let refined = refined(&outputs, battery, deployment.setting);
        let search =
            Search { signature: &signature, marks: &marks, catalogue: &outputs, refined: &refined, costs: &costs };
        let cell = |faults: &[AnyFault]| deployment.declared.hypothesis(faults.to_vec());
        let mut rows: BTreeMap<CellId, Vec<Reading>> = BTreeMap::new();
        let trials = search.run(&mut |faults, witness| {
            let cell = cell(faults);
            let Some(read) = self.distances(&cell, witness, records, 0)? else { return Ok(None) };
            let distance = condition::distance(&read);
            rows.entry(cell.id()).or_default().extend(read);
            Ok::<_, SubjectError>(distance)
        })?;
        let mut replayed = Vec::new();
        for trial in trials {
            let faults: Vec<AnyFault> = trial.candidates.iter().map(|candidate| candidate.fault.clone()).collect();
            let cell = cell(&faults);
            let mut readings = rows.get(&cell.id()).cloned().unwrap_or_default();
            // Agreement on one document is confirmed on the others.
            for (document, one) in (1..records.len()).flat_map(|d| signature.divergent.iter().map(move |one| (d, one)))
            {
                let asked =
                    records.get(document).is_some_and(|record| record.iter().any(|(w, _)| w.name == one.witness));
                if trial.exact && asked {
                    readings.extend(self.distances(&cell, &one.witness, records, document)?.unwrap_or_default());
                }
            }
            replayed.push(Replayed { candidates: trial.candidates, readings });
        }
        Ok(replayed)
    }

    /// Times the first hypothesis that answers as the deployment does: what changes answers may take time, too.
    fn time_exact(
        &self,
        deployment: &Deployment<'_>,
        signature: &Signature,
        replayed: &mut [Replayed],
    ) -> Result<(), SubjectError> {
        let Some(timing) = &self.timing else { return Ok(()) };
        if let Some(one) = replayed.iter_mut().find(|one| one.is_exact(signature)) {
            let faults = one.candidates.iter().map(|candidate| candidate.fault.clone()).collect();
            let mut subject = self.replay.subject(&deployment.declared.hypothesis(faults))?;
            let rounds = (timing, 0..timing.blocks as u32);
            one.readings.extend(self.timed(subject.as_mut(), deployment.declared, rounds, false)?);
        }
        Ok(())
    }

    /// Times what may slow a deployment that is slow.
    fn paces(&self, deployment: &Deployment<'_>, able: &[Candidate]) -> Result<Vec<Replayed>, SubjectError> {
        let Some(timing) = &self.timing else { return Ok(Vec::new()) };
        let mut replayed = Vec::new();
        for candidate in able.iter().filter(|candidate| candidate.fault.site() == Site::Latency) {
            let cell = deployment.declared.hypothesis(vec![candidate.fault.clone()]);
            let kept = self.paces.borrow().get(&cell.id()).cloned();
            let readings = if let Some(readings) = kept {
                readings
            } else {
                let mut subject = self.replay.subject(&cell)?;
                let rounds = (timing, 0..timing.blocks as u32);
                let readings = self.timed(subject.as_mut(), deployment.declared, rounds, false)?;
                self.paces.borrow_mut().insert(cell.id(), readings.clone());
                readings
            };
            replayed.push(Replayed { candidates: vec![candidate.clone()], readings });
        }
        Ok(replayed)
    }

    /// Times the deployment beside the hypotheses that are about as slow: what lies minutes apart cannot tell near ones apart.
    fn time_beside(
        &self,
        deployed: &mut dyn Subject,
        deployment: &Deployment<'_>,
        own: &Pace,
        replayed: &mut [Replayed],
    ) -> Result<(), SubjectError> {
        let Some(timing) = &self.timing else { return Ok(()) };
        let timed = condition::timed(replayed);
        let near = condition::closest(own, &timed);
        for (candidate, _) in near.into_iter().take(MOST_NAMED) {
            let alone = |one: &&mut Replayed| one.candidates.as_slice() == std::slice::from_ref(candidate);
            let Some(one) = replayed.iter_mut().find(alone) else { continue };
            let cell = deployment.declared.hypothesis(vec![candidate.fault.clone()]);
            let rows = self.timed(deployed, &cell, (timing, 0..timing.blocks as u32), false)?;
            one.readings.extend(rows.into_iter().map(|row| Reading { probe: BESIDE.to_owned(), ..row }));
        }
        Ok(())
    }

    /// Rounds of timings of a subject and a cell of the replay, with the latter twice where a control is asked for.
    fn timed(
        &self,
        subject: &mut dyn Subject,
        declared: &Cell,
        (timing, rounds): (&Timing, Range<u32>),
        control: bool,
    ) -> Result<Vec<Reading>, SubjectError> {
        let mut healthy = self.replay.subject(declared)?;
        // What a request takes depends on how many tokens it has, so a text that is too short goes on from its beginning.
        let longest = timing.lengths.iter().map(|length| length.0).max().unwrap_or_default();
        let tokens: Vec<u32> = self.texts.first().into_iter().flatten().copied().cycle().take(longest).collect();
        let sizes = timing.sizes();
        subject.restart();
        let mut rows = Vec::new();
        for round in rounds {
            rows.extend(latency::round(subject, healthy.as_mut(), &tokens, &sizes, (round, control))?);
        }
        Ok(rows)
    }
}
