//! One checkpoint as an [`Engine`]: whatever a cell asks for, by the same weights.

use std::path::Path;
use std::rc::Rc;

use tch::Device;

use super::{Checkpoint, Replay, ReplayError};
use crate::measurement::Cell;
use crate::subject::{Engine, Subject, SubjectError};

/// The weights of one checkpoint.
pub struct Alone {
    checkpoint: Rc<Checkpoint>,
}

impl Alone {
    /// Loads a checkpoint's folder.
    ///
    /// # Errors
    /// [`ReplayError`] where the checkpoint cannot be read.
    pub fn load(dir: &Path, device: Device) -> Result<Self, ReplayError> {
        Ok(Self { checkpoint: Rc::new(Checkpoint::load(dir, device)?) })
    }
}

impl Engine for Alone {
    fn subject(&self, cell: &Cell) -> Result<Box<dyn Subject>, SubjectError> {
        let checkpoint = Rc::clone(&self.checkpoint);
        Ok(Box::new(Replay::under(checkpoint, cell.method.clone(), cell.factor, &cell.faults)?))
    }
}
