//! `wgnorm verify --cases` on small directories, on the CPU path.

mod common;

use std::fs;
use std::path::Path;

use common::{assert_code, path, safetensors, stderr, wgnorm, write};
use serde_json::{Value, json};

/// One row 1, 2, 3 under layer norm without eps.
fn layer(id: &str) -> Value {
    json!({
        "id": id, "file": "layer.safetensors", "source": "torch", "op": "layer_norm", "mode": "default",
        "family": "dims", "attributes": {"normalized_shape": [3], "eps": 0.0, "axis": 1},
        "inputs": ["x"], "outputs": ["y", "mean"],
        "tensors": {"x": {"shape": [1, 3], "dtype": "F32"}, "y": {"shape": [1, 3], "dtype": "F32"},
            "mean": {"shape": [1], "dtype": "F32"}},
        "tol": {"*": {"rtol": 1e-5, "atol": 1e-6}},
        "tol_tight": {"y": {"rtol": 1e-6, "atol": 1e-7}},
    })
}

fn directory(cases: &[Value], y: [f32; 3]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let tensors: [(&str, &[usize], &[f32]); 3] = [
        ("x", &[1, 3], &[1.0, 2.0, 3.0]),
        ("y", &[1, 3], &y),
        ("mean", &[1], &[2.0]),
    ];
    write(directory.path(), "layer.safetensors", &safetensors(&tensors));
    write_manifest(directory.path(), &json!({"format": "norm-golden-1", "cases": cases}));
    directory
}

fn write_manifest(directory: &Path, manifest: &Value) {
    write(directory, "manifest.json", manifest.to_string().as_bytes());
}

fn good() -> [f32; 3] {
    [-1.5f32.sqrt(), 0.0, 1.5f32.sqrt()]
}

#[test]
fn a_passing_case_is_reported_and_dumped() {
    let cases = directory(&[layer("a")], good());
    let (report, dump) = (path(cases.path(), "report.json"), path(cases.path(), "dump"));
    let cases = cases.path().to_str().unwrap();
    let run = wgnorm(&[
        "verify", "--cases", cases, "--tight", "--strict", "--json", &report, "--dump", &dump,
    ]);
    assert_code(&run, 0);
    let report: Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    assert_eq!(
        (&report["passed"], &report["failed"], &report["adapter"]),
        (&1.into(), &0.into(), &"cpu".into())
    );
    let case = &report["cases"][0];
    assert_eq!(
        (&case["id"], &case["op"], &case["status"]),
        (&"a".into(), &"layer_norm".into(), &"passed".into())
    );
    assert_eq!(case["tensors"]["y"]["tol"], json!({"rtol": 1e-6, "atol": 1e-7}));
    assert_eq!(case["tensors"]["mean"]["tol"], json!({"rtol": 1e-5, "atol": 1e-6}));
    let bytes = fs::read(Path::new(&dump).join("a.safetensors")).unwrap();
    let dumped = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(dumped.tensor("y").unwrap().shape(), [1, 3]);
}

/// Parameters as f64, what is scaled as f32.
#[test]
fn what_a_scaler_computed_is_dumped() {
    let directory = tempfile::tempdir().unwrap();
    let tensors: [(&str, &[usize], &[f32]); 3] = [
        ("x", &[3, 1], &[1.0, 2.0, 5.0]),
        ("y", &[3, 1], &[0.0, 0.25, 1.0]),
        ("data_max", &[1], &[5.0]),
    ];
    write(directory.path(), "scaler.safetensors", &safetensors(&tensors));
    let case = json!({
        "id": "s", "file": "scaler.safetensors", "source": "sklearn", "op": "minmax_scaler", "mode": "fit_transform",
        "family": "dims", "attributes": {"feature_range": [0.0, 1.0], "clip": false},
        "inputs": ["x"], "outputs": ["y", "data_max"],
        "tensors": {"x": {"shape": [3, 1], "dtype": "F32"}, "y": {"shape": [3, 1], "dtype": "F32"},
            "data_max": {"shape": [1], "dtype": "F32"}},
        "tol": {"*": {"rtol": 1e-6, "atol": 1e-7}},
    });
    write_manifest(directory.path(), &json!({"format": "norm-golden-1", "cases": [case]}));
    let dump = path(directory.path(), "dump");
    let cases = directory.path().to_str().unwrap();
    assert_code(&wgnorm(&["verify", "--cases", cases, "--strict", "--dump", &dump]), 0);
    let bytes = fs::read(Path::new(&dump).join("s.safetensors")).unwrap();
    let dumped = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let y = dumped.tensor("y").unwrap();
    let y: Vec<f32> = bytemuck::pod_collect_to_vec(y.data());
    assert_eq!(y, [0.0, 0.25, 1.0]);
    assert_eq!(dumped.tensor("data_max").unwrap().data(), 5.0f64.to_le_bytes());
}

#[test]
fn a_wrong_reference_fails() {
    let cases = directory(&[layer("a")], [0.0, 0.0, 1.0]);
    let run = wgnorm(&["verify", "--cases", cases.path().to_str().unwrap()]);
    assert_code(&run, 1);
    assert!(String::from_utf8_lossy(&run.stdout).contains("FAILED a"));
}

#[test]
fn what_is_not_built_is_skipped_and_named() {
    let mut unknown = layer("b");
    unknown["op"] = "spectral_norm".into();
    let mut partial = layer("c");
    partial["outputs"] = json!(["y", "dx"]);
    partial["tensors"]["dx"] = json!({"shape": [1], "dtype": "F32"});
    // The file's mean stands in for dx, under its name.
    partial["file"] = "gradient.safetensors".into();
    let directory = directory(&[unknown, partial], good());
    let tensors: [(&str, &[usize], &[f32]); 3] = [
        ("x", &[1, 3], &[1.0, 2.0, 3.0]),
        ("y", &[1, 3], &good()),
        ("dx", &[1], &[0.0]),
    ];
    write(directory.path(), "gradient.safetensors", &safetensors(&tensors));
    let (cases, report) = (
        directory.path().to_str().unwrap(),
        path(directory.path(), "report.json"),
    );
    assert_code(&wgnorm(&["verify", "--cases", cases, "--json", &report]), 0);
    let report: Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    assert_eq!((&report["partial"], &report["skipped"]), (&1.into(), &1.into()));
    assert_eq!(report["cases"][1]["tensors"]["dx"]["status"], "skipped");
    assert!(report["cases"][1]["reason"].as_str().unwrap().contains("dx"));
    assert_code(&wgnorm(&["verify", "--cases", cases, "--strict"]), 1);
}

#[test]
fn cases_are_not_written_over() {
    let cases = directory(&[layer("layer")], good());
    let (manifest, file) = (
        path(cases.path(), "manifest.json"),
        path(cases.path(), "layer.safetensors"),
    );
    let before = (fs::read(&manifest).unwrap(), fs::read(&file).unwrap());
    let directory = cases.path().to_str().unwrap();
    for more in [
        ["--dump", directory],
        ["--json", manifest.as_str()],
        ["--json", file.as_str()],
        ["--variant", "split"],
    ] {
        let run = wgnorm(&[["verify", "--cases", directory].as_slice(), &more].concat());
        assert_code(&run, 2);
    }
    assert_eq!((fs::read(&manifest).unwrap(), fs::read(&file).unwrap()), before);
}

#[test]
fn malformed_directories_are_refused() {
    let change = |edit: &dyn Fn(&mut Value)| {
        let mut case = layer("a");
        edit(&mut case);
        directory(&[case], good())
    };
    let mut directories = vec![
        (directory(&[layer("a"), layer("a")], good()), "occurs twice"),
        (change(&|case| case["id"] = "../a".into()), "case id"),
        (
            change(&|case| case["file"] = "absent.safetensors".into()),
            "cannot read",
        ),
        (
            change(&|case| case["tensors"]["x"]["shape"] = json!([3, 1])),
            "not as described",
        ),
        (change(&|case| case["attributes"] = json!({})), "attribute"),
        (change(&|case| case["attributes"]["axis"] = (-1).into()), "axis"),
        (change(&|case| case["tol"] = json!({})), "no tolerance"),
        (change(&|case| case["outputs"] = json!(["y", "rstd"])), "missing"),
        (change(&|case| case["tol"] = Value::Null), "manifest.json"),
    ];
    let unknown = directory(&[], good());
    write_manifest(unknown.path(), &json!({"format": "other", "cases": []}));
    directories.push((unknown, "format"));
    let broken = tempfile::tempdir().unwrap();
    write(broken.path(), "manifest.json", b"{\"format\": NaN");
    directories.push((broken, "manifest.json"));
    directories.push((tempfile::tempdir().unwrap(), "cannot read"));
    directories.push((directory(&[], good()), "no case"));
    for (directory, expected) in &directories {
        let run = wgnorm(&["verify", "--cases", directory.path().to_str().unwrap()]);
        assert_code(&run, 2);
        assert!(
            stderr(&run).contains(expected),
            "{expected:?} is not in {}",
            stderr(&run)
        );
    }
}

/// Three rows, the first two of which are fitted.
fn min_max(id: &str, fit_rows: &Value) -> Value {
    json!({
        "id": id, "file": "layer.safetensors", "source": "sklearn", "op": "minmax_scaler", "mode": "fit_transform",
        "family": "dims", "attributes": {"feature_range": [0, 1], "clip": false, "fit_rows": fit_rows},
        "inputs": ["x"], "outputs": ["y", "mean"],
        "tensors": {"x": {"shape": [3, 1], "dtype": "F32"}, "y": {"shape": [3, 1], "dtype": "F32"},
            "mean": {"shape": [1], "dtype": "F32"}},
        "tol": {"*": {"rtol": 1e-5, "atol": 1e-6}},
    })
}

#[test]
fn scalers_are_fitted_to_the_rows_of_the_case() {
    let cases = tempfile::tempdir().unwrap();
    let tensors: [(&str, &[usize], &[f32]); 3] = [
        ("x", &[3, 1], &[1.0, 2.0, 3.0]),
        ("y", &[3, 1], &[0.0, 1.0, 2.0]),
        ("mean", &[1], &[2.0]),
    ];
    write(cases.path(), "layer.safetensors", &safetensors(&tensors));
    let directory = cases.path().to_str().unwrap();
    let run = |fit_rows: Value| {
        let mut case = min_max("a", &fit_rows);
        case["outputs"] = json!(["y"]);
        write_manifest(cases.path(), &json!({"format": "norm-golden-1", "cases": [case]}));
        wgnorm(&["verify", "--cases", directory])
    };
    assert_code(&run(json!([0, 2])), 0);
    assert_code(&run(json!([0, 3])), 1);
    assert_code(&run(json!([0, 4])), 2);
}
