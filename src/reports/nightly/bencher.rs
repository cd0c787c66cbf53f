//! `bencher.json`: this night's numbers in Bencher Metric Format (<https://bencher.dev/docs/reference/bencher-metric-format/>).

use serde_json::{Map, Value, json};

use super::{Night, ReportError};

/// One benchmark a scenario, as the history names it, and one measure a number: its value with the ends of its interval.
pub(super) fn page(night: &Night) -> Result<Vec<u8>, ReportError> {
    let mut benchmarks = Map::new();
    for run in &night.runs {
        let mut measures = Map::new();
        let mut name = run.scenario.as_str();
        for entry in night.history.iter().filter(|entry| entry.run == run.folder) {
            // The quick form is a benchmark of its own.
            name = &entry.scenario;
            let place = entry.length.map_or_else(String::new, |length| format!("-at-{length}"));
            let measure = format!("{}-{}{place}-{}", entry.question, entry.quantity, entry.unit);
            let metric =
                json!({ "value": entry.value.point, "lower_value": entry.value.low, "upper_value": entry.value.high });
            measures.insert(slug(&measure), metric);
        }
        if !measures.is_empty() {
            benchmarks.insert(name.to_owned(), Value::Object(measures));
        }
    }
    let mut bytes = serde_json::to_vec_pretty(&Value::Object(benchmarks))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Bencher's slugs hold lower-case letters, digits and hyphens.
fn slug(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}
