//! `wgnorm bench`: what it writes, and what it refuses before it measures anything.

mod common;

use std::fs;

use common::{assert_code, on_adapter, path, stderr, wgnorm, write};
use serde_json::Value;

#[test]
fn a_row_has_its_numbers_in_json_and_html() {
    let directory = tempfile::tempdir().unwrap();
    let (json, html) = (path(directory.path(), "b.json"), path(directory.path(), "b.html"));
    let run = on_adapter(&[
        "bench", "--op", "layer", "--shape", "64,250", "--runs", "2", "--cold", "--batch", "3", "--json", &json,
        "--html", &html,
    ]);
    assert_code(&run, 0);

    let bench: Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    for field in ["adapter", "driver", "command", "date"] {
        assert!(bench[field].as_str().is_some_and(|text| !text.is_empty()), "{field}");
    }
    assert!(bench["machine"]["threads"].as_u64().unwrap() > 0);
    for field in ["reference_gbps", "best_gbps", "buffer_gbps"] {
        assert!(bench["copy"][field].as_f64().unwrap() > 0.0, "{field}");
    }
    let [row] = bench["rows"].as_array().unwrap().as_slice() else {
        panic!("one row: {bench}");
    };
    assert_eq!(row["op"], "layer_norm");
    assert_eq!(row["shape"], serde_json::json!([64, 250]));
    assert_eq!(row["bytes"], 4 * (2 * 64 * 250 + 2 * 250));
    let positive = [
        "gpu_ms",
        "round_trip_ms",
        "cpu_ms",
        "gbps",
        "copy_gbps",
        "of_copy",
        "best_gbps",
        "of_best",
        "speedup_vs_cpu",
    ];
    for field in positive {
        assert!(row[field].as_f64().unwrap() > 0.0, "{field}");
    }
    assert!(row["cold"]["gpu_ms"].as_f64().unwrap() > 0.0);
    assert_eq!(row["batch"]["recordings"], 3);
    assert!(row["batch"]["gpu_us"].as_f64().unwrap() > 0.0);
    // Both by timestamps, or neither.
    for times in [&row["cold"], row] {
        assert_eq!(times["kernel_ms"].is_f64(), times["copy_kernel_ms"].is_f64());
    }
    assert_eq!(row["kernel_ms"].is_f64(), row["best_copy_kernel_ms"].is_f64());
    assert_eq!(
        row["cold"]["kernel_ms"].is_f64(),
        row["cold"]["best_kernel_ms"].is_f64()
    );
    assert_eq!(row["best_copy"], bench["copy"]["best"]);
    assert!(bench["copy"]["shaders"]["vec4x8"].as_f64().unwrap() > 0.0);
    assert!(["warm", "cold", "unknown"].contains(&row["cache"].as_str().unwrap()));

    let page = fs::read_to_string(html).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    assert!(page.contains("64x250") && page.contains("<svg role=\"img\" aria-label="));
    // Nothing is loaded from elsewhere: the only address is the name of the SVG format.
    let elsewhere = page.matches("http").count() - page.matches("http://www.w3.org/2000/svg").count();
    assert_eq!(elsewhere, 0);
    assert!(!page.contains("<script") && !page.contains("<link") && !page.contains("@import"));
}

#[test]
fn listed_cases_have_their_backward_rows_in_files_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    let list = "layer 16,24 # rows\n\ngroup 2,6,4 --groups 4\nbatch 2,6,6,3 --layout nhwc\n";
    let (list, folder) = (
        write(directory.path(), "list", list.as_bytes()),
        path(directory.path(), "rows"),
    );
    let run = on_adapter(&[
        "bench",
        "--direction",
        "backward",
        "--quick",
        "--runs",
        "1",
        "--cold",
        "--batch",
        "2",
        "--cases",
        list.to_str().unwrap(),
        "--json-dir",
        &folder,
    ]);
    // Six channels do not make four groups; the rows after that one are measured all the same.
    assert_code(&run, 2);
    assert!(stderr(&run).contains("group-2x6x4-groups-4"), "{}", stderr(&run));

    let files = [
        ("layer-16x24-backward.json", 4 * (3 * 16 * 24 + 3 * 24)),
        ("batch-2x6x6x3-layout-nhwc-backward.json", 4 * (3 * 216 + 3 * 3)),
    ];
    assert_eq!(fs::read_dir(&folder).unwrap().count(), files.len());
    for (file, bytes) in files {
        let bench: Value =
            serde_json::from_slice(&fs::read(directory.path().join("rows").join(file)).unwrap()).unwrap();
        assert_eq!(bench["direction"], "backward");
        let [row] = bench["rows"].as_array().unwrap().as_slice() else {
            panic!("one row: {bench}");
        };
        assert_eq!(row["direction"], "backward");
        assert_eq!(row["bytes"], bytes);
        assert_eq!(row["poisoned_runs"], 3);
        assert!(row["max_abs_err"].as_f64().unwrap() < 1e-5 && row["max_ulp"].is_null());
        for field in ["gpu_ms", "round_trip_ms", "cpu_ms", "of_copy", "of_best"] {
            assert!(row[field].as_f64().unwrap() > 0.0, "{field}");
        }
        assert!(row["cold"]["gpu_ms"].as_f64().unwrap() > 0.0);
        assert_eq!(row["batch"]["recordings"], 2);
    }
}

#[test]
fn outputs_are_refused_before_anything_is_measured() {
    let directory = tempfile::tempdir().unwrap();
    let file = path(directory.path(), "out");
    assert_code(&wgnorm(&["bench", "--json", &file, "--html", &file]), 2);
    let nowhere = path(directory.path(), "no/such/directory.html");
    let run = wgnorm(&["bench", "--html", &nowhere]);
    assert_code(&run, 2);
    assert!(stderr(&run).contains("directory.html"), "{}", stderr(&run));
    assert_code(&wgnorm(&["bench", "--op", "layer", "--shape", "8,8", "--sweep"]), 2);
    let list = write(directory.path(), "list", b"layer 8,8\nlayer 8,8 --colour blue\n");
    let run = wgnorm(&["bench", "--cases", list.to_str().unwrap()]);
    assert_code(&run, 2);
    assert!(stderr(&run).contains("line 2"), "{}", stderr(&run));
}

#[test]
fn a_report_survives_a_run_that_fails() {
    let directory = tempfile::tempdir().unwrap();
    let file = write(directory.path(), "old.html", b"old");
    // There is nothing to compare the CPU with.
    assert_code(&wgnorm(&["bench", "--html", file.to_str().unwrap()]), 2);
    assert_eq!(fs::read(file).unwrap(), b"old");
}

/// What `plan` prints of the backward pass; scratch does not grow with the rows.
#[test]
fn a_backward_plan_has_a_bounded_workspace() {
    let directory = tempfile::tempdir().unwrap();
    let json = path(directory.path(), "p.json");
    let workspace = |rows: u32| {
        let shape = format!("{rows},1024");
        let run = on_adapter(&[
            "plan",
            "--direction",
            "backward",
            "--op",
            "layer",
            "--shape",
            &shape,
            "--weight",
            "--bias",
            "--statistics",
            "--json",
            &json,
        ]);
        assert_code(&run, 0);
        let plan: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
        assert!(plan["candidates"].as_array().unwrap().len() >= 2, "{plan}");
        let bytes = plan["plan"]["workspace_bytes"].as_u64().unwrap();
        let printed = String::from_utf8_lossy(&run.stdout).into_owned();
        assert!(printed.contains(&format!("{bytes} bytes of workspace")), "{printed}");
        bytes
    };
    // 256 parts of a vec4 for every weight.
    assert!(
        [1 << 18, 1 << 20]
            .into_iter()
            .all(|rows| workspace(rows) <= 256 * 1024 * 16)
    );

    let forward = on_adapter(&["plan", "--op", "layer", "--shape", "4,8", "--from-output"]);
    assert_code(&forward, 2);
    let unsaved = [
        "plan",
        "--direction",
        "backward",
        "--from-output",
        "--op",
        "layer",
        "--shape",
        "4,8",
    ];
    assert_code(&on_adapter(&unsaved), 2);
}
