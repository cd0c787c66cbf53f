//! YAML with located errors.
use std::path::Path;
use serde::de::DeserializeOwned;
use super::ScenarioError;
/// Reads a YAML file.
///
/// # Errors
/// [`ScenarioError`].
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<T, ScenarioError> {
    let text = std::fs::read_to_string(path).map_err(|e| ScenarioError::invalid(path, &e.to_string()))?;
    serde_yaml::from_str(&text).map_err(|e| ScenarioError::invalid(path, &e.to_string()))
}
