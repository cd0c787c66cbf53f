//! Examining a deployment from outside: the battery beside the healthy replay, then replays of what it may suffer from.
//!
//! The deployment is an engine whose faults nobody here sees; what it declares is a method and a factor.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::ablation::condition::{
    self, Candidate, Distance, Pace, Search, Signature, Suspicion, Trial, closest, marks, pace, rank, signature, slow,
};
use crate::faults::{AnyFault, Fault, Setting, Site};
use crate::measurement::{Cell, CellId, Quantity, Reading};
use crate::probes::battery::{self, Answers, Inside, Record, Text, Witness};
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
    /// Blocks at first; [`Timing::more`] of them where something may be slow.
    pub blocks: usize,
    /// Blocks where something may be slow.
    pub more: usize,
}

impl Timing {
    /// Below the trained length, and just beyond it, where tables end.
    #[must_use]
    pub fn usual(trained: Tokens) -> Self {
        let lengths = vec![Tokens((trained.0 / 8).max(1)), Tokens(trained.0 + trained.0 / 16)];
        Self { lengths, decoded: 12, blocks: 3, more: 8 }
    }

    fn sizes(&self, blocks: usize) -> Sizes {
        Sizes {
            documents: 1,
            short_windows: 1,
            attention_documents: 0,
            attention_every: 1,
            latency_lengths: self.lengths.clone(),
            latency_blocks: blocks,
            decode_tokens: self.decoded,
        }
    }
}

/// What was found of a deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct Examination {
    /// The battery's rows and the timings.
    pub readings: Vec<Reading>,
    /// What differs.
    pub signature: Signature,
    /// The hypotheses that were replayed.
    pub trials: Vec<Trial>,
    /// Suspicions, the surest first.
    pub suspicions: Vec<Suspicion>,
    /// How many engines were looked at: the deployment, its healthy replay, and every hypothesis.
    pub cells: usize,
}

/// The replay and everything that is known of it: answers are kept, since they depend on the texts and the cell alone.
pub struct Workshop<'a> {
    replay: &'a dyn Engine,
    texts: Vec<Vec<u32>>,
    trained: Tokens,
    target: Tokens,
    timing: Option<Timing>,
    answers: RefCell<BTreeMap<(CellId, String, usize), Option<Rc<Answers>>>>,
    records: RefCell<BTreeMap<(CellId, usize), Rc<Record>>>,
    insides: RefCell<BTreeMap<CellId, Rc<Inside>>>,
    paces: RefCell<BTreeMap<CellId, Pace>>,
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
        battery::witnesses(&Text { tokens, trained: self.trained.0, target: self.target.0 })
    }

    /// Examines a deployment with the candidates of a catalogue.
    ///
    /// # Errors
    /// [`SubjectError`] where an engine cannot be made or memory runs out.
    pub fn examine(
        &self,
        deployment: &Deployment<'_>,
        catalogue: &[Candidate],
    ) -> Result<Examination, SubjectError> {
        let mut deployed = deployment.engine.subject(deployment.declared)?;
        let (records, readings) = self.observe(deployed.as_mut(), deployment.declared)?;
        let signature = signature(&readings);
        let mut found = Examination { readings, signature, trials: Vec::new(), suspicions: Vec::new(), cells: 2 };
        if !found.signature.divergent.is_empty() {
            self.look_inside(deployed.as_mut(), deployment, &mut found)?;
        }
        let marks = marks(&found.signature, &found.readings);
        let able: Vec<Candidate> =
            catalogue.iter().filter(|candidate| candidate.fault.applies(deployment.setting)).cloned().collect();
        found.trials = self.search(deployment, &records, &found.signature, &marks, &able)?;
        found.cells += found.trials.len();
        found.suspicions = rank(&found.signature, &marks, &found.trials);
        self.time(deployed.as_mut(), deployment, &able, &mut found)?;
        Ok(found)
    }

    /// The battery alone: a subject's answers over every text, and their distances from those of a cell of the replay.
    ///
    /// # Errors
    /// [`SubjectError`] where an engine cannot be made or memory runs out.
    pub fn observe(
        &self,
        subject: &mut dyn Subject,
        against: &Cell,
    ) -> Result<(Vec<Record>, Vec<Reading>), SubjectError> {
        let (mut records, mut readings) = (Vec::new(), Vec::new());
        for document in 0..self.texts.len() {
            let record = battery::record(subject, &self.witnesses(document))?;
            let healthy = self.record(against, document)?;
            readings.extend(battery::divergences(&record, &healthy, self.trained.0, document as u32));
            records.push(record);
        }
        Ok((records, readings))
    }

    /// The pace of a subject beside the healthy replay; nothing where this workshop times nothing.
    ///
    /// # Errors
    /// [`SubjectError`] where an engine cannot be made or memory runs out.
    pub fn pace(&self, subject: &mut dyn Subject, declared: &Cell) -> Result<Option<(Pace, Vec<Reading>)>, SubjectError> {
        let Some(timing) = &self.timing else { return Ok(None) };
        let rows = self.timed(subject, declared, timing, timing.blocks)?;
        let first = pace(&rows);
        if !first.is_suspicious() {
            return Ok(Some((first, rows)));
        }
        let rows = self.timed(subject, declared, timing, timing.more)?;
        Ok(Some((pace(&rows), rows)))
    }

    /// Readings of the insides, and of the receptive field: where outputs differ, they say where.
    fn look_inside(
        &self,
        deployed: &mut dyn Subject,
        deployment: &Deployment<'_>,
        found: &mut Examination,
    ) -> Result<(), SubjectError> {
        let (trained, target) = (self.trained.0, self.target.0);
        let id = deployment.declared.id();
        let kept = self.insides.borrow().get(&id).cloned();
        let healthy = match kept {
            Some(healthy) => healthy,
            None => {
                let mut subject = self.replay.subject(deployment.declared)?;
                let healthy = Rc::new(battery::inside(subject.as_mut(), trained, target)?);
                self.insides.borrow_mut().insert(id, Rc::clone(&healthy));
                healthy
            }
        };
        found.readings.extend(battery::inside(deployed, trained, target)?.readings(&healthy));
        Ok(())
    }

    /// The answers of a cell of the replay over a document.
    fn record(&self, declared: &Cell, document: usize) -> Result<Rc<Record>, SubjectError> {
        let key = (declared.id(), document);
        if let Some(record) = self.records.borrow().get(&key) {
            return Ok(Rc::clone(record));
        }
        let mut subject = self.replay.subject(declared)?;
        let record = Rc::new(battery::record(subject.as_mut(), &self.witnesses(document))?);
        self.records.borrow_mut().insert(key, Rc::clone(&record));
        Ok(record)
    }

    /// The answers of the replay with faults to one witness; nothing where it cannot be made or refuses.
    fn answer(&self, cell: &Cell, witness: &Witness, document: usize) -> Result<Option<Rc<Answers>>, SubjectError> {
        let key = (cell.id(), witness.name.to_owned(), document);
        if let Some(answers) = self.answers.borrow().get(&key) {
            return Ok(answers.clone());
        }
        let read = self
            .replay
            .subject(cell)
            .and_then(|mut subject| battery::record_one(subject.as_mut(), witness, false));
        let answers = match read {
            Ok(answers) => Some(Rc::new(answers)),
            Err(SubjectError::Engine(_)) => None,
            Err(error) => return Err(error),
        };
        self.answers.borrow_mut().insert(key, answers.clone());
        Ok(answers)
    }

    /// How far a hypothesis is from the deployment on one witness and document.
    fn distance(
        &self,
        cell: &Cell,
        name: &str,
        records: &[Record],
        document: usize,
    ) -> Result<Option<Distance>, SubjectError> {
        let Some((witness, Some(deployed))) =
            records.get(document).and_then(|record| record.iter().find(|(witness, _)| witness.name == name))
        else {
            return Ok(None);
        };
        let Some(answers) = self.answer(cell, witness, document)? else { return Ok(None) };
        let rows = battery::disagreements(name, &answers, deployed, self.trained.0, document as u32);
        Ok(condition::distance(&rows))
    }

    fn search(
        &self,
        deployment: &Deployment<'_>,
        records: &[Record],
        signature: &Signature,
        marks: &[condition::Mark],
        able: &[Candidate],
    ) -> Result<Vec<Trial>, SubjectError> {
        let costs: Vec<(String, usize)> =
            self.witnesses(0).iter().map(|witness| (witness.name.to_owned(), witness.cost())).collect();
        // Time alone is no reason for another answer.
        let outputs: Vec<Candidate> =
            able.iter().filter(|candidate| candidate.fault.site() != Site::Latency).cloned().collect();
        let search = Search { signature, marks, catalogue: &outputs, costs: &costs };
        let cell = |faults: &[AnyFault]| deployment.declared.hypothesis(faults.to_vec());
        let mut trials = search.run(&mut |faults, witness| self.distance(&cell(faults), witness, records, 0))?;
        // Agreement on one document is confirmed on the others.
        for trial in trials.iter_mut().filter(|trial| trial.exact) {
            let faults: Vec<AnyFault> = trial.candidates.iter().map(|candidate| candidate.fault.clone()).collect();
            for document in 1..records.len() {
                for one in &signature.divergent {
                    let distance = self.distance(&cell(&faults), &one.witness, records, document)?;
                    trial.exact &= distance.is_some_and(|distance| condition::agrees(signature, &one.witness, &distance));
                }
            }
        }
        Ok(trials)
    }

    /// Times the deployment, and what may slow it where it is slow.
    fn time(
        &self,
        deployed: &mut dyn Subject,
        deployment: &Deployment<'_>,
        able: &[Candidate],
        found: &mut Examination,
    ) -> Result<(), SubjectError> {
        let Some(timing) = &self.timing else { return Ok(()) };
        let Some((own, rows)) = self.pace(deployed, deployment.declared)? else { return Ok(()) };
        found.readings.extend(rows);
        let Some(unknown) = slow(&own, &found.signature) else { return Ok(()) };
        let mut paces = Vec::new();
        for candidate in able.iter().filter(|candidate| candidate.fault.site() == Site::Latency) {
            let cell = deployment.declared.hypothesis(vec![candidate.fault.clone()]);
            let kept = self.paces.borrow().get(&cell.id()).cloned();
            let read = match kept {
                Some(read) => read,
                None => {
                    let mut subject = self.replay.subject(&cell)?;
                    let read = pace(&self.timed(subject.as_mut(), deployment.declared, timing, timing.more)?);
                    self.paces.borrow_mut().insert(cell.id(), read.clone());
                    read
                }
            };
            paces.push((candidate.clone(), read));
        }
        found.cells += paces.len();
        let slow = condition::named_by_pace(unknown, &closest(&own, &paces));
        found.suspicions = condition::with_pace(std::mem::take(&mut found.suspicions), slow);
        Ok(())
    }

    fn timed(
        &self,
        subject: &mut dyn Subject,
        declared: &Cell,
        timing: &Timing,
        blocks: usize,
    ) -> Result<Vec<Reading>, SubjectError> {
        let mut healthy = self.replay.subject(declared)?;
        let tokens = self.texts.first().map(Vec::as_slice).unwrap_or_default();
        subject.restart();
        let rows = latency::measure(subject, healthy.as_mut(), tokens, &timing.sizes(blocks), || {})?;
        Ok(rows.into_iter().filter(|row| matches!(row.quantity, Quantity::Prefill | Quantity::Decode)).collect())
    }
}
