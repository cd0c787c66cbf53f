//! Reports: findings and rows become pages. Pure functions; the caller writes the bytes.
//!
//! The argument of a report is made once, as `story` blocks and `figures`; a format only writes it down. A new
//! format is one file here and one line in [`REPORTS`].

mod cards;
mod charts;
mod comparison;
pub mod document;
pub(crate) mod evidence;
mod figures;
pub mod html;
mod identification;
mod json;
mod junit;
pub mod markdown;
pub(crate) mod numbers;
mod provenance;
mod score;
mod story;
mod tables;
mod terminal;

use std::path::PathBuf;

use crate::findings::Findings;
use crate::measurement::{Cell, Outcome};
use crate::units::Tokens;

pub use charts::{mechanism_chart, training_curve};
pub use comparison::{Comparison, Moved, compare};
pub use figures::Figure;
pub use identification::identification;
pub use provenance::{Machine, Provenance};
pub use score::{score_lead, score_pages};
pub use story::Story;
pub use terminal::terminal;

pub(crate) use story::capitalised;
pub(crate) use tables::label;
pub(crate) use terminal::paragraph;

/// Everything that a page may use.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// What was found.
    pub findings: &'a Findings,
    /// Every cell with its rows, or with the reason why it has none.
    pub cells: &'a [(Cell, Outcome)],
    /// The length that the checkpoint was trained at.
    pub trained: Tokens,
    /// The length to serve.
    pub target: Tokens,
    /// Where the numbers come from.
    pub provenance: &'a Provenance,
}

/// A file of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Path relative to the run's folder.
    pub path: PathBuf,
    /// What stands in it.
    pub bytes: Vec<u8>,
}

impl Page {
    /// A page of these bytes.
    pub(crate) fn new(path: impl Into<PathBuf>, text: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), bytes: text.into() }
    }
}

/// Why a page could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A chart could not be drawn.
    #[error("cannot draw a chart: {0}\nhint: the findings are in findings.json all the same")]
    Chart(String),
    /// The findings could not be written as JSON.
    #[error("cannot write the findings as JSON: {0}\nhint: this is a defect of gyro, please report it")]
    Json(#[from] serde_json::Error),
}

/// A format: a pure function from the story of a run to pages.
pub trait Report: Sync {
    /// The name in `gyro list reports`.
    fn name(&self) -> &'static str;

    /// The pages of this format.
    ///
    /// # Errors
    /// [`ReportError`] where the format cannot express the findings.
    fn pages(&self, story: &Story<'_>) -> Result<Vec<Page>, ReportError>;
}

/// Every format that is written into a run's folder.
pub const REPORTS: &[&dyn Report] = &[&json::Json, &charts::Charts, &markdown::Markdown, &html::Html, &junit::Junit];

/// Every figure that a run's rows and findings allow.
///
/// # Errors
/// [`ReportError::Chart`] where one cannot be drawn.
pub(crate) fn figures_of(run: &Run<'_>) -> Result<Vec<Figure>, ReportError> {
    charts::all(run)
}

/// Every page of a run: `findings.json`, `charts/*.svg`, `report.md`, `report.html`, `junit.xml`.
///
/// # Errors
/// [`ReportError`] from the first format that fails.
pub fn pages(run: &Run<'_>) -> Result<Vec<Page>, ReportError> {
    let story = Story::of(run)?;
    let mut pages = Vec::new();
    for report in REPORTS {
        pages.extend(report.pages(&story)?);
    }
    Ok(pages)
}
