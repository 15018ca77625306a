//! The thresholds of the built-in table are those that their record justifies.

use std::path::Path;

use serde_json::Value;
use wgnorm::Tuning;

/// What a better value has to gain before it replaces one in the table, as `wgnorm tune` has it; less is noise.
const WORTH: f64 = 1.03;

#[test]
fn every_threshold_of_software_adapters_has_a_row_that_justifies_it() {
    let records = Tuning::SOFTWARE_RECORDS.iter().rev().map(|file| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let record: Value = serde_json::from_str(&text).unwrap();
        let adapter = record["adapter"].as_str().unwrap();
        assert!(adapter.contains("llvmpipe"), "{file} is of {adapter}");
        record
    });
    let rows: Vec<_> = records
        .flat_map(|record| record["thresholds"].as_array().unwrap().clone())
        .collect();
    for (name, _) in Tuning::THRESHOLDS {
        let row = rows.iter().find(|row| row["threshold"] == *name);
        if Tuning::SOFTWARE_UNUSED.contains(name) {
            assert!(row.is_none(), "{name} has a row: it is used");
            continue;
        }
        let row = row.unwrap_or_else(|| panic!("no row for {name}"));
        let values = row["values"].as_array().unwrap();
        let present = Tuning::SOFTWARE.get(name).unwrap();
        let mean = |value: &Value| value["mean_of_copy"].as_f64().unwrap();
        let ours = values.iter().find(|value| value["value"] == present.as_str());
        let ours = mean(ours.unwrap_or_else(|| panic!("{name}: {present} was not measured")));
        let best = values.iter().map(mean).fold(0.0, f64::max);
        assert!(
            best <= WORTH * ours,
            "{name}: {present} reaches {ours} of copy, another value {best}"
        );
    }
}
