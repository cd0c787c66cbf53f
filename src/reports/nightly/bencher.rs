//! `bencher.json`: this night's numbers in Bencher Metric Format (<https://bencher.dev/docs/reference/bencher-metric-format/>).

use serde_json::{Map, Value, json};

use super::{Night, ReportError};

/// One benchmark a scenario, one measure a number: its value with the ends of its interval.
pub(super) fn page(night: &Night) -> Result<Vec<u8>, ReportError> {
    let mut benchmarks = Map::new();
    for run in &night.runs {
        let mut measures = Map::new();
        for entry in night.history.iter().filter(|entry| entry.run == run.folder) {
            let place = entry.length.map_or_else(String::new, |length| format!("-at-{length}"));
            let name = format!("{}-{}{place}-{}", entry.question, entry.quantity, entry.unit);
            let metric =
                json!({ "value": entry.value.point, "lower_value": entry.value.low, "upper_value": entry.value.high });
            measures.insert(slug(&name), metric);
        }
        if !measures.is_empty() {
            benchmarks.insert(run.scenario.clone(), Value::Object(measures));
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
