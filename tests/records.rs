//! The thresholds of the built-in tables are those that their records justify.

use std::path::Path;

use serde_json::Value;
use wgnorm::Tuning;

/// What a better value has to gain before it replaces one in a table, as `wgnorm tune` has it; less is noise.
const WORTH: f64 = 1.03;

/// Of two rows for one threshold the later record's holds.
fn check(table: &Tuning, files: &[&str], unused: &[&str], adapter: &str) {
    let records = files.iter().rev().map(|file| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let record: Value = serde_json::from_str(&text).unwrap();
        let of = record["adapter"].as_str().unwrap();
        assert!(of.contains(adapter), "{file} is of {of}");
        record
    });
    let rows: Vec<_> = records
        .flat_map(|record| record["thresholds"].as_array().unwrap().clone())
        .collect();
    for (name, _) in Tuning::THRESHOLDS {
        let row = rows.iter().find(|row| row["threshold"] == *name);
        if unused.contains(name) {
            assert!(row.is_none(), "{name} has a row: it is used");
            continue;
        }
        let row = row.unwrap_or_else(|| panic!("no row for {name}"));
        let values = row["values"].as_array().unwrap();
        let present = table.get(name).unwrap();
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

#[test]
fn every_threshold_of_software_adapters_has_a_row_that_justifies_it() {
    check(
        &Tuning::SOFTWARE,
        Tuning::SOFTWARE_RECORDS,
        Tuning::SOFTWARE_UNUSED,
        "llvmpipe",
    );
}

#[test]
fn every_threshold_of_hardware_has_a_row_that_justifies_it() {
    check(
        &Tuning::HARDWARE,
        Tuning::HARDWARE_RECORDS,
        Tuning::HARDWARE_UNUSED,
        "NVIDIA H100",
    );
}
