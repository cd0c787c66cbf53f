//! The pages of an identification: `identification.json`.

use super::{Page, ReportError};
use crate::identify::{Candidate, Identification};
use crate::positions::HeadShape;

/// The files of an identification of `observed`.
///
/// # Errors
/// [`ReportError`] where a format cannot express it.
pub fn identification(
    observed: &str,
    found: &Identification,
    declared: &Candidate,
    heads: &HeadShape,
) -> Result<Vec<Page>, ReportError> {
    let _ = (observed, declared, heads);
    let mut json = serde_json::to_string_pretty(found)?;
    json.push('\n');
    Ok(vec![Page::new("identification.json", json)])
}
