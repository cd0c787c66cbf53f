//! `findings.json`: the findings as data, for other programs.

use super::{Page, Report, ReportError, Story};

/// The findings as they are.
pub(super) struct Json;

impl Report for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn pages(&self, story: &Story<'_>) -> Result<Vec<Page>, ReportError> {
        let mut text = serde_json::to_string_pretty(story.run.findings)?;
        text.push('\n');
        Ok(vec![Page::new("findings.json", text)])
    }
}
