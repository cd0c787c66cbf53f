//! What a training needs to go on after a kill: weights and moments, the step, the curve.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::TrainingError;
use super::optimizer::AdamW;
use crate::recipe::CurvePoint;
use crate::replay::ReplayError;
use crate::units::Seconds;

/// Progress of a training on disk.
pub(super) struct State {
    folder: PathBuf,
    progress: Progress,
}

#[derive(Default, Serialize, Deserialize)]
struct Progress {
    step: usize,
    seconds: f64,
    /// The file that holds this step's weights and moments.
    file: String,
    curve: Vec<CurvePoint>,
}

impl Progress {
    /// The progress saved in a folder; none if nothing was saved.
    fn read(folder: &Path) -> Result<Self, TrainingError> {
        let path = folder.join("progress.json");
        match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).map_err(|error| file_error("read", &path, &error)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(file_error("read", &path, &error)),
        }
    }
}

/// The curve of the training saved under a model's folder.
///
/// # Errors
/// [`TrainingError`] when the save cannot be read.
pub fn curve(out: &Path) -> Result<Vec<CurvePoint>, TrainingError> {
    Ok(Progress::read(&out.join("training"))?.curve)
}

impl State {
    /// Reads the last save under `out`, if there is one, into the optimizer.
    pub(super) fn resume(out: &Path, optimizer: &mut AdamW) -> Result<Self, TrainingError> {
        let folder = out.join("training");
        fs::create_dir_all(&folder).map_err(|error| file_error("write", &folder, &error))?;
        let progress = Progress::read(&folder)?;
        if progress.step > 0 {
            let _no_grad = tch::no_grad_guard();
            let file = folder.join(&progress.file);
            let tensors = Tensor::read_safetensors(&file).map_err(|error| file_error("read", &file, &error))?;
            for (name, saved) in tensors {
                let target = optimizer.parameters.iter_mut().find_map(|parameter| {
                    let (part, of) = name.split_once('/')?;
                    (of == parameter.name).then_some(match part {
                        "weight" => &mut parameter.weight,
                        "first" => &mut parameter.first,
                        _ => &mut parameter.second,
                    })
                });
                match target {
                    Some(target) if target.size() == saved.size() => target.f_copy_(&saved)?,
                    _ => return Err(file_error("read", &file, &format!("`{name}` does not fit the recipe's model"))),
                }
            }
        }
        Ok(Self { folder, progress })
    }

    pub(super) fn step(&self) -> usize {
        self.progress.step
    }

    pub(super) fn seconds(&self) -> Seconds {
        Seconds(self.progress.seconds)
    }

    pub(super) fn push(&mut self, point: CurvePoint) {
        self.progress.curve.push(point);
    }

    /// Saves everything: the tensors under a new name first, then the progress that points to them, by renaming.
    pub(super) fn save(&mut self, step: usize, seconds: Seconds, optimizer: &AdamW) -> Result<(), TrainingError> {
        let before = std::mem::replace(&mut self.progress.file, format!("state-{step}.safetensors"));
        (self.progress.step, self.progress.seconds) = (step, seconds.0);
        let named: Vec<(String, &Tensor)> = optimizer
            .parameters
            .iter()
            .flat_map(|p| {
                [("weight", &p.weight), ("first", &p.first), ("second", &p.second)]
                    .map(|(part, tensor)| (format!("{part}/{}", p.name), tensor))
            })
            .collect();
        let file = self.folder.join(&self.progress.file);
        Tensor::write_safetensors(&named, &file).map_err(|error| file_error("write", &file, &error))?;
        let path = self.folder.join("progress.json");
        let temporary = self.folder.join("progress.json.new");
        let text = serde_json::to_string_pretty(&self.progress).map_err(|error| file_error("write", &path, &error))?;
        fs::write(&temporary, text)
            .and_then(|()| fs::rename(&temporary, &path))
            .map_err(|error| file_error("write", &path, &error))?;
        if !before.is_empty() && before != self.progress.file {
            // A leftover costs disk only; the next save names another file.
            let _ = fs::remove_file(self.folder.join(before));
        }
        Ok(())
    }
}

/// A file that could not be read or written, with the reason.
pub(super) fn file_error(action: &'static str, path: &Path, reason: &impl ToString) -> TrainingError {
    ReplayError::File { action, path: path.display().to_string(), reason: reason.to_string() }.into()
}
